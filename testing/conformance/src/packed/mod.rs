//! Many state tests in one block, in lanes and one after the other: what comes of both must be the same.
//!
//! No suite says what such a block comes to: the oracle does. Tests with the same environment go together. Each keeps
//! to addresses of its own, as far as its accounts can be moved, so that most of a block is independent; the rest, which
//! shares short addresses, precompiles and the beneficiary, is not.

mod relocate;

use std::{
    collections::BTreeMap,
    num::NonZero,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy_primitives::{Address, B256, keccak256};
use turnpike_executor::{BlockTransaction, Engine, PlainTransfer, SkipReason, TxEnv};
use turnpike_protocol::EcrecoverInput;

use crate::{
    ConformanceError, Report,
    error::FormatError,
    execute::{self, state_of},
    report::Kind,
    run::{Done, caught, collect, kind_of, tests_of},
    state_test::{self, StateCase},
    suite::{Item, discover},
    tally::{Case, Tally},
};
use relocate::relocate;

/// Transactions of one block, at most.
const BLOCK_TRANSACTIONS_MAX: usize = 200;

/// Which cases are packed, and what runs them.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// Only those of this suite.
    pub suite: Option<String>,
    /// Only those of tests whose `suite/file::test` contains this.
    pub filter: Option<String>,
    /// One case of so many.
    pub every: NonZero<u64>,
    /// Threads of the engine.
    pub workers: NonZero<usize>,
}

/// What cases must have in common to be in one block: the fork's name, the chain, and the header but for its gas limit.
type Environment = (String, u64, B256);

/// Packs the state tests at or below `root` into blocks, those of each suite for themselves, and runs each block both
/// ways.
pub fn run_packed(root: &Path, options: &PackOptions) -> Result<Report, ConformanceError> {
    let start = Instant::now();
    let engine = execute::engine(options.workers);
    let mut suites: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    let is_wanted = |item: &Item| {
        let suite = options.suite.as_ref();
        !item.is_block && suite.is_none_or(|suite| *suite == item.suite)
    };
    for item in discover(root)?.into_iter().filter(is_wanted) {
        suites.entry(item.suite.clone()).or_default().push(item);
    }
    let pack = |suite: &String| Item {
        suite: format!("{suite} packed"),
        file: String::new(),
        path: PathBuf::new(),
        is_block: true,
        bytes: 0,
    };
    let packs: Vec<Item> = suites.keys().map(pack).collect();
    let done = packs.iter().zip(suites.values());
    let done = done.map(|(pack, items)| run_suite(pack, items, options, &engine)).collect();
    let mut report = collect(&packs, done);
    report.elapsed = start.elapsed();
    Ok(report)
}

/// Runs what one suite fills blocks with.
fn run_suite(pack: &Item, items: &[Item], options: &PackOptions, engine: &Engine) -> Done {
    let mut tally = Tally::new(pack, None);
    tally.kind(Kind::Packed);
    let mut blocks: BTreeMap<Environment, Vec<StateCase>> = BTreeMap::new();
    let mut unreadable = None;
    for item in items {
        let result = read_file(item, options, &mut |case| {
            let block = blocks.entry(environment(&case)).or_default();
            block.push(case);
            if block.len() == BLOCK_TRANSACTIONS_MAX {
                run_block(std::mem::take(block), engine, &mut tally);
            }
        });
        unreadable = unreadable.or_else(|| Some(format!("{}: {}", item.file, result.err()?)));
    }
    blocks.into_values().for_each(|block| run_block(block, engine, &mut tally));
    Done { counts: tally.counts, failures: tally.failures, unreadable }
}

/// Hands out the cases of a file that are wanted.
fn read_file(
    item: &Item,
    options: &PackOptions,
    take: &mut impl FnMut(StateCase),
) -> Result<(), FormatError> {
    let filter = Tally::new(item, options.filter.as_deref());
    for (name, json) in &tests_of(item)? {
        if !filter.wants(name) || kind_of(json)? != Kind::State {
            continue;
        }
        for case in state_test::cases(name, json)? {
            // Some are about a transaction that no block would hold. What it may do with all that gas takes long.
            let is_sane =
                case.transaction.sender().is_ok() && case.gas_limit() <= case.header.gas_limit;
            let hash = keccak256(format!("{}{}{}", case.test, case.fork_name, case.indexes));
            let [number, ..] = hash.0.as_chunks::<8>().0 else { unreachable!("32 bytes") };
            if is_sane && u64::from_be_bytes(*number) % options.every == 0 {
                take(case);
            }
        }
    }
    Ok(())
}

fn environment(case: &StateCase) -> Environment {
    let header = alloy_consensus::Header { gas_limit: 0, ..case.header.clone() };
    (case.fork_name.clone(), case.chain_id, header.hash_slow())
}

/// Runs a block of these cases both ways, on all that they start from.
fn run_block(cases: Vec<StateCase>, engine: &Engine, tally: &mut Tally<'_>) {
    let Some(first) = cases.first() else { return };
    let (test, fork_name, fork) = (first.test.clone(), first.fork_name.clone(), first.fork);
    let (chain_id, mut header) = (first.chain_id, first.header.clone());
    let indexes = format!("first of {}", cases.len());
    header.gas_limit = cases.iter().fold(0, |sum, case| sum.saturating_add(case.gas_limit()));
    let start = Instant::now();
    let result = caught(tally, &test, |tally| {
        let mut accounts = BTreeMap::new();
        let mut transactions = Vec::with_capacity(cases.len());
        for (index, case) in (1..).zip(cases) {
            let (moved, transaction) = relocate(case, index);
            // Where two cases know an address, it is the first one's.
            moved.into_iter().for_each(|(address, account)| {
                accounts.entry(address).or_insert(account);
            });
            transactions.push(transaction);
        }
        let (mut state, hashes) = (state_of(accounts), execute::hashes_of_digits(header.number));
        let engine = Some(engine);
        let executed =
            execute::execute(engine, chain_id, fork, header, hashes, transactions, &mut state);
        let case = Case { test: &test, fork: &fork_name, indexes: &indexes };
        tally.case(case, executed.map(|_| ()), start.elapsed());
        Ok(())
    });
    result.expect("invariant: nothing is read here");
}

/// A transaction whose sender is as it is given, and not who signed it.
#[derive(Clone, Debug)]
struct Packed {
    env: TxEnv,
    hash: B256,
}

impl BlockTransaction for Packed {
    fn sender(&self) -> Result<Address, SkipReason> {
        Ok(self.env.caller)
    }

    fn tx_env(&self, _: Address, _: &mut impl FnMut(&EcrecoverInput) -> Option<Address>) -> TxEnv {
        self.env.clone()
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        Some((self.env.kind.into_to()?, &self.env.data))
    }

    fn access_list(&self) -> Option<&alloy_eips::eip2930::AccessList> {
        Some(&self.env.access_list)
    }

    fn gas_limit(&self) -> u64 {
        self.env.gas_limit
    }

    fn plain_transfer(&self) -> Option<PlainTransfer> {
        PlainTransfer::from_env(&self.env)
    }

    fn hash(&self) -> B256 {
        self.hash
    }

    fn mint(&self) -> Option<u128> {
        None
    }

    fn data_size(&self) -> u64 {
        0
    }
}
