//! Derived chains on an L1 with reorgs: after each one, they equal a fresh derivation.

use std::collections::BTreeSet;

use alloy_consensus::{
    SignableTransaction as _, TxEip1559, TxLegacy, crypto::secp256k1::sign_message,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, b256};
use proptest::prelude::*;
use turnpike_derivation::{
    DerivationError, DerivedChain, FollowError, Follower, NextEntry, STATES,
};
use turnpike_executor::EngineConfig;
use turnpike_l1::{
    L1View, Severity,
    memory::{L1Event, MemoryL1},
};
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, DataKind, Effort, Genesis, OutputRoot, SignedTx, StateRootPrefix,
    TxEnvelope, pack_blobs,
};
use turnpike_state::HistoryLimits;

const KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const BOB: Address = Address::repeat_byte(0xb0);

/// The data of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    Calldata,
    Blobs,
    Forced,
    Garbage,
    GarbageBlobs,
}

/// An L1 in memory on which tests post entries.
struct TestL1 {
    memory: MemoryL1,
    output: OutputRoot,
    /// Nonce of the next transfer; makes every batch unique.
    nonce: u64,
    /// Further transactions of every batch.
    transactions: Vec<TxEnvelope>,
}

fn follower(limits: HistoryLimits) -> Follower {
    Follower::new_with(&Genesis::dev(), EngineConfig::default(), limits)
}

fn transfer(nonce: u64, value: u64) -> TxEnvelope {
    let tx = TxEip1559 {
        chain_id: 4242,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(BOB),
        value: U256::from(value),
        ..Default::default()
    };
    let signature = sign_message(KEY, tx.signature_hash()).expect("signs");
    tx.into_signed(signature).into()
}

fn encode(batch: &Batch) -> Vec<u8> {
    let limits = Genesis::dev().config.batch_limits();
    batch.encode(limits, Effort::Fast).expect("within the limits")
}

impl TestL1 {
    fn new() -> Self {
        let output = follower(STATES).head().output;
        Self {
            memory: MemoryL1::new(&Genesis::dev(), &output),
            output,
            nonce: 0,
            transactions: Vec::new(),
        }
    }

    fn batch_transactions(&self) -> Vec<TxEnvelope> {
        let transfer = transfer(self.nonce, 1 + self.nonce);
        self.transactions.iter().cloned().chain([transfer]).collect()
    }

    fn chain(&self, limits: HistoryLimits) -> DerivedChain<MemoryL1> {
        let view = L1View::new(self.memory.clone(), 0, self.output);
        DerivedChain::new(view, follower(limits))
    }

    fn deposit(&self, mint: u64) {
        let mut opaque_data = U256::from(mint).to_be_bytes::<32>().to_vec();
        opaque_data.extend(U256::ZERO.to_be_bytes::<32>());
        opaque_data.extend(100_000u64.to_be_bytes());
        opaque_data.push(0);
        self.memory.mine(&[L1Event::Deposit {
            from: BOB,
            to: BOB,
            opaque_data: opaque_data.into(),
        }]);
    }

    /// Mines a block with an entry that consumes all deposits and names the newest entry as its
    /// origin.
    async fn post(&mut self, kind: EntryKind) {
        let mut view = L1View::new(self.memory.clone(), 0, self.output);
        let l1_time = view.advance().await.expect("nothing moves").head.time;
        let newest = view.entries().last().expect("deployed").entry;
        let consumed = usize::try_from(newest.deposit_count).expect("small");
        let waiting = &view.deposits()[consumed..];
        let (deposits, origin) = (waiting.len() as u64, newest.index);
        let batch = Batch {
            head: BatchHead { first_deposit: newest.deposit_count, reference_time: l1_time },
            blocks: vec![
                BatchBlock {
                    step_ms: 12_000,
                    deposit_count: deposits,
                    state_root: Some(StateRootPrefix::ZERO),
                    transactions: self.batch_transactions(),
                },
                BatchBlock { step_ms: 1_000, ..BatchBlock::default() },
            ],
            deposit_hints: waiting.iter().filter_map(|queued| queued.hint).collect(),
        };
        self.nonce += 1;
        let event = match kind {
            EntryKind::Calldata => {
                L1Event::Calldata { data: encode(&batch).into(), deposits, origin }
            }
            EntryKind::Blobs => {
                let data = pack_blobs(&encode(&batch)).expect("short").into();
                L1Event::Blobs { data, deposits, origin }
            }
            EntryKind::Forced => L1Event::Forced { deposits },
            EntryKind::Garbage => {
                let data = Bytes::from(self.nonce.to_be_bytes());
                L1Event::Calldata { data, deposits, origin }
            }
            EntryKind::GarbageBlobs => {
                let mut data = pack_blobs(&self.nonce.to_be_bytes()).expect("short");
                *data.last_mut().expect("long") = 1;
                L1Event::Blobs { data: data.into(), deposits, origin }
            }
        };
        self.memory.mine(&[event]);
    }
}

