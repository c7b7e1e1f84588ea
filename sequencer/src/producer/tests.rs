//! Blocks and slices as the producer builds them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Signature, TxKind, U256};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, mpsc, oneshot},
};
use turnpike_executor::Chain;
use turnpike_protocol::{BLOCK_LOAD, ChainConfig, Genesis, GenesisAccount, Origin, SignedTx};

use super::{
    INTAKE_BYTES_MAX, JournalCommit, Producer, ProducerConfig, ProducerEvent, ProductionState,
    intake::IntakeBatch, open::OpenBlock,
};
use crate::{
    BacklogLimits, NodeHandles, Pool, PoolLimits, PooledTx, Refusal,
    admission::CheckedTx,
    builder::{BATCH_OVERHEAD_BYTES, BlockPlan, RESERVED_PART},
    slice::{PoolRemainder, SLICE_GAS_MAX, SLICE_TRANSACTIONS_MAX, SlicePace, pop_slice},
    submission::Submission,
};

const HOUR: Duration = Duration::from_secs(3_600);

const TRANSFER_GAS: u64 = 21_000;

/// A plain transfer with this much gas, between two accounts that no other transfer touches.
fn transfer(number: u64, gas_limit: u64) -> PooledTx {
    let account = |side: u64| Address::left_padding_from(&(number << 1 | side).to_be_bytes());
    let envelope = TxEip1559 {
        chain_id: Genesis::dev().config.chain_id,
        gas_limit,
        max_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(account(1)),
        value: U256::from(1),
        ..Default::default()
    };
    let signature = Signature::new(U256::from(1), U256::from(number + 1), false);
    let sender = account(0);
    let tx = SignedTx::new_unchecked(envelope.into_signed(signature).into(), sender);
    PooledTx { raw: tx.encoded().into(), tx, sender, arrival: number, received_ms: number }
}

/// A block that a test built.
struct Built {
    included: Vec<PooledTx>,
    gas_used: u64,
    bytes: usize,
    /// Transactions in each slice.
    slices: Vec<usize>,
}

/// Builds a block of `count` transfers that ask for this much gas, under changed limits.
fn build_from(count: u64, gas_limit: u64, rules: impl FnOnce(&mut ChainConfig)) -> (Built, Pool) {
    let mut genesis = Genesis::dev();
    rules(&mut genesis.config);
    let limits = PoolLimits { transactions_max: usize::MAX, ..PoolLimits::default() };
    let mut pool = Pool::new(limits);
    // Above the precompiles.
    for tx in (0..count).map(|number| transfer(number + 1_000_000, gas_limit)) {
        let balance = U256::from(10).pow(U256::from(18));
        genesis.alloc.insert(tx.sender, GenesisAccount { balance, ..Default::default() });
        pool.add(tx, 0, Instant::now()).expect("fits the pool");
    }
    let chain = Chain::from_genesis(&genesis);
    let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
    let plan = BlockPlan { time_ms: genesis.timestamp_ms(), origin, deposits: Vec::new() };
    let next = chain.next_block();
    let mut open = OpenBlock::new(&next, plan).expect("opens");
    let mut included = Vec::new();
    loop {
        let room = SlicePace::default().room();
        let (some, rest) = pop_slice(&mut pool, open.base_fee(), open.room(), room);
        included.extend(some.iter().cloned());
        assert!(open.run(some).expect("runs").is_empty(), "none is refused");
        if rest != PoolRemainder::More {
            break;
        }
    }
    let arrivals: Vec<u64> = included.iter().map(|tx| tx.arrival - 1_000_000).collect();
    assert_eq!(arrivals, (0..arrivals.len() as u64).collect::<Vec<_>>(), "in order");
    let taken = included.len() as u64;
    let next = pool.pop_ready(0).inspect(|tx| pool.put_back(tx.clone()));
    let first_left = next.map(|tx| tx.arrival - 1_000_000);
    assert_eq!(first_left, Some(taken).filter(|taken| *taken < count), "the others wait");
    let part = open.take_part(true);
    assert_eq!(part.part.transactions.len(), included.len());
    let gas_used = part.promises.iter().map(|promise| promise.transaction.receipt.gas_used).sum();
    let ended = open.finish().expect("ends");
    let slices = ended.slices.iter().map(|slice| slice.transactions).collect();
    (Built { included, gas_used, bytes: ended.bytes, slices }, pool)
}

