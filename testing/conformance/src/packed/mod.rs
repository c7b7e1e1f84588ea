//! Packs many state tests into one block and compares the parallel engine with the reference
//! executor.
//!
//! No suite defines the outcome of such a block: the reference executor does. Tests with the same
//! environment share a block. [`relocate()`] moves each test to its own addresses, so that most of
//! a block is independent; short addresses, precompiles and the beneficiary stay shared, and
//! conflict.

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
    case::Case,
    error::FormatError,
    execute::{self, state_of},
    report::TestKind,
    run::{ItemResult, catch_panic, collect},
    state_test::{self, StateCase},
    suite::{SuiteItem, discover},
    tally::Tally,
    test_file::{kind_of, tests_of},
};
use relocate::relocate;

/// Most transactions of one block.
const BLOCK_TRANSACTIONS_MAX: usize = 200;

/// Which cases to pack, and on how many threads to run them.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// Pack only this suite.
    pub suite: Option<String>,
    /// Pack only tests whose `suite/file::test` contains this.
    pub filter: Option<String>,
    /// Pack one case of this many.
    pub every: NonZero<u64>,
    /// Threads of the engine.
    pub workers: NonZero<usize>,
}

/// What the cases of one block share: the fork's name, the chain id, and the hash of the header
/// without its gas limit.
type Environment = (String, u64, B256);

/// Packs the state tests at or below `root` into blocks, suite by suite, and runs each block on
/// both executors.
pub fn run_packed(root: &Path, options: &PackOptions) -> Result<Report, ConformanceError> {
    let start = Instant::now();
    let engine = execute::engine(options.workers);
    let mut suites: BTreeMap<String, Vec<SuiteItem>> = BTreeMap::new();
    let is_wanted = |item: &SuiteItem| {
        let suite = options.suite.as_ref();
        !item.is_block && suite.is_none_or(|suite| *suite == item.suite)
    };
    for item in discover(root)?.into_iter().filter(is_wanted) {
        suites.entry(item.suite.clone()).or_default().push(item);
    }
    let pack = |suite: &String| SuiteItem {
        suite: format!("{suite} packed"),
        file: String::new(),
        path: PathBuf::new(),
        is_block: true,
        bytes: 0,
    };
    let packs: Vec<SuiteItem> = suites.keys().map(pack).collect();
    let done = packs.iter().zip(suites.values());
    let done = done.map(|(pack, items)| run_suite(pack, items, options, &engine)).collect();
    let mut report = collect(&packs, done);
    report.elapsed = start.elapsed();
    Ok(report)
}

/// Packs and runs one suite.
fn run_suite(
    pack: &SuiteItem,
    items: &[SuiteItem],
    options: &PackOptions,
    engine: &Engine,
) -> ItemResult {
    let mut tally = Tally::new(pack, None);
    tally.kind(TestKind::Packed);
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
    ItemResult { counts: tally.counts, failures: tally.failures, unreadable }
}

/// Passes the selected cases of a file to `take`.
fn read_file(
    item: &SuiteItem,
    options: &PackOptions,
    take: &mut impl FnMut(StateCase),
) -> Result<(), FormatError> {
    let filter = Tally::new(item, options.filter.as_deref());
    for (name, json) in &tests_of(item)? {
        if !filter.wants(name) || kind_of(json)? != TestKind::State {
            continue;
        }
        for case in state_test::cases(name, json)? {
            // Some tests ask for more gas than a block has, and would run for long.
            let fits_a_block =
                case.transaction.sender().is_ok() && case.gas_limit() <= case.header.gas_limit;
            let hash = keccak256(format!("{}{}{}", case.test, case.fork_name, case.indexes));
            let [number, ..] = hash.0.as_chunks::<8>().0 else { unreachable!("32 bytes") };
            if fits_a_block && u64::from_be_bytes(*number) % options.every == 0 {
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

/// Runs a block of these cases on both executors, on the union of their pre-states.
fn run_block(cases: Vec<StateCase>, engine: &Engine, tally: &mut Tally<'_>) {
    let Some(first) = cases.first() else { return };
    let (test, fork_name, fork) = (first.test.clone(), first.fork_name.clone(), first.fork);
    let (chain_id, mut header) = (first.chain_id, first.header.clone());
    let indexes = format!("first of {}", cases.len());
    header.gas_limit = cases.iter().fold(0, |sum, case| sum.saturating_add(case.gas_limit()));
    let start = Instant::now();
    let result = catch_panic(tally, &test, |tally| {
        let mut accounts = BTreeMap::new();
        let mut transactions = Vec::with_capacity(cases.len());
        for (index, case) in (1..).zip(cases) {
            let (moved, transaction) = relocate(case, index);
            // The first case to name an address defines its account.
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
    result.expect("invariant: the closure returns no error");
}

/// A relocated transaction. It names its sender and has no signature.
#[derive(Clone, Debug)]
struct RelocatedTransaction {
    env: TxEnv,
    hash: B256,
}

impl BlockTransaction for RelocatedTransaction {
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
