//! The engine's outcome of a script, block by block, against the reference executor's.

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

/// An engine with so many threads, which it does not spare if its grain is fine.
pub(crate) fn engine(workers: usize, grain: Grain) -> Engine {
    let workers = NonZeroUsize::new(workers).expect("not zero");
    Engine::new(EngineConfig { mode: Mode::default(), workers, grain })
}

/// Has no account.
const NOBODY: Address = Address::repeat_byte(0xe7);

/// What running scripts came to.
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

/// Blocks from which on some must have run in lanes.
const BLOCKS_THAT_TELL: usize = 100;

impl Totals {
    /// Tells what was seen, which has to be something.
    pub(crate) fn conclude(&self) {
        eprintln!("{self}");
        let Self { blocks, included, in_lanes, conflicts, .. } = *self;
        let has_lanes = in_lanes > included / 10 && conflicts > 0;
        assert!(blocks < BLOCKS_THAT_TELL || has_lanes, "hardly anything ran in lanes: {self}");
    }

    fn add(&mut self, reports: &[SliceReport]) {
        for report in reports {
            self.in_lanes += report.in_lanes;
            self.lanes += report.lanes.len();
            self.conflicts += report.conflicts;
        }
    }
}

/// Runs a script on the engine and compares. A failure comes with the least script that shows it.
pub(crate) fn check(script: &Script, workers: usize, totals: &mut Totals) -> Result<(), String> {
    let Err(first) = caught(|| run(script, &engine(workers, script.grain), totals)) else {
        return Ok(());
    };
    // One panic was told, the others are not news.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let rerun = |script: &Script| {
        caught(|| run(script, &engine(workers, script.grain), &mut Totals::default())).err()
    };
    let places = minimize(script.places(), |places| rerun(&script.with_places(places)).is_some());
    let least = script.with_places(&places);
    let failure = rerun(&least);
    set_hook(hook);
    let failure = failure.unwrap_or_else(|| "nothing: it does not always fail".to_owned());
    Err(format!("{workers} workers: {first}\n\nWhat is left of it: {failure}\n{least}"))
}

fn caught(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("no message")))
    })
}

/// Runs a script on an engine, beside the reference executor, and sees that the engine did not only get over what went wrong.
fn run(script: &Script, engine: &Engine, totals: &mut Totals) -> Result<(), String> {
    run_blocks(script, engine, totals)?;
    let in_shadow = script.blocks.iter().filter(|block| block.mode == Mode::Shadow).count();
    judge(&engine.counters(), in_shadow)
}

/// Runs a script on an engine, beside the reference executor.
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

/// What an engine gets over is wrong nevertheless: a panic, a lane that cannot go on, another outcome in shadow mode.
fn judge(counters: &EngineCounters, in_shadow: usize) -> Result<(), String> {
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
    let text = |error: &dyn fmt::Display| format!("gave up: {error}");
    let mut reference =
        BlockExecutor::open(spec, context, expected_state.flat()).expect("known fork");
    engine.set_mode(block.mode);
    let (promise, context) = deferred(context);
    if let Some((promise, hash)) = promise {
        // At about the time at which the block runs.
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
    // No two parts change the same, so that any order will do.
    let got = overlays.iter().rev().map(|overlay| state.apply(overlay)).last();
    let got = got.unwrap_or_else(|| state.roots());
    if expected == got { Ok(()) } else { Err(format!("roots: expected {expected:?}, got {got:?}")) }
}

/// The same block, which gets to know its parent's hash only when the promise is kept. No block has the hash zero.
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

/// Compares accounts in the middle of a block, after slice `last`, with what would be there if the block ended.
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
    let named: Vec<Address> = named.chain([NOBODY]).collect();
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

/// Compares what a block holds, what it does not and what it changes, and returns the latter.
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
        return Err("transactions: by value, by reference, their number, the last".to_owned());
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
