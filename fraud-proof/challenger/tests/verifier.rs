//! The verifier on hand-made inbox entries. Right outputs pass, and wrong fields are named.

mod fixture;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use fixture::{ALICE, BOB, ETHER, Rollup, entry, transfer};
use turnpike_challenger::{
    Divergence, Event, Evidence, FirstBlock, StateKey, Verdict, VerifierError,
};
use turnpike_l1::ProposedOutput;
use turnpike_protocol::{BlockInput, Deposit, Entry, Header, Origin, SourceHash};

/// Replaces an output's header and block hash.
fn reheader(output: &mut ProposedOutput, change: impl FnOnce(&mut Header)) {
    let mut header: Header = alloy_rlp::decode_exact(&output.header).expect("valid header");
    change(&mut header);
    output.header = alloy_rlp::encode(&header).into();
    output.output.block_hash = keccak256(&output.header);
    output.output.state_root = header.state_root;
}

fn parts(divergence: &Divergence) -> Vec<&str> {
    divergence.differences.iter().map(|difference| difference.part.as_str()).collect()
}

fn exact(block: u64, evidence: Evidence) -> FirstBlock {
    FirstBlock::Exact { block, evidence }
}

#[test]
fn right_outputs_are_ok() {
    let mut rollup = Rollup::new(None);
    assert_eq!(rollup.judge(0), Verdict::Ok);
    rollup.post(&[1, 2]);
    rollup.propose(1);
    rollup.post(&[0]);
    rollup.post(&[3]);
    rollup.propose(3);
    assert_eq!([rollup.judge(1), rollup.judge(2)], [Verdict::Ok, Verdict::Ok]);
    assert_eq!(rollup.verifier.first_divergence(), None);
    assert_eq!(rollup.verifier.head(), 4);
    assert_eq!(
        rollup.verifier.state_after(4).and_then(|it| it.account(&BOB)).map(|it| it.balance),
        Some(U256::from(6 * ETHER))
    );
}

#[test]
fn output_of_underived_entry_is_unknown() {
    let mut rollup = Rollup::new(None);
    rollup.propose(1);
    assert_eq!(rollup.judge(1), Verdict::Unknown);
}

#[test]
fn wrong_state_is_found_in_its_block() {
    let mut rollup = Rollup::new(Some(3));
    rollup.post(&[1]);
    rollup.propose(1);
    rollup.post(&[1, 2]);
    rollup.propose(2);
    rollup.post(&[1, 1]);
    rollup.propose(3);
    assert_eq!(rollup.judge(1), Verdict::Ok);

    let lie = rollup.divergence(2);
    assert_eq!((lie.true_block, lie.claimed_block, lie.derived_block), (1, 3, 3));
    assert_eq!(lie.first_block, exact(3, Evidence::Batch));
    assert_eq!(parts(&lie), ["stateRoot", "blockHash", "header.stateRoot"]);
    assert!(lie.state_only);
    assert!(lie.touched.contains(&ALICE) && lie.touched.contains(&BOB));
    let noted = rollup.verifier.first_divergence().expect("the divergence is recorded");
    assert_eq!((noted.entry, noted.block), (2, 3));

    // Outputs on the wrong output diverge at the same block.
    let child = rollup.divergence(3);
    assert_eq!((child.true_block, child.derived_block), (1, 5));
    assert_eq!(child.first_block, exact(3, Evidence::Batch));
    assert!(parts(&child).contains(&"header.parentHash") && !child.state_only);
}

#[test]
fn first_transaction_changing_an_account_is_found() {
    let mut rollup = Rollup::new(Some(1));
    rollup.post(&[3]);
    rollup.post(&[1]);
    let replay = rollup.verifier.replay(1).expect("the entry is kept");
    let key = |address| StateKey { address, slot: None };
    let change = replay.first_change(&[key(BOB)]).expect("runs").expect("changed");
    // The attributes transaction comes first.
    assert_eq!(change.transaction, Some((1, transfer(0).hash())));
    assert_eq!(change.keys, [key(BOB)]);
    let untouched = key(Address::repeat_byte(0x77));
    assert_eq!(replay.first_change(&[untouched]).expect("runs"), None);
    let history = key(turnpike_protocol::predeploys::HISTORY_STORAGE);
    let change = replay.first_change(&[history, key(BOB)]).expect("runs").expect("changed");
    assert_eq!((change.transaction, change.keys), (None, vec![history]));
    let rerun: Vec<_> = replay.transactions().expect("runs");
    assert_eq!(rerun.len(), 4);
    assert_eq!(rerun[3].envelope().tx_hash(), transfer(2).hash());
}

