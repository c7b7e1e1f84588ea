//! `turnpike bench adversary`: the time that the worst blocks take next to the work that they are
//! counted, and a verifier on one core that follows a chain which is always as full as its rules
//! allow.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Signature, TxKind, U256, address};
use anyhow::{Context as _, ensure};
use clap::Args;
use turnpike_executor::{Chain, Engine, EngineConfig};
use turnpike_protocol::{
    BLOCK_LOAD, BlockInput, Genesis, GenesisAccount, Load, Origin, SignedTx, backlog,
    next_open_backlog,
};
use turnpike_workloads::worst::{CONTRACT, INSTRUCTIONS, PRECOMPILES, WORST, Worst, WorstAccount};

use crate::clock::critical_path;

/// The sender of every transaction.
const SENDER: Address = address!("00000000000000000000000000000000000a77ac");

/// Gas limit of every transaction: the most that one may have.
const GAS_LIMIT: u64 = 1 << 24;

/// Runs of each kind. The fastest counts.
const RUNS: usize = 3;

/// Transactions of each measured block.
const TRANSACTIONS: u64 = 2;

/// Number of kinds that the followed chain repeats.
const KINDS: usize = 6;

/// Time between blocks of the followed chain.
const INTERVAL_MS: u64 = 100;

/// Seconds in which the followed chain repeats one kind.
const TURN_SECONDS: u64 = 5;

/// Arguments of `turnpike bench adversary`.
#[derive(Clone, Debug, Args)]
pub struct AdversaryArgs {
    /// Seconds of the followed chain.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds: u64,
    /// Only kinds whose name contains this.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub kind: String,
}

/// What a kind of block costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    kind: &'static Worst,
    used: Load,
    time: Duration,
}

impl Cost {
    /// Time for each unit of work.
    fn ratio(&self) -> f64 {
        self.time.as_nanos() as f64 / self.used.work as f64
    }
}

/// Measures the worst blocks, then follows a chain of the worst of them. Fails if a verifier on one
/// core falls behind.
pub fn adversary(args: &AdversaryArgs) -> anyhow::Result<()> {
    let kinds = WORST.iter().chain(INSTRUCTIONS).chain(PRECOMPILES);
    let kinds: Vec<_> = kinds.filter(|kind| kind.name.contains(&args.kind)).collect();
    ensure!(!kinds.is_empty(), "no kind has {} in its name", args.kind);
    println!(
        "{:<22}{:>12}{:>12}{:>12}{:>10}{:>10}{:>11}",
        "kind", "gas", "work us", "time us", "work/gas", "time/gas", "time/work"
    );
    let mut costs = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let cost = measure(kind).with_context(|| kind.name)?;
        let (gas, work) = (cost.used.gas as f64, cost.used.work as f64);
        let nanos = cost.time.as_nanos() as f64;
        println!(
            "{:<22}{:>12}{:>12.0}{:>12.0}{:>10.2}{:>10.2}{:>11.2}",
            kind.name,
            cost.used.gas,
            work / 1e3,
            nanos / 1e3,
            work / gas,
            nanos / gas,
            cost.ratio()
        );
        costs.push(cost);
    }
    costs.sort_by(|one, other| other.ratio().total_cmp(&one.ratio()));
    println!("\nmost time for its work: {} with {:.2}\n", costs[0].kind.name, costs[0].ratio());
    let worst: Vec<_> =
        costs.iter().map(|cost| cost.kind).filter(|kind| kind.is_endless()).collect();
    follow(&worst[..worst.len().min(KINDS)], args.seconds)
}

/// Executes a block of a kind on one core, roots and receipts included.
fn measure(kind: &'static Worst) -> anyhow::Result<Cost> {
    let mut fastest: Option<Cost> = None;
    for _ in 0..RUNS {
        let genesis = genesis(kind.accounts(TRANSACTIONS * GAS_LIMIT));
        let mut chain = chain(&genesis);
        let calls = (0..TRANSACTIONS).map(|nonce| (nonce, CONTRACT, kind));
        let input = input(&chain, genesis.timestamp_ms() + 1_000_000, calls);
        let (outcome, time) = critical_path(None, || chain.execute(&input));
        let used = backlog(&outcome?.header).minus(BLOCK_LOAD);
        if fastest.is_none_or(|fastest| time.cpu < fastest.time) {
            fastest = Some(Cost { kind, used, time: time.cpu });
        }
    }
    fastest.context("no run")
}