async fn follow(node: &mut DerivedChain<MemoryL1>) -> Result<(), FollowError> {
    node.advance().await?;
    while let Some(next) = node.next_entry().await? {
        node.apply(next)?;
    }
    Ok(())
}

/// Follows L1 and compares the chain with a fresh derivation.
async fn check(l1: &TestL1, node: &mut DerivedChain<MemoryL1>) {
    follow(node).await.expect("L1 is there");
    let mut fresh = l1.chain(STATES);
    follow(&mut fresh).await.expect("L1 is there");
    let (a, b) = (node.follower(), fresh.follower());
    assert_eq!(a.head(), b.head());
    assert_eq!(a.chain().state().roots(), b.chain().state().roots());
    assert_eq!(a.derivation().entries(), b.derivation().entries());
    for index in 0..b.next_entry() {
        assert_eq!(a.output(index), b.output(index), "entry {index}");
    }
    assert_eq!((node.safe(), node.finalized()), (fresh.safe(), fresh.finalized()));
}

#[tokio::test]
async fn every_kind_of_entry_derives_its_blocks() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    let kinds = [
        EntryKind::Calldata,
        EntryKind::Blobs,
        EntryKind::Forced,
        EntryKind::Garbage,
        EntryKind::GarbageBlobs,
        EntryKind::Blobs,
    ];
    for (mint, kind) in (1..).zip(kinds) {
        l1.deposit(mint);
        l1.post(kind).await;
    }
    follow(&mut node).await.expect("L1 is there");
    let entries = node.follower().derivation().entries();
    let blocks: Vec<_> = entries.iter().map(|it| it.last.number - it.first_block + 1).collect();
    assert_eq!(blocks, [2, 2, 1, 1, 1, 2]);
    let faults: Vec<_> = entries.iter().map(|it| it.fault.is_some()).collect();
    assert_eq!(faults, [false, false, false, true, true, false]);
    // Every deposit mints, with any data. Two of three transfers are executed: the last has a
    // nonce gap.
    let bob = node.follower().chain().state().account(&BOB).expect("rich");
    assert_eq!(bob.balance, U256::from(1 + 2 + 3 + 4 + 5 + 6 + 1 + 2));
    check(&l1, &mut node).await;
}

#[tokio::test]
async fn chain_rewinds_to_any_reorg_depth() {
    for limits in [STATES, HistoryLimits { blocks_max: 3, items_max: 1_000 }] {
        for depth in 1..=10 {
            let mut l1 = TestL1::new();
            let mut node = l1.chain(limits);
            for round in 0..5 {
                l1.deposit(round);
                l1.post(if round == 3 { EntryKind::Forced } else { EntryKind::Calldata }).await;
                follow(&mut node).await.expect("L1 is there");
            }
            let before = node.follower().head().hash();
            l1.memory.reorg(depth);
            l1.nonce = 0;
            l1.deposit(77);
            l1.post(EntryKind::Calldata).await;
            check(&l1, &mut node).await;
            assert_ne!(node.follower().head().hash(), before);
        }
    }
}

#[tokio::test]
async fn follower_rewinds_to_the_nearest_kept_state() {
    let mut l1 = TestL1::new();
    // The states of an entry's blocks and no more.
    let mut node = l1.chain(HistoryLimits { blocks_max: 2, items_max: 1_000 });
    node.parts_mut().1.keep_states_after([2, 4, 9].into());
    for _ in 0..6 {
        l1.post(EntryKind::Calldata).await;
    }
    follow(&mut node).await.expect("L1 is there");
    let head = node.follower().head().clone();
    let copied = |node: &DerivedChain<MemoryL1>, next| {
        let copy = node.follower().copy_before(next, STATES);
        assert_eq!(copy.head(), node.follower().copy_before(copy.next_entry(), STATES).head());
        copy.next_entry()
    };
    let from: Vec<_> = (1..=7).map(|next| copied(&node, next)).collect();
    assert_eq!(from, [1, 1, 3, 3, 5, 6, 7], "before 2 and 4 nothing is kept but genesis");
    node.parts_mut().1.rewind(4);
    assert_eq!(node.follower().next_entry(), 3);
    check(&l1, &mut node).await;
    assert_eq!(node.follower().head(), &head);
    // The states are dropped once they are not to be kept.
    node.parts_mut().1.keep_states_after([4].into());
    assert_eq!(copied(&node, 4), 1);
    assert_eq!(copied(&node, 5), 5);
}