#[test]
fn proposers_own_fault_gives_a_block_range() {
    let mut rollup = Rollup::new(None);
    rollup.post(&[1]);
    rollup.propose(1);
    rollup.post(&[1, 1]);
    reheader(rollup.propose(2), |header| header.state_root = B256::repeat_byte(9));
    rollup.post(&[1]);
    rollup.propose(3);
    let lie = rollup.divergence(2);
    assert_eq!(lie.first_block, FirstBlock::Range { first: 2, last: 3 });
    assert!(lie.state_only && lie.touched.is_empty());
    // A right output on a wrong output counts as right.
    assert_eq!(rollup.judge(3), Verdict::Ok);
    rollup.post(&[1]);
    reheader(rollup.propose(4), |header| header.state_root = B256::repeat_byte(9));
    assert_eq!(rollup.divergence(4).first_block, exact(5, Evidence::OnlyBlock));
}

#[test]
fn wrong_header_fields_are_named() {
    let mut rollup = Rollup::new(None);
    rollup.post(&[2]);
    reheader(rollup.propose(1), |header| {
        header.gas_used += 1;
        header.timestamp += 1;
        header.receipts_root = B256::repeat_byte(7);
    });
    let lie = rollup.divergence(1);
    let fields = ["blockHash", "header.receiptsRoot", "header.gasUsed", "header.timestamp"];
    assert_eq!(parts(&lie), fields);
    assert!(!lie.state_only);
    let used = rollup.sequencer.head().header.gas_used;
    let gas = &lie.differences[2];
    assert_eq!(
        (gas.claimed.clone(), gas.derived.clone()),
        ((used + 1).to_string(), used.to_string())
    );
}

#[test]
fn malformed_header_is_named() {
    let mut rollup = Rollup::new(None);
    rollup.post(&[1]);
    let output = rollup.propose(1);
    output.header = Bytes::from_static(b"no header");
    output.output.block_hash = keccak256(&output.header);
    rollup.propose(1).l2_block += 1;
    rollup.propose(1).output.message_passer_storage_root = B256::repeat_byte(1);
    assert_eq!(parts(&rollup.divergence(1)), ["blockHash", "header"]);
    assert_eq!(parts(&rollup.divergence(2)), ["l2BlockNumber"]);
    assert_eq!(parts(&rollup.divergence(3)), ["messagePasserStorageRoot"]);
}

#[test]
fn forced_entry_derives_its_deposits() {
    let mut rollup = Rollup::new(None);
    let mut opaque = [[0; 24].as_slice(), &ETHER.to_be_bytes()[8..]].concat();
    opaque.extend(U256::ZERO.to_be_bytes::<32>());
    opaque.extend(100_000u64.to_be_bytes());
    opaque.push(0);
    let deposit = Deposit {
        index: 0,
        l1_block_number: 9,
        from: BOB,
        to: BOB,
        version: U256::ZERO,
        opaque_data: opaque.into(),
    };
    let posted = Entry { deposit_count: 1, ..entry(1, None) };
    rollup.feed(&posted, 0, &[], std::slice::from_ref(&deposit)).expect("the entry derives");
    // Execute the sequencer's block of the same entry.
    let origin = Origin::from(&entry(0, None));
    let parent = rollup.sequencer.head().parent;
    let config = rollup.sequencer.config();
    let mut input = BlockInput::new(config, parent, origin, 1_000 * posted.l1_time, &[], vec![])
        .expect("valid block");
    let source = SourceHash::Queue { index: 0 };
    input.deposits.push(deposit.to_transaction(source).expect("valid deposit"));
    rollup.sequencer.execute(&input).expect("full state");
    rollup.propose(1);
    assert_eq!(rollup.judge(1), Verdict::Ok);
    let state = rollup.verifier.state_after(1).expect("entry 1 is the newest");
    assert_eq!(state.account(&BOB).map(|it| it.balance), Some(U256::from(ETHER)));
    assert_eq!(rollup.verifier.entry(1).and_then(|it| it.fault.clone()), None);
}

