//! Node, native program and machine compute the same output roots for every kind of entry.

mod inbox;

use std::collections::BTreeSet;

use alloy_primitives::{B256, TxKind};
use inbox::{Rollup, noise};
use turnpike_game::prove::{
    BlockPosition, MachineFault, PROGRAM, Proof, ProofReport, ProveError, position_of, run_machine,
    run_native, statement_at,
};
use turnpike_l1::memory::L1Event;
use turnpike_protocol::{BLOB_BYTES, LocalInputs, Preimage, Preimages};

/// Maximum number of blocks per entry on the development chain.
const BLOCKS_MAX: u64 = 256;

/// Posts batches in calldata and blobs, with deposits; invalid data; and a forced entry. Returns
/// the number of blocks of each entry, from entry 1 on.
fn post_something(rollup: &mut Rollup) -> Vec<u64> {
    rollup.deposit(2);
    let blocks = vec![rollup.block(40, 2, 1), rollup.block(41, 1, 1)];
    rollup.calldata(0, blocks);
    let blocks = vec![rollup.block(60, 1, 0), rollup.block(60, 0, 0), rollup.block(61, 1, 0)];
    rollup.blobs(1, blocks);
    rollup.l1.mine(&[garbage(b"no batch".to_vec())]);
    rollup.deposit(1);
    rollup.l1.mine(&[L1Event::Forced { deposits: 1 }]);
    vec![2, 3, 1, 1]
}

/// Posts the remaining kinds of entries.
fn post_oddities(rollup: &mut Rollup) -> Vec<u64> {
    // The calldata has two chunks.
    rollup.l1.mine(&[garbage(noise(100_000))]);
    let data = vec![0x40; BLOB_BYTES].into();
    rollup.l1.mine(&[L1Event::Blobs { data, deposits: 0, origin: 2 }]);
    // The data takes two blobs.
    let large = rollup.transaction(TxKind::Call(inbox::BOB), noise(131_000), 12_000_000);
    let block = inbox::Block { seconds: 200, deposits: 0, transactions: vec![large] };
    rollup.blobs(2, vec![block]);
    // The times are beyond what the entry allows.
    let blocks = vec![rollup.block(100, 1, 0), rollup.block(100_000, 1, 0)];
    rollup.calldata(2, blocks);
    // Two entries in one L1 block.
    rollup.l1.mine(&[L1Event::Forced { deposits: 0 }, garbage(Vec::new())]);
    // A transaction that is skipped because its nonce is used.
    let transfer = rollup.transfer();
    let transactions = vec![transfer.clone(), transfer];
    rollup.calldata(3, vec![inbox::Block { seconds: 250, deposits: 0, transactions }]);
    // A tail block holds the deposits that the batch does not count.
    rollup.deposit(2);
    let blocks = vec![rollup.block(1, 1, 0)];
    let (data, _) = rollup.batch(blocks);
    rollup.l1.mine(&[L1Event::Calldata { data: data.into(), deposits: 2, origin: 3 }]);
    vec![1, 1, 1, 2, 1, 1, 1, 2]
}