#[tokio::test]
async fn chain_returns_to_a_fork_after_a_reorg() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    l1.deposit(1);
    l1.post(EntryKind::Calldata).await;
    l1.post(EntryKind::Calldata).await;
    let fork = l1.memory.fork();
    follow(&mut node).await.expect("L1 is there");
    let before = node.follower().head().clone();
    l1.memory.reorg(2);
    l1.post(EntryKind::Forced).await;
    l1.post(EntryKind::Garbage).await;
    check(&l1, &mut node).await;
    assert_ne!(node.follower().head(), &before);
    l1.memory.switch_to(&fork);
    check(&l1, &mut node).await;
    assert_eq!(node.follower().head(), &before);
}

#[tokio::test]
async fn block_is_final_with_its_l1_block() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    l1.post(EntryKind::Calldata).await;
    let first = l1.memory.number();
    l1.post(EntryKind::Forced).await;
    follow(&mut node).await.expect("L1 is there");
    assert_eq!((node.safe(), node.finalized()), (3, 0));
    l1.memory.finalize(first);
    follow(&mut node).await.expect("L1 is there");
    assert_eq!((node.safe(), node.finalized()), (3, 2));
    l1.memory.finalize(first + 1);
    follow(&mut node).await.expect("L1 is there");
    assert_eq!(node.finalized(), 3);
}

#[tokio::test]
async fn tampered_blob_is_rejected() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    l1.post(EntryKind::Blobs).await;
    node.advance().await.expect("L1 is there");
    let posted = node.view().entries()[1];
    assert_eq!(posted.entry.data_kind, DataKind::Blobs);
    l1.memory.tamper(posted.l1_transaction);
    for _ in 0..3 {
        let error = node.next_entry().await.expect_err("tampered");
        assert_eq!(error.severity(), Severity::Critical);
        assert_eq!(node.follower().next_entry(), 1);
    }
    l1.memory.tamper(posted.l1_transaction);
    check(&l1, &mut node).await;
}

/// Lets the task that reads ahead run until it has read L1.
async fn let_read_ahead() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn next(node: &mut DerivedChain<MemoryL1>) -> NextEntry {
    node.next_entry().await.expect("L1 is there").expect("L1 holds another entry")
}

#[tokio::test]
async fn exactly_one_entry_is_read_ahead() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    for _ in 0..3 {
        l1.post(EntryKind::Blobs).await;
    }
    node.advance().await.expect("L1 is there");
    let first = next(&mut node).await;
    let_read_ahead().await;
    for posted in &node.view().entries()[2..] {
        l1.memory.tamper(posted.l1_transaction);
    }
    node.apply(first).expect("derives");
    let second = next(&mut node).await;
    assert_eq!(second.source().as_data().entry.index, 2, "was read before it was tampered with");
    node.apply(second).expect("derives");
    let error = node.next_entry().await.expect_err("was read after it was tampered with");
    assert_eq!(error.severity(), Severity::Critical);
    assert_eq!(node.follower().next_entry(), 3);
}

#[tokio::test]
async fn entry_that_could_not_be_read_ahead_is_read_again() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    l1.post(EntryKind::Calldata).await;
    l1.post(EntryKind::Blobs).await;
    node.advance().await.expect("L1 is there");
    let second = node.view().entries()[2].l1_transaction;
    l1.memory.tamper(second);
    let first = next(&mut node).await;
    let_read_ahead().await;
    // The same bit again: L1 serves the right data once more.
    l1.memory.tamper(second);
    node.apply(first).expect("derives");
    let again = next(&mut node).await;
    node.apply(again).expect("derives");
    check(&l1, &mut node).await;
}

#[tokio::test]
async fn reorg_drops_the_entry_that_was_read_ahead() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    l1.post(EntryKind::Calldata).await;
    let fork = l1.memory.fork();
    l1.post(EntryKind::Calldata).await;
    node.advance().await.expect("L1 is there");
    let first = next(&mut node).await;
    let_read_ahead().await;
    node.apply(first).expect("derives");
    let stale = node.view().entries()[2];
    l1.memory.switch_to(&fork);
    l1.memory.reorg(0);
    l1.post(EntryKind::Calldata).await;
    node.advance().await.expect("L1 is there");
    let second = next(&mut node).await;
    assert_ne!(second.source().as_data().entry.data_hash, stale.entry.data_hash);
    node.apply(second).expect("derives");
    check(&l1, &mut node).await;
}