/// Executes a chain whose blocks are as full as the rules allow, and compares the time that one core
/// takes with that of the chain.
fn follow(kinds: &[&'static Worst], seconds: u64) -> anyhow::Result<()> {
    let mut accounts = BTreeMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        accounts.extend(kind.accounts(0));
        let contract = accounts.remove(&CONTRACT).context("a kind has a contract")?;
        accounts.insert(contract_of(at), contract);
    }
    let genesis = genesis(accounts);
    let config = genesis.config.clone();
    let mut chain = chain(&genesis);
    let per_block = config.block_gas_limit / GAS_LIMIT;
    let (mut behind, mut nonce, mut used) = (Behind::default(), 0, Load::default());
    let started = genesis.timestamp_ms() + 1_000_000;
    for at in 1..=seconds * 1_000 / INTERVAL_MS {
        let now_ms = at * INTERVAL_MS;
        let turn = usize::try_from(now_ms / 1_000 / TURN_SECONDS)? % kinds.len();
        let calls = (nonce..nonce + per_block).map(|nonce| (nonce, contract_of(turn), kinds[turn]));
        let input = input(&chain, started + now_ms, calls);
        let open = next_open_backlog(&config, &chain.head().header, started + now_ms);
        let (outcome, time) = critical_path(None, || chain.execute(&input));
        let outcome = outcome?;
        nonce += outcome.transactions.len() as u64;
        used = used.plus(backlog(&outcome.header).minus(open));
        behind.note(time.cpu);
    }
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    println!("{seconds} s of a chain that is always as full as it may be: {}", names.join(", "));
    println!(
        "gas {:.2} G/s, work {:.3} s/s, of one core {:.3} s/s; behind at most {:.1} s, {:.1} s at the end",
        used.gas as f64 / seconds as f64 / 1e9,
        used.work as f64 / seconds as f64 / 1e9,
        behind.time.as_secs_f64() / seconds as f64,
        behind.most,
        behind.now
    );
    let burst = config.work_backlog_max as f64 / 1e9;
    println!("the longest burst is {burst} s of work, at {} s/s", config.work_rate as f64 / 1e9);
    // It may be behind by what the burst takes, and must catch up from then on.
    ensure!(behind.most <= 1.25 * burst, "one core falls behind");
    Ok(())
}

/// How far a verifier is behind.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    /// Time that it took so far.
    time: Duration,
    /// Seconds that it is behind now.
    now: f64,
    /// Seconds that it was behind at most.
    most: f64,
}

impl Behind {
    /// Notes that a block took this long. The next one comes after an interval.
    fn note(&mut self, took: Duration) {
        self.time += took;
        self.now += took.as_secs_f64();
        self.most = self.most.max(self.now);
        self.now = (self.now - INTERVAL_MS as f64 / 1e3).max(0.0);
    }
}

/// A genesis with these accounts and a rich sender, whose transactions pay nothing for L1 data.
fn genesis(accounts: BTreeMap<Address, WorstAccount>) -> Genesis {
    let mut genesis = Genesis::dev();
    genesis.config.l1_base_fee_scalar = 0;
    genesis.config.l1_blob_base_fee_scalar = 0;
    let balance = U256::from(u128::MAX);
    genesis.alloc.insert(SENDER, GenesisAccount { balance, ..Default::default() });
    for (address, account) in accounts {
        let WorstAccount { balance, code, storage } = account;
        genesis.alloc.insert(address, GenesisAccount { nonce: 1, balance, code, storage });
    }
    genesis
}

/// A chain that executes on one thread.
fn chain(genesis: &Genesis) -> Chain {
    let mut chain = Chain::from_genesis(genesis);
    let workers = NonZeroUsize::MIN;
    chain.set_engine(Engine::new(EngineConfig { workers, ..EngineConfig::default() }));
    chain
}

fn contract_of(turn: usize) -> Address {
    Address::from_word(U256::from((1_u64 << 48) + turn as u64).into())
}

/// The next block, of these calls: nonce, contract and kind.
fn input(
    chain: &Chain,
    time_ms: u64,
    calls: impl Iterator<Item = (u64, Address, &'static Worst)>,
) -> BlockInput {
    let chain_id = chain.config().chain_id;
    let call = |(nonce, contract, kind): (u64, Address, &Worst)| {
        let tx = TxEip1559 {
            chain_id,
            nonce,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: 1_000_000_000_000,
            to: TxKind::Call(contract),
            input: kind.input(nonce * GAS_LIMIT),
            ..Default::default()
        };
        SignedTx::new_unchecked(tx.into_signed(Signature::test_signature()).into(), SENDER)
    };
    BlockInput {
        number: chain.head().header.number + 1,
        time_ms,
        origin: Origin { l1_time: time_ms / 1_000, ..Origin::default() },
        deposits: Vec::new(),
        transactions: calls.map(call).collect(),
    }
}