#[test]
fn high_gas_limits_do_not_reserve_unused_gas() {
    let (block_gas, gas_limit) = (20_000_000, 1_000_000);
    let (built, pool) = build_from(1_000, gas_limit, |config| config.block_gas_limit = block_gas);
    assert!(!pool.is_empty());
    let (used, room) = (built.gas_used, block_gas - BLOCK_LOAD.gas);
    assert!(used <= room);
    assert!(used + gas_limit > room, "{used} gas used, another transaction would fit");
    assert!(built.included.len() as u64 > (room - gas_limit) / TRANSFER_GAS - 10);
}

#[test]
fn block_is_limited_by_gas_bytes_and_count() {
    let block_gas = 2_000_000;
    let (built, _) = build_from(200, TRANSFER_GAS, |config| config.block_gas_limit = block_gas);
    let room = block_gas - BLOCK_LOAD.gas;
    assert!((room - TRANSFER_GAS + 1..=room).contains(&built.gas_used));

    // The attributes transaction takes none of the backlog's room.
    let (built, _) = build_from(200, TRANSFER_GAS, |config| {
        config.gas_backlog_max = BLOCK_LOAD.gas + 7 * TRANSFER_GAS;
    });
    assert_eq!(built.included.len(), 7);

    let (built, _) = build_from(200, TRANSFER_GAS, |config| config.block_transactions_max = 7);
    assert_eq!(built.included.len(), 7);

    let bytes_max = (BATCH_OVERHEAD_BYTES + 1_000) * RESERVED_PART / (RESERVED_PART - 1);
    let (built, _) = build_from(200, TRANSFER_GAS, |config| {
        config.entry_inflated_bytes_max = bytes_max as u64;
    });
    let bytes = built.bytes;
    assert!((800..=1_000).contains(&bytes), "{bytes} bytes");
}

/// Derivation sees what a block holds, and nothing of what the sequencer refused.
#[test]
fn refused_transaction_does_not_count_in_its_block() {
    let (rich, poor) = (transfer(1_000_000, TRANSFER_GAS), transfer(1_000_001, TRANSFER_GAS));
    let mut genesis = Genesis::dev();
    let balance = U256::from(10).pow(U256::from(18));
    genesis.alloc.insert(rich.sender, GenesisAccount { balance, ..Default::default() });
    let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
    let block = |txs: Vec<PooledTx>| {
        let mut chain = Chain::from_genesis(&genesis);
        let plan = BlockPlan { time_ms: genesis.timestamp_ms(), origin, deposits: Vec::new() };
        let next = chain.next_block();
        let mut open = OpenBlock::new(&next, plan).expect("opens");
        let refused = open.run(txs).expect("runs").len();
        let ended = open.finish().expect("ends");
        drop(next);
        (refused, chain.seal(ended.executed, &origin).header)
    };
    let (refused, with) = block(vec![poor, rich.clone()]);
    let (none, without) = block(vec![rich]);
    assert_eq!((refused, none), (1, 0));
    assert_eq!(with, without);
}

#[test]
fn transactions_that_fit_share_a_slice() {
    let count = SLICE_TRANSACTIONS_MAX as u64 + 100;
    assert!(SLICE_TRANSACTIONS_MAX as u64 * TRANSFER_GAS <= SLICE_GAS_MAX);
    let (built, pool) = build_from(count, TRANSFER_GAS, |config| {
        config.entry_bytes_max = 10_000_000;
        config.entry_inflated_bytes_max = 20_000_000;
    });
    assert!(pool.is_empty());
    assert_eq!(built.slices, [1, SLICE_TRANSACTIONS_MAX, 100], "the deposit runs first");
}