#[tokio::test]
async fn entry_on_another_block_is_rejected() {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(STATES);
    let before = l1.memory.fork();
    l1.post(EntryKind::Calldata).await;
    l1.post(EntryKind::Calldata).await;
    node.advance().await.expect("L1 is there");
    let first = next(&mut node).await;
    node.apply(first).expect("derives");
    let stale = next(&mut node).await;
    l1.memory.switch_to(&before);
    l1.memory.reorg(0);
    l1.deposit(1);
    l1.post(EntryKind::Forced).await;
    follow(&mut node).await.expect("L1 is there");
    let head = node.follower().head().clone();
    let error = node.apply(stale).expect_err("the entry follows another block");
    assert!(matches!(error, DerivationError::Parent { entry: 2, .. }), "{error}");
    assert_eq!((error.severity(), node.follower().head()), (Severity::Reset, &head));
    check(&l1, &mut node).await;
}

#[tokio::test]
async fn signers_of_an_entry_equal_those_of_single_transactions() {
    let mut l1 = TestL1::new();
    let one = U256::from(1);
    let odd = |r, s| {
        let (tx, _, _) = transfer(0, 1).as_eip1559().expect("its type").clone().into_parts();
        TxEnvelope::from(tx.into_signed(Signature::new(r, s, true)))
    };
    let unprotected = TxLegacy { nonce: 1, gas_limit: 21_000, ..Default::default() };
    let signature = sign_message(KEY, unprotected.signature_hash()).expect("signs");
    l1.transactions = vec![
        odd(U256::ZERO, one),
        odd(one, U256::MAX >> 1),
        odd(one, U256::MAX),
        odd(U256::from(5), one),
        unprotected.into_signed(signature).into(),
    ];
    l1.transactions.extend((0..600).map(|nonce| transfer(nonce, nonce)));
    let mut node = l1.chain(STATES);
    l1.post(EntryKind::Calldata).await;
    node.advance().await.expect("L1 is there");
    let (source, recovered) = next(&mut node).await.into_parts();
    let derived = node.follower().derivation().preview(&source).expect("derives");
    assert_eq!(derived.fault, None);
    let signers: Vec<_> = recovered.blocks[0].transactions.iter().map(|tx| tx.signer()).collect();
    assert_eq!(signers.len(), 606);
    assert_eq!(signers.iter().filter(|signer| signer.is_err()).count(), 4);
    let blocks = derived.blocks.into_iter();
    let each = blocks.map(|block| block.map_transactions(SignedTx::recover)).collect::<Vec<_>>();
    assert_eq!(recovered.blocks, each);
}

/// What a random L1 does next.
#[derive(Clone, Debug)]
enum TestStep {
    Deposit(u64),
    Post(EntryKind),
    Reorg(usize),
    /// Changes the states that are kept.
    Keep(BTreeSet<u64>),
    /// Reads one entry, which reads the next one ahead, and perhaps applies it.
    Read {
        is_applied: bool,
    },
    Follow,
}

fn steps() -> impl Strategy<Value = Vec<TestStep>> {
    let kind = prop_oneof![
        20 => Just(EntryKind::Calldata),
        1 => Just(EntryKind::Blobs),
        6 => Just(EntryKind::Forced),
        6 => Just(EntryKind::Garbage),
    ];
    let step = prop_oneof![
        2 => (1..9u64).prop_map(TestStep::Deposit),
        5 => kind.prop_map(TestStep::Post),
        2 => (1..8usize).prop_map(TestStep::Reorg),
        2 => prop::collection::btree_set(0..12_u64, 0..4).prop_map(TestStep::Keep),
        3 => any::<bool>().prop_map(|is_applied| TestStep::Read { is_applied }),
        3 => Just(TestStep::Follow),
    ];
    prop::collection::vec(step, 1..30)
}

async fn run(steps: Vec<TestStep>, kept: usize) {
    let mut l1 = TestL1::new();
    let mut node = l1.chain(HistoryLimits { blocks_max: kept, items_max: 10_000 });
    for step in steps {
        match step {
            TestStep::Deposit(mint) => l1.deposit(mint),
            TestStep::Post(kind) => l1.post(kind).await,
            TestStep::Reorg(depth) => {
                let depth = depth.min(usize::try_from(l1.memory.number()).expect("small") - 1);
                l1.memory.reorg(depth);
                for _ in 0..depth {
                    l1.post(EntryKind::Calldata).await;
                }
            }
            TestStep::Keep(entries) => node.parts_mut().1.keep_states_after(entries),
            TestStep::Read { is_applied } => {
                node.advance().await.expect("nothing moves");
                if let Some(next) = node.next_entry().await.expect("nothing moves")
                    && is_applied
                {
                    node.apply(next).expect("the entry is the next one");
                }
            }
            TestStep::Follow => follow(&mut node).await.expect("nothing moves"),
        }
    }
    check(&l1, &mut node).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_history_equals_a_fresh_derivation(steps in steps(), kept in 0..40usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(steps, kept));
    }
}