#[test]
fn invalid_batch_derives_one_block() {
    let mut rollup = Rollup::new(None);
    rollup.post_data(b"garbage");
    let derived = rollup.verifier.entry(1).expect("the entry is derived");
    assert!(derived.fault.is_some());
    assert_eq!((derived.last_block, rollup.verifier.head()), (1, 1));
    assert_eq!(derived.header.timestamp, entry(1, None).l1_time);
    // The sequencer continues as if its batch were valid.
    rollup.block(1);
    rollup.propose(1);
    let lie = rollup.divergence(1);
    assert_eq!(lie.first_block, exact(1, Evidence::OnlyBlock));
    assert!(parts(&lie).contains(&"header.transactionsRoot"));
}

#[test]
fn entry_out_of_order_or_without_data_is_refused() {
    let mut rollup = Rollup::new(None);
    let skipped = rollup.feed(&entry(2, None), 0, &[], &[]);
    assert!(matches!(skipped, Err(VerifierError::Order { expected: 1, found: 2 })));
    let other = rollup.feed(&entry(1, Some(b"this")), 0, b"that", &[]);
    assert!(matches!(other, Err(VerifierError::Derive(_))));
    assert_eq!((rollup.verifier.next_entry(), rollup.verifier.head()), (1, 0));
    rollup.post(&[1]);
    rollup.propose(1);
    assert_eq!(rollup.judge(1), Verdict::Ok);
}

#[test]
fn what_l1_has_dropped_is_forgotten() {
    let mut rollup = Rollup::new(Some(3));
    rollup.post(&[1, 1]);
    rollup.propose(1);
    rollup.post(&[1]);
    rollup.propose(2);
    rollup.post(&[1]);
    assert_eq!(rollup.divergence(2).first_block, exact(3, Evidence::Batch));
    assert!(rollup.verifier.first_divergence().is_some());

    // L1 keeps entry 1 and drops the later entries.
    rollup.posted.truncate(2);
    rollup.verifier.rewind_to_common(&rollup.posted);
    assert_eq!((rollup.verifier.next_entry(), rollup.verifier.head()), (2, 2));
    assert_eq!(rollup.verifier.first_divergence(), None);
    assert!(rollup.verifier.block(3).is_none() && rollup.verifier.replay(3).is_none());
    assert_eq!([rollup.judge(1), rollup.judge(2)], [Verdict::Ok, Verdict::Unknown]);

    // L1 now has an honest entry in its place.
    assert!(rollup.sequencer.rewind(2));
    (rollup.nonce, rollup.lie_in) = (2, None);
    rollup.outputs.truncate(2);
    rollup.post(&[2, 1]);
    rollup.propose(2);
    assert_eq!([rollup.judge(1), rollup.judge(2)], [Verdict::Ok, Verdict::Ok]);
    assert_eq!(rollup.verifier.head(), 4);
    let replay = rollup.verifier.replay(3).expect("the entry is kept");
    assert_eq!(replay.transactions().expect("runs").len(), 2);
}

#[test]
fn report_names_block_transaction_and_state() {
    let mut rollup = Rollup::new(Some(1));
    rollup.post(&[1]);
    rollup.propose(1);
    let event = |verdict| Event::Output { index: 1, entry: 1, block: 1, verdict };
    assert_eq!(event(Verdict::Ok).to_string(), "output 1 (entry 1, block 1): ok");
    let json = serde_json::to_value(event(Verdict::Ok)).expect("JSON");
    let expected =
        serde_json::json!({"event": "output", "index": 1, "entry": 1, "block": 1, "verdict": "ok"});
    assert_eq!(json, expected);

    let wrong = event(rollup.judge(1));
    let text = wrong.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("output 1 (entry 1, block 1): WRONG"));
    assert!(lines.all(|line| line.starts_with("  ")), "{text}");
    assert!(text.contains("\n  first false block: 1 "), "{text}");
    assert!(text.contains("same transactions and receipts, another state"), "{text}");
    assert!(text.contains(&format!("\n    {ALICE}")), "{text}");
    let json = serde_json::to_value(wrong).expect("JSON");
    assert_eq!(json["verdict"], "wrong");
    assert_eq!(json["divergence"]["stateOnly"], true);
    let first = serde_json::json!({"known": "exact", "block": 1, "evidence": "batch"});
    assert_eq!(json["divergence"]["firstBlock"], first);

    let l1_transaction = B256::repeat_byte(1);
    let json = serde_json::to_value(Event::Challenged { index: 4, challenge: 2, l1_transaction })
        .expect("JSON");
    assert_eq!(json["event"], "challenged");
    assert_eq!(json["l1Transaction"], l1_transaction.to_string());
}
