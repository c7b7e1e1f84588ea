//! Compares the engine's outcome of a script with the reference executor's, block by block.

use std::{
    fmt,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    thread,
};

use alloy_primitives::{Address, B256, keccak256};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, DeferredHash, Engine, EngineBlock, EngineConfig,
    EngineCounters, Executed, Grain, HashPromise, Included, Mode, SliceReport,
};
use turnpike_protocol::Header;
use turnpike_state::{FlatState, MergedDiff, NodeState, StateDiff};

use crate::{
    random::{Tx, minimize},
    script::{Block, Chain, Script},
};

/// An engine with this many threads.
pub(crate) fn engine(workers: usize, grain: Grain) -> Engine {
    let workers = NonZeroUsize::new(workers).expect("not zero");
    Engine::new(EngineConfig { mode: Mode::default(), workers, grain })
}

/// An address without an account.
const MISSING_ACCOUNT: Address = Address::repeat_byte(0xe7);

/// The coverage of the scripts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) blocks: usize,
    pub(crate) included: usize,
    pub(crate) skipped: usize,
    pub(crate) in_lanes: usize,
    pub(crate) lanes: usize,
    pub(crate) conflicts: usize,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blocks, included, skipped, in_lanes, lanes, conflicts } = self;
        write!(
            f,
            "{blocks} blocks, {included} transactions, {skipped} skipped; {in_lanes} in {lanes} lanes, {conflicts} conflicts"
        )
    }
}

/// From this many blocks on, some must have run in lanes.
const BLOCKS_WITH_LANES_MIN: usize = 100;

impl Totals {
    /// Prints the totals and asserts that lanes and conflicts occurred.
    pub(crate) fn assert_coverage(&self) {
        eprintln!("{self}");
        let Self { blocks, included, in_lanes, conflicts, .. } = *self;
        let has_lanes = in_lanes > included / 10 && conflicts > 0;
        assert!(blocks < BLOCKS_WITH_LANES_MIN || has_lanes, "too little ran in lanes: {self}");
    }

    fn add(&mut self, reports: &[SliceReport]) {
        for report in reports {
            self.in_lanes += report.in_lanes;
            self.lanes += report.lanes.len();
            self.conflicts += report.conflicts;
        }
    }
}

/// Executes a script on the engine and compares. A failure contains the smallest script that still
/// fails.
pub(crate) fn check(script: &Script, workers: usize, totals: &mut Totals) -> Result<(), String> {
    let Err(first) = caught(|| run(script, &engine(workers, script.grain), totals)) else {
        return Ok(());
    };
    // The first panic was printed. Repetitions are not printed.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let rerun = |script: &Script| {
        caught(|| run(script, &engine(workers, script.grain), &mut Totals::default())).err()
    };
    let places = minimize(script.places(), |places| rerun(&script.with_places(places)).is_some());
    let least = script.with_places(&places);
    let failure = rerun(&least);
    set_hook(hook);
    let failure = failure.unwrap_or_else(|| "none, the failure is not deterministic".to_owned());
    Err(format!("{workers} workers: {first}\n\nMinimized: {failure}\n{least}"))
}

fn caught(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("no message")))
    })
}

/// Executes a script on an engine, compares it with the reference executor, and asserts that the
/// engine had nothing to recover from.
fn run(script: &Script, engine: &Engine, totals: &mut Totals) -> Result<(), String> {
    run_blocks(script, engine, totals)?;
    let in_shadow = script.blocks.iter().filter(|block| block.mode == Mode::Shadow).count();
    assert_nothing_recovered(&engine.counters(), in_shadow)
}

/// Executes a script on an engine and compares it with the reference executor.
pub(crate) fn run_blocks(
    script: &Script,
    engine: &Engine,
    totals: &mut Totals,
) -> Result<(), String> {
    let genesis = |chain: &Chain| NodeState::from_genesis(&chain.genesis.to_diff()).0;
    let mut states: Vec<_> = script.chains.iter().map(genesis).map(|s| (s.clone(), s)).collect();
    for (at, block) in script.blocks.iter().enumerate() {
        let spec = &script.chains[block.chain].spec;
        let (expected, got) = &mut states[block.chain];
        run_block(block, spec, engine, expected, got, totals)
            .map_err(|failure| format!("block {at}: {failure}"))?;
    }
    Ok(())
}

/// Faults that the engine recovered from: a panic, a failed lane, a mismatch in shadow mode.
fn assert_nothing_recovered(counters: &EngineCounters, in_shadow: usize) -> Result<(), String> {
    let EngineCounters { panics, lane_errors, shadowed, mismatches, .. } = *counters;
    let is_clean = panics == 0 && lane_errors == 0 && mismatches == 0;
    if is_clean && usize::try_from(shadowed) == Ok(in_shadow) {
        return Ok(());
    }
    Err(format!("{in_shadow} blocks in shadow mode: {counters:?}"))
}

