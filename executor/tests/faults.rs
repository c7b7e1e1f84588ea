//! Under injected faults, blocks still equal those of the reference executor, and the faults are
//! counted and logged: lanes panic or fail, predictions are wrong, lanes have a wrong outcome in
//! shadow mode.
//!
//! `turnpike_executor::faults` injects one fault at a time.

#[path = "parallel/compare.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod compare;
#[path = "parallel/log.rs"]
mod log;
mod random;
#[path = "parallel/script.rs"]
mod script;

use std::{
    panic::{PanicHookInfo, set_hook, take_hook},
    sync::Once,
};

use turnpike_executor::{
    EngineCounters, Mode,
    faults::{Fault, inject},
};

use compare::{Totals, engine, run_blocks};
use log::{count_of, logged};
use random::Rng;
use script::{Family, Script};

const SCRIPTS: u64 = 40;
const WORKERS: usize = 3;

const PANICKED: &str = "ERROR worker panicked, executing the wave sequentially";
const IN_ORDER: &str = "DEBUG executing the wave sequentially";
const AGAIN: &str = "DEBUG lanes conflict, executing them again";
const MISMATCH: &str = "ERROR parallel outcome differs, keeping the reference outcome";

/// Suppresses the messages of deliberate panics.
fn suppress_deliberate_panics() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let tell = take_hook();
        set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            if !panic.payload_as_str().is_some_and(|text| text.contains("on purpose")) {
                tell(panic);
            }
        }));
    });
}

/// Executes random blocks of both families under a fault and compares them with those of the
/// reference executor. Returns counters and log lines per script.
fn run_with(fault: Fault, mode: Mode) -> Vec<(EngineCounters, Vec<String>)> {
    suppress_deliberate_panics();
    let run = |seed: u64| {
        let family = if seed.is_multiple_of(2) { Family::Ethereum } else { Family::Turnpike };
        let script = Script::random(&mut Rng::new(seed), family).in_mode(mode);
        let engine = engine(WORKERS, script.grain);
        let _injected = inject(fault);
        let (result, lines) = logged(|| run_blocks(&script, &engine, &mut Totals::default()));
        result.unwrap_or_else(|failure| panic!("{fault:?}, script {seed}: {failure}"));
        (engine.counters(), lines)
    };
    (0..SCRIPTS).map(run).collect()
}

/// Asserts that an event was counted as often as it was logged.
fn assert_counted_and_logged(
    runs: &[(EngineCounters, Vec<String>)],
    counter: fn(&EngineCounters) -> u64,
    beginning: &str,
) {
    for (counters, lines) in runs {
        assert_eq!(counter(counters), count_of(lines, beginning), "{counters:?}, {lines:#?}");
    }
    let scripts = runs.iter().filter(|(counters, _)| counter(counters) > 0).count();
    assert!(scripts > runs.len() / 2, "only {scripts} scripts show it");
}

/// Asserts that no wave of several transactions ran in lanes, because one lane of each fails.
fn assert_no_lanes(runs: &[(EngineCounters, Vec<String>)]) {
    assert!(runs.iter().all(|(counters, _)| counters.in_lanes == counters.lanes));
}

#[test]
fn lane_that_panics_once_runs_sequentially() {
    let runs = run_with(Fault::LanePanicsOnce, Mode::Parallel);
    assert_counted_and_logged(&runs, |counters| counters.panics, PANICKED);
    assert!(runs.iter().all(|(counters, _)| counters.panics <= 1));
    assert!(runs.iter().any(|(counters, _)| counters.panics == 1 && counters.in_lanes > 0));
}

#[test]
fn lanes_that_always_panic_run_sequentially() {
    let runs = run_with(Fault::LanePanics, Mode::Parallel);
    assert_counted_and_logged(&runs, |counters| counters.panics, PANICKED);
    assert!(runs.iter().any(|(counters, _)| counters.panics > 1));
    assert_no_lanes(&runs);
}

#[test]
fn failing_lanes_run_sequentially() {
    let runs = run_with(Fault::LaneFails, Mode::Parallel);
    let in_order = |counters: &EngineCounters| counters.lane_errors;
    assert_counted_and_logged(&runs, in_order, &format!("{IN_ORDER} reason=Error"));
    assert_no_lanes(&runs);
}

#[test]
fn panicking_prediction_makes_blocks_run_sequentially() {
    assert_counted_and_logged(
        &run_with(Fault::PredictPanics, Mode::Parallel),
        |c| c.panics,
        PANICKED,
    );
}

/// Asserts that conflicts were counted and logged, and that nothing else was wrong.
fn assert_conflicts(fault: Fault) {
    let runs = run_with(fault, Mode::Parallel);
    let mut conflicts = 0;
    for (counters, lines) in &runs {
        assert_eq!(counters.conflicts > 0, count_of(lines, AGAIN) > 0, "{counters:?}, {lines:#?}");
        assert_eq!((counters.panics, counters.lane_errors), (0, 0));
        let in_order = count_of(lines, &format!("{IN_ORDER} reason=Rounds"));
        assert_eq!(counters.out_of_rounds, in_order);
        conflicts += counters.conflicts;
    }
    assert!(conflicts > SCRIPTS, "only {conflicts} lanes ran again");
}

#[test]
fn blocks_predicted_to_touch_nothing_equal_the_reference() {
    assert_conflicts(Fault::PredictNothing);
}

#[test]
fn blocks_with_shuffled_predictions_equal_the_reference() {
    assert_conflicts(Fault::PredictShuffled);
}

#[test]
fn blocks_predicted_to_only_read_equal_the_reference() {
    assert_conflicts(Fault::PredictReads);
}

#[test]
fn shadow_mode_counts_mismatches_and_keeps_the_reference_outcome() {
    for fault in [Fault::FeesForgotten, Fault::SlotsUnchecked, Fault::OverlayForgotten] {
        let runs = run_with(fault, Mode::Shadow);
        for (counters, lines) in &runs {
            assert_eq!(counters.mismatches, count_of(lines, MISMATCH), "{fault:?}");
        }
        let mismatches: u64 = runs.iter().map(|(counters, _)| counters.mismatches).sum();
        assert!(mismatches > 0, "{fault:?} is never noticed");
    }
}

#[test]
fn shadow_mode_sees_no_mismatch_after_recovered_faults() {
    for fault in [Fault::LanePanics, Fault::LaneFails, Fault::PredictPanics, Fault::PredictReads] {
        for (counters, lines) in run_with(fault, Mode::Shadow) {
            assert!(counters.shadowed > 0);
            assert_eq!((counters.mismatches, count_of(&lines, MISMATCH)), (0, 0), "{fault:?}");
        }
    }
}
