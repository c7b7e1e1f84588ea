//! `turnpike bench derive`: derivation of token transfers from an L1 in memory, with signers
//! recovered one by one, in SIMD lanes, and in SIMD lanes one entry ahead of execution.

use std::{sync::OnceLock, time::Duration};

use alloy_primitives::B256;
use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::task::block_in_place;
use turnpike_derivation::{DerivedChain, FollowedBlock, Follower, RecoveredEntry};
use turnpike_executor::EngineConfig;
use turnpike_l1::{
    EntrySource, L1View, PostedEntry,
    memory::{L1Event, MemoryL1},
};
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, Derived, Effort, Genesis, SignedTx, StateRootPrefix, TxEnvelope,
};

use crate::{
    clock::{Clock, Time},
    workload::proven::token_transfers,
};

/// Further accounts in the state.
const ACCOUNTS: usize = 1_000;

/// Blocks of each entry.
const ENTRY_BLOCKS: usize = 4;

/// Arguments of `turnpike bench derive`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DeriveBenchArgs {
    /// Transactions, all of them ERC-20 transfers of different senders.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub transactions: usize,
    /// Transactions of each inbox entry.
    #[arg(long, value_name = "COUNT", default_value_t = 800)]
    pub per_entry: usize,
    /// Timed rounds of each way. The median is reported.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub rounds: usize,
}

impl Default for DeriveBenchArgs {
    fn default() -> Self {
        Self { transactions: 20_000, per_entry: 800, rounds: 5 }
    }
}

/// How entries are derived and executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Batches are decoded; nothing is recovered or executed.
    Decode,
    /// Signers are recovered one by one with libsecp256k1.
    Scalar,
    /// Signers of an entry are recovered in SIMD lanes.
    Lanes,
    /// The same, one entry ahead of execution.
    Ahead,
    /// Signers are known; blocks are only executed.
    Execute,
}

const WAYS: [(Way, &str); 5] = [
    (Way::Scalar, "scalar"),
    (Way::Lanes, "lanes"),
    (Way::Ahead, "lanes, one entry ahead"),
    (Way::Decode, "of it: decode"),
    (Way::Execute, "of it: execute, roots"),
];

/// A chain on an L1 in memory.
#[derive(Debug)]
struct Posted {
    genesis: Genesis,
    l1: MemoryL1,
    transactions: usize,
    /// Hash of the last block, once it is derived.
    head: OnceLock<B256>,
}

/// Measures derivation. All ways must derive the same chain and execute every transaction.
pub async fn derive(args: &DeriveBenchArgs) -> anyhow::Result<()> {
    ensure!(args.rounds > 0 && args.per_entry > 0, "nothing to measure");
    let posted = Posted::new(args).await?;
    let mut times = vec![Vec::new(); WAYS.len()];
    for _ in 0..args.rounds {
        for (times, (way, _)) in times.iter_mut().zip(WAYS) {
            times.push(posted.run(way).await?);
        }
    }
    let times: Vec<_> = times.iter().map(|times| Time::median(times)).collect();
    println!(
        "{} ERC-20 transfers, {} an entry, median of {}",
        posted.transactions, args.per_entry, args.rounds
    );
    println!(
        "{:<24}{:>10}{:>12}{:>8}{:>12}{:>8}",
        "way", "us/tx", "tx/s", "ratio", "tx/s/core", "ratio"
    );
    for ((_, name), time) in WAYS.iter().zip(&times) {
        let count = posted.transactions as f64;
        let rate = |time: Duration| count / time.as_secs_f64();
        let ratio = |part: fn(&Time) -> Duration| rate(part(time)) / rate(part(&times[0]));
        let (wall, cpu) = (|time: &Time| time.wall, |time: &Time| time.cpu);
        println!(
            "{name:<24}{:>10.2}{:>12.0}{:>8.2}{:>12.0}{:>8.2}",
            1e6 / rate(time.wall),
            rate(time.wall),
            ratio(wall),
            rate(time.cpu),
            ratio(cpu),
        );
    }
    Ok(())
}