fn run_block(
    block: &Block,
    spec: &turnpike_executor::ChainSpec,
    engine: &Engine,
    expected_state: &mut NodeState,
    state: &mut NodeState,
    totals: &mut Totals,
) -> Result<(), String> {
    let context = &block.context;
    let text = |error: &dyn fmt::Display| format!("failed: {error}");
    let mut reference =
        BlockExecutor::open(spec, context, expected_state.flat()).expect("known fork");
    engine.set_mode(block.mode);
    let (promise, context) = deferred(context);
    if let Some((promise, hash)) = promise {
        // Publish the hash at about the time when the block runs.
        thread::spawn(move || promise.keep(hash));
    }
    let mut ours = engine.open(spec, &context, state.flat()).map_err(|error| text(&error))?;
    for (at, slice) in block.slices.iter().enumerate() {
        slice.iter().for_each(|tx| reference.execute(tx.clone()).expect("full state"));
        ours.execute_slice(slice.clone()).map_err(|error| text(&error))?;
        let (expected, got) = (reference.gas_remaining(), ours.gas_remaining());
        if expected != got {
            return Err(format!("gas left after slice {at}: expected {expected}, got {got}"));
        }
        compare_accounts(block, at, spec, expected_state, &mut ours)
            .map_err(|failure| format!("after slice {at}: {failure}"))?;
    }
    let (expected, _) = reference.finish().expect("full state");
    let (got, reports) = ours.finish().map_err(|error| text(&error))?;
    totals.blocks += 1;
    totals.included += expected.transactions.len();
    totals.skipped += expected.skipped.len();
    totals.add(&reports);
    let overlays = got.overlays.clone();
    let diff = compare(expected, got)?;
    let expected = expected_state.apply(&diff);
    // No two overlays change the same key, so their order does not matter.
    let got = overlays.iter().rev().map(|overlay| state.apply(overlay)).last();
    let got = got.unwrap_or_else(|| state.roots());
    if expected == got { Ok(()) } else { Err(format!("roots: expected {expected:?}, got {got:?}")) }
}

/// The same block with a deferred parent hash. No block has the hash zero.
fn deferred(context: &BlockContext) -> (Option<(HashPromise, B256)>, BlockContext) {
    let parent = match context.hashes {
        BlockHashes::History { parent } if !parent.is_zero() => parent,
        _ => return (None, context.clone()),
    };
    let (promise, hash) = DeferredHash::promised();
    let header = Header { parent_hash: B256::ZERO, ..context.header.clone() };
    let hashes = BlockHashes::Deferred(hash);
    (Some((promise, parent)), BlockContext { header, hashes, ..context.clone() })
}

/// Compares accounts after slice `last` with what they would be if the block ended there.
fn compare_accounts(
    block: &Block,
    last: usize,
    spec: &turnpike_executor::ChainSpec,
    state: &NodeState,
    ours: &mut EngineBlock<'_, &FlatState, Tx>,
) -> Result<(), String> {
    let mut reference =
        BlockExecutor::open(spec, &block.context, state.flat()).expect("known fork");
    let so_far = block.slices[..=last].iter().flatten().cloned();
    reference.execute_all(so_far).expect("full state");
    let (mut executed, _) = reference.finish().expect("full state");
    let mut changed = MergedDiff::default();
    changed.push(executed.diff());
    let named = executed.diff().accounts.iter().map(|change| change.address);
    let named: Vec<Address> = named.chain([MISSING_ACCOUNT]).collect();
    for address in named.iter().copied().chain(state.flat().iter_accounts().map(|(at, _)| at)) {
        let expected = match changed.account(&address) {
            Some(change) => change.account,
            None => state.account(&address),
        };
        let got = ours.account(&address);
        if expected != got {
            return Err(format!("account {address}: expected {expected:?}, got {got:?}"));
        }
        let Some(hash) = got.map(|account| account.code_hash) else { continue };
        let code = ours.code(&hash).original_bytes();
        if keccak256(&code) != hash {
            return Err(format!("account {address}: code {code} does not have hash {hash}"));
        }
    }
    Ok(())
}

/// Compares transactions, skipped ones and changes. Returns the changes.
fn compare(mut expected: Executed<Tx>, mut got: Executed<Tx>) -> Result<StateDiff, String> {
    if expected.skipped != got.skipped {
        let places = |executed: &Executed<Tx>| -> Vec<_> {
            executed.skipped.iter().map(|s| (s.index, s.reason.to_string())).collect()
        };
        let (expected, got) = (places(&expected), places(&got));
        return Err(format!("skipped:\n expected {expected:?}\n got      {got:?}"));
    }
    for executed in [&mut expected, &mut got] {
        executed.diff().sort();
    }
    let diff = std::mem::take(expected.diff());
    let got_diff = std::mem::take(got.diff());
    let (count, last) = (got.transactions.len(), got.transactions.last().cloned());
    let borrowed: Vec<Included<Tx>> = got.transactions.iter().cloned().collect();
    let expected: Vec<_> = expected.transactions.into_iter().collect();
    let got: Vec<_> = got.transactions.into_iter().collect();
    if borrowed != got || count != got.len() || last.as_ref() != got.last() {
        return Err(
            "transactions differ between by value, by reference, length and last".to_owned()
        );
    }
    for (at, (expected, got)) in expected.iter().zip(&got).enumerate() {
        if expected != got {
            let hash = |included: &Included<Tx>| included.tx.id & 0xffff_ffff;
            let told = |included: &Included<Tx>| {
                let Included { sender, nonce, is_success, gas_used, logs, l1_fee, .. } = included;
                let id = hash(included);
                format!(
                    "{id}: {sender} {nonce} {is_success}, gas {gas_used}, L1 fee {l1_fee}, {logs:?}"
                )
            };
            let (expected, got) = (told(expected), told(got));
            return Err(format!("included {at}:\n expected {expected}\n got      {got}"));
        }
    }
    if expected.len() != got.len() {
        return Err(format!("included: expected {}, got {}", expected.len(), got.len()));
    }
    compare_diffs(&diff, &got_diff)?;
    Ok(diff)
}

fn compare_diffs(expected: &StateDiff, got: &StateDiff) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    for (expected, got) in expected.accounts.iter().zip(&got.accounts) {
        if expected != got {
            return Err(format!("account:\n expected {expected:?}\n got      {got:?}"));
        }
    }
    let lengths = |diff: &StateDiff| (diff.accounts.len(), diff.codes.len());
    let (expected, got) = (lengths(expected), lengths(got));
    Err(format!("accounts and codes that change: expected {expected:?}, got {got:?}"))
}