/// A producer on the test's thread that knows nothing of L1.
struct Idle {
    producer: Producer,
    events: mpsc::Sender<ProducerEvent>,
    _commits: mpsc::Receiver<JournalCommit>,
    runtime: Runtime,
    _folder: TempDir,
}

fn idle() -> Idle {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("starts");
    let genesis = Genesis::dev();
    let (handles, _, received) = runtime.block_on(NodeHandles::of_new(folder.path(), &genesis));
    let (send_commits, commits) = mpsc::channel(16);
    let (blocks_to_seal, _) = mpsc::channel(1);
    let now = Instant::now();
    let events = handles.submissions.events.clone();
    let config = ProducerConfig {
        block_interval: HOUR,
        slice_interval: Duration::ZERO,
        heartbeat: HOUR,
        backlog: BacklogLimits::default(),
    };
    let producer = Producer {
        handles,
        production: Arc::new(Mutex::new(ProductionState::new())),
        config,
        runtime: runtime.handle().clone(),
        events: received,
        commits: send_commits,
        blocks_to_seal,
        hook: None,
        started_at: now,
        opened_at: now,
        sliced_at: now,
        pace: SlicePace::default(),
        has_more: true,
        stale: Vec::new(),
    };
    Idle { producer, events, _commits: commits, runtime, _folder: folder }
}

fn submission(txs: Vec<CheckedTx>, bytes: usize) -> Submission {
    let permits = u32::try_from(bytes).expect("few");
    let waits = Arc::new(Semaphore::new(bytes)).try_acquire_many_owned(permits);
    Submission {
        txs,
        received_ms: 0,
        reply: oneshot::channel().0,
        waits: waits.expect("there are enough"),
    }
}

#[test]
fn blocked_work_is_not_polled_in_a_loop() {
    let mut idle = idle();
    let producer = &mut idle.producer;
    assert!(producer.next_check() <= Instant::now());
    let control = producer.make_block(IntakeBatch::default(), true).expect("makes none");
    assert!(control.is_none());
    assert!(producer.next_check() > Instant::now());
}

#[test]
fn slice_bytes_are_bounded() {
    let mut idle = idle();
    let Idle { producer, events, runtime, .. } = &mut idle;
    let _entered = runtime.enter();
    for _ in 0..3 {
        let submission = submission(Vec::new(), INTAKE_BYTES_MAX / 2);
        events.blocking_send(ProducerEvent::Submission(submission)).expect("there is room");
    }
    let taken = |producer: &mut Producer| {
        producer.gather(Instant::now()).expect("goes on").submissions.len()
    };
    assert_eq!((taken(producer), taken(producer)), (2, 1));
}

#[test]
fn contract_created_in_open_block_cannot_send() {
    let mut idle = idle();
    let producer = &mut idle.producer;
    let mut genesis = Genesis::dev();
    let creator = Address::repeat_byte(0xcc);
    let balance = U256::from(10).pow(U256::from(18));
    genesis.alloc.insert(creator, GenesisAccount { balance, ..Default::default() });
    let sent_by = |sender: Address, to: TxKind| {
        let envelope = TxEip1559 {
            chain_id: genesis.config.chain_id,
            gas_limit: 100_000,
            max_fee_per_gas: 1_000_000_000,
            to,
            // Returns one byte of code.
            input: alloy_primitives::bytes!("600060005360016000f3"),
            ..Default::default()
        };
        let signature = Signature::new(U256::from(1), U256::from(1), false);
        let tx = SignedTx::new_unchecked(envelope.into_signed(signature).into(), sender);
        CheckedTx { raw: tx.encoded().into(), tx, sender }
    };
    let chain = Chain::from_genesis(&genesis);
    let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
    let plan = BlockPlan { time_ms: genesis.timestamp_ms(), origin, deposits: Vec::new() };
    let next = chain.next_block();
    let mut open = OpenBlock::new(&next, plan).expect("opens");
    let CheckedTx { tx, raw, sender } = sent_by(creator, TxKind::Create);
    let refused =
        open.run(vec![PooledTx { tx, raw, sender, arrival: 0, received_ms: 0 }]).expect("runs");
    assert!(refused.is_empty());

    let contract = creator.create(0);
    let submitted = sent_by(contract, TxKind::Call(creator));
    let mut intake = IntakeBatch::default();
    producer.take_in(vec![submission(vec![submitted], 0)], &mut open, &mut intake);
    let (answers, ..) = intake.into_outcomes(&producer.handles);
    let refusal = answers[0].results[0].as_ref().expect_err("is refused");
    assert!(matches!(refusal, Refusal::SenderIsContract { sender } if *sender == contract));
}