impl Posted {
    async fn new(args: &DeriveBenchArgs) -> anyhow::Result<Self> {
        let block = token_transfers(args.transactions, ACCOUNTS)?;
        let follower = Follower::new(&block.genesis, EngineConfig::default());
        let l1 = MemoryL1::new(&block.genesis, &follower.head().output);
        let mut view = L1View::new(l1.clone(), 0, follower.head().output);
        let time = view.advance().await?.head.time;
        let transactions = block.transactions.len();
        for transactions in block.transactions.chunks(args.per_entry) {
            let data = batch(&block.genesis, time, transactions)?;
            l1.mine(&[L1Event::Calldata { data: data.into(), deposits: 0, origin: 0 }]);
        }
        Ok(Self { genesis: block.genesis, l1, transactions, head: OnceLock::new() })
    }

    async fn view(&self, follower: &Follower) -> anyhow::Result<L1View<MemoryL1>> {
        let mut view = L1View::new(self.l1.clone(), 0, follower.head().output);
        view.advance().await?;
        Ok(view)
    }

    async fn run(&self, way: Way) -> anyhow::Result<Time> {
        if way == Way::Ahead {
            return self.run_ahead().await;
        }
        let mut follower = Follower::new(&self.genesis, EngineConfig::default());
        let view = self.view(&follower).await?;
        let mut decoded = follower.derivation().clone();
        let mut total = Time::default();
        for posted in &view.entries()[1..] {
            let clock = Clock::start();
            let source = view.source(posted.entry.index).await?.context("the entry is on L1")?;
            if way == Way::Decode {
                block_in_place(|| decoded.derive(posted, &source))?;
                total += clock.stop();
                continue;
            }
            let recovered = block_in_place(|| recover(way, &follower, posted, &source))?;
            let clock = if way == Way::Execute { Clock::start() } else { clock };
            let mut skipped = 0;
            let show = |block: FollowedBlock<'_>| skipped += block.outcome.skipped.len();
            block_in_place(|| follower.apply_recovered(recovered, show).map(drop))?;
            total += clock.stop();
            ensure!(skipped == 0, "{skipped} transactions are skipped");
        }
        if way != Way::Decode {
            self.check(&follower)?;
        }
        Ok(total)
    }

    async fn run_ahead(&self) -> anyhow::Result<Time> {
        let follower = Follower::new(&self.genesis, EngineConfig::default());
        let mut node = DerivedChain::new(self.view(&follower).await?, follower);
        let clock = Clock::start();
        while let Some(next) = node.next_entry().await? {
            block_in_place(|| node.apply(next))?;
        }
        let time = clock.stop();
        self.check(node.follower())?;
        Ok(time)
    }

    /// All ways must derive the same chain.
    fn check(&self, follower: &Follower) -> anyhow::Result<()> {
        let entries = follower.derivation().entries();
        ensure!(entries.iter().all(|entry| entry.fault.is_none()), "a batch is invalid");
        let head = follower.head().hash();
        ensure!(*self.head.get_or_init(|| head) == head, "another chain was derived");
        Ok(())
    }
}

/// An entry's blocks with their signers.
fn recover(
    way: Way,
    follower: &Follower,
    posted: &PostedEntry,
    source: &EntrySource,
) -> anyhow::Result<RecoveredEntry> {
    let derivation = follower.derivation();
    if way != Way::Scalar {
        return Ok(derivation.recover(posted, &source.as_data())?);
    }
    let Derived { blocks, claimed_state_roots, fault, .. } = derivation.preview(source)?;
    let blocks = blocks.into_iter().map(|block| block.map_transactions(SignedTx::recover));
    let (posted, parent, blocks) = (*posted, derivation.head(), blocks.collect());
    Ok(RecoveredEntry { posted, parent, blocks, claimed_state_roots, fault })
}

/// A batch of these transactions in blocks of equal size.
fn batch(
    genesis: &Genesis,
    reference_time: u64,
    transactions: &[TxEnvelope],
) -> anyhow::Result<Vec<u8>> {
    let blocks = transactions.chunks(transactions.len().div_ceil(ENTRY_BLOCKS));
    let block = |transactions: &[TxEnvelope]| BatchBlock {
        step_ms: 100,
        deposit_count: 0,
        state_root: Some(StateRootPrefix::ZERO),
        transactions: transactions.to_vec(),
    };
    let head = BatchHead { first_deposit: 0, reference_time };
    let batch = Batch { head, blocks: blocks.map(block).collect(), ..Batch::default() };
    Ok(batch.encode(genesis.config.batch_limits(), Effort::Fast)?)
}