fn garbage(data: Vec<u8>) -> L1Event {
    L1Event::Calldata { data: data.into(), deposits: 0, origin: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_program_and_machine_agree_at_every_position() {
    let mut rollup = Rollup::new();
    let counts = [post_something(&mut rollup), post_oddities(&mut rollup)].concat();
    for (entry, blocks) in (1..).zip(counts) {
        let indexes = BTreeSet::from([0, blocks - 1, blocks, BLOCKS_MAX - 1]);
        for index in indexes {
            let statement = rollup.statement(entry, index).await;
            assert_eq!(statement.block.is_some(), index < blocks, "entry {entry}, block {index}");
            let proof = Proof::run(PROGRAM, statement).expect("valid ELF");
            assert!(proof.agrees(), "entry {entry}, block {index}:\n{}", ProofReport::from(&proof));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_the_witness_is_needed() {
    let mut rollup = Rollup::new();
    post_something(&mut rollup);
    for (entry, index) in [(1, 0), (2, 2), (4, 0)] {
        let statement = rollup.statement(entry, index).await;
        let proof = Proof::run(PROGRAM, statement).expect("valid ELF");
        let whole = proof.witness();
        assert!(whole.iter().len() > 10);
        for (key, _) in whole.iter() {
            let mut part = Preimages::new(whole.local);
            let others = whole.iter().filter(|(other, _)| *other != key);
            others.for_each(|(_, preimage)| part.add(preimage.clone()));
            let native = run_native(&part);
            // The native program computes precompile outputs itself.
            if !matches!(whole.get(key), Some(Preimage::Precompile { .. })) {
                assert!(native.result.is_err(), "entry {entry}: natively without {key}");
            }
            let run = run_machine(PROGRAM, &part).expect("valid ELF");
            match run.result {
                Err(MachineFault::Missing(missing)) => assert_eq!(missing.key, *key),
                other => panic!("entry {entry}: without {key}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_inputs_change_the_result() {
    let mut rollup = Rollup::new();
    post_something(&mut rollup);
    let statement = rollup.statement(2, 0).await;
    let proof = Proof::run(PROGRAM, statement).expect("valid ELF");
    let right = proof.witness().local;
    let wrong = B256::repeat_byte(9);
    for local in [
        LocalInputs { chain_config: wrong, ..right },
        LocalInputs { output_root: wrong, ..right },
        LocalInputs { inbox_acc: wrong, ..right },
        LocalInputs { block_index: 1, ..right },
    ] {
        let mut witness = proof.statement.witness.clone();
        witness.local = local;
        let native = run_native(&witness);
        assert_ne!(native.result, Ok(proof.statement.output_root), "{local:?}");
        let machine = run_machine(PROGRAM, &native.read).expect("valid ELF");
        assert_ne!(machine.result, Ok(proof.statement.output_root), "{local:?}");
    }
    // Past the entry's last block the root stays the same, with any witness.
    let mut witness = proof.statement.witness;
    witness.local.block_index = 3;
    assert_eq!(run_native(&witness).result, Ok(right.output_root));
}

#[tokio::test(flavor = "multi_thread")]
async fn block_number_gives_its_position() {
    let mut rollup = Rollup::new();
    let counts = post_something(&mut rollup);
    rollup.node.advance().await.expect("L1 answers");
    let mut number = 0;
    for (entry, blocks) in (1..).zip(counts) {
        for index in 0..blocks {
            number += 1;
            let found = position_of(&mut rollup.node, number).await.expect("the block is on L1");
            assert_eq!(found, BlockPosition { entry, index }, "block {number}");
        }
    }
    let newest = statement_at(&mut rollup.node, BlockPosition { entry: 4, index: 0 }).await;
    assert_eq!(newest.expect("the block is on L1").block.map(|block| block.number), Some(number));
    // A statement of an earlier block keeps the later entries.
    let back = statement_at(&mut rollup.node, BlockPosition { entry: 1, index: 1 }).await;
    assert_eq!(back.expect("the block is on L1").block.map(|block| block.number), Some(2));
    let found = position_of(&mut rollup.node, number).await.expect("the block is on L1");
    assert_eq!(found, BlockPosition { entry: 4, index: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_positions_are_refused_with_a_reason() {
    let mut rollup = Rollup::new();
    let block = rollup.block(40, 1, 0);
    rollup.calldata(0, vec![block]);
    let node = &mut rollup.node;
    node.advance().await.expect("L1 answers");
    let text = |error: ProveError| error.to_string();
    let zero = text(position_of(node, 0).await.expect_err("genesis"));
    assert_eq!(zero, "block 0 is the genesis block: no inbox entry derives it");
    let two = text(position_of(node, 2).await.expect_err("not there"));
    assert_eq!(two, "block 2 is not on L1 yet: the last one there is 1");
    for (entry, index, expected) in [
        (0, 0, "inbox entry 0 is the contract's own: no block derives from it"),
        (2, 0, "inbox entry 2 is not on L1 yet: the last one there is 1"),
        (1, 256, "an entry has at most 256 blocks, and its block 256 was asked for"),
    ] {
        let error = statement_at(node, BlockPosition { entry, index }).await.expect_err("no such");
        assert_eq!(text(error), expected);
    }
}