/// A contract that loops until it has no gas left.
const LOOPER: Address = Address::repeat_byte(0x1c);
const LOOPER_CODE: &[u8] = &[0x5b, 0x5f, 0x56];

#[test]
fn spam_of_one_sender_does_not_delay_others() {
    let mut idle = idle();
    let producer = &mut idle.producer;
    let mut genesis = Genesis::dev();
    let code = LOOPER_CODE.into();
    genesis.alloc.insert(LOOPER, GenesisAccount { code, ..Default::default() });
    let sent_by = |sender: Address, nonce: u64, gas_limit: u64, tip: u128| {
        let envelope = TxEip1559 {
            chain_id: genesis.config.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: 2_000_000_000,
            max_priority_fee_per_gas: tip,
            to: TxKind::Call(if gas_limit == TRANSFER_GAS { sender } else { LOOPER }),
            ..Default::default()
        };
        let signature = Signature::new(U256::from(1), U256::from(1), false);
        let tx = SignedTx::new_unchecked(envelope.into_signed(signature).into(), sender);
        CheckedTx { raw: tx.encoded().into(), tx, sender }
    };
    let [spammer, outbidding, poor] = [0xa1, 0xa2, 0xa3].map(Address::repeat_byte);
    let gas = genesis.config.transaction_gas_limit_max();
    let spam = (0..1_000).map(|nonce| sent_by(spammer, nonce, gas, 1)).collect();
    let late = vec![sent_by(poor, 0, TRANSFER_GAS, 0), sent_by(outbidding, 0, TRANSFER_GAS, 2)];
    for sender in [spammer, outbidding, poor] {
        let balance = U256::from(10).pow(U256::from(20));
        genesis.alloc.insert(sender, GenesisAccount { balance, ..Default::default() });
    }
    let chain = Chain::from_genesis(&genesis);
    let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
    let plan = BlockPlan { time_ms: genesis.timestamp_ms(), origin, deposits: Vec::new() };
    let next = chain.next_block();
    let mut open = OpenBlock::new(&next, plan).expect("opens");
    let mut slice = |submitted: Vec<CheckedTx>| {
        let mut intake = IntakeBatch::default();
        producer.take_in(vec![submission(submitted, 0)], &mut open, &mut intake);
        let (rest, _) = producer.run_slice(&mut open, &mut intake).expect("runs");
        assert_eq!(rest, PoolRemainder::More);
        let part = open.take_part(false).part;
        part.transactions.iter().map(|tx| tx.sender).collect::<Vec<_>>()
    };
    // Alone, the spammer gets all of a slice, which is as much gas as others may have to wait for.
    let fit = usize::try_from(SLICE_GAS_MAX / gas).expect("few");
    assert_eq!(slice(spam), vec![spammer; fit]);
    assert_eq!(slice(Vec::new()), vec![spammer; fit]);
    // Others run with the next slice: first who outbids the spammer, and who does not, after the
    // spammer's share.
    assert_eq!(slice(late), [outbidding, spammer, poor]);
    assert_eq!(slice(Vec::new()), vec![spammer; fit]);
}
