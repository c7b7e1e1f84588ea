//! Compares the parallel engine with the reference executor on chains of random blocks: included
//! and skipped transactions, reasons, changes and roots are equal.
//!
//! Each case is its seed: `TURNPIKE_SEED=<hex>` runs that one, `TURNPIKE_CASES=<n>` sets the number
//! of cases, `TURNPIKE_LONG=1` runs a hundred times as many. A failure is minimized to the
//! transactions that it needs.

mod compare;
mod log;
mod pipelined;
mod poisoned;
#[path = "../random/mod.rs"]
mod random;
mod reach;
mod script;

use turnpike_executor::Mode;

use compare::{Totals, check};
use random::{Rng, for_each_seed};
use script::{Family, Script};

const WORKERS: [usize; 4] = [1, 2, 3, 8];
/// Like [`WORKERS`], but a single thread, which needs no lanes, is rarer.
const DRAWN_WORKERS: [usize; 7] = [1, 2, 2, 3, 3, 8, 8];

/// Cases per family. A case has about three blocks.
const CASES: u64 = 700;
/// Cases per family that run with every number of workers.
const CASES_WITH_ALL_WORKERS: u64 = 60;
/// Cases per family that run in shadow mode.
const CASES_IN_SHADOW: u64 = 100;

/// Rotations of a seed, so that the tests use different cases.
const ALL_WORKERS_TURN: u32 = 17;
const SHADOW_TURN: u32 = 34;

fn check_any_workers(test: &str, family: Family) {
    let mut totals = Totals::default();
    for_each_seed(&format!("parallel {test}"), CASES, |seed| {
        let mut rng = Rng::new(seed);
        let workers = rng.pick(&DRAWN_WORKERS);
        check(&Script::random(&mut rng, family), workers, &mut totals)
    });
    totals.assert_coverage();
}

fn check_all_workers(test: &str, family: Family) {
    let mut totals = Totals::default();
    for_each_seed(&format!("parallel {test}"), CASES_WITH_ALL_WORKERS, |seed| {
        let script = Script::random(&mut Rng::new(seed.rotate_left(ALL_WORKERS_TURN)), family);
        WORKERS.into_iter().try_for_each(|workers| check(&script, workers, &mut totals))
    });
    totals.assert_coverage();
}

fn check_shadow(test: &str, family: Family) {
    let mut totals = Totals::default();
    for_each_seed(&format!("parallel {test}"), CASES_IN_SHADOW, |seed| {
        let mut rng = Rng::new(seed.rotate_left(SHADOW_TURN));
        let workers = rng.pick(&DRAWN_WORKERS);
        check(&Script::random(&mut rng, family).in_mode(Mode::Shadow), workers, &mut totals)
    });
    totals.assert_coverage();
}

#[test]
fn ethereum_blocks_equal_the_reference() {
    check_any_workers("ethereum_blocks_equal_the_reference", Family::Ethereum);
}

#[test]
fn turnpike_blocks_equal_the_reference() {
    check_any_workers("turnpike_blocks_equal_the_reference", Family::Turnpike);
}

#[test]
fn ethereum_blocks_are_equal_with_any_worker_count() {
    check_all_workers("ethereum_blocks_are_equal_with_any_worker_count", Family::Ethereum);
}

#[test]
fn turnpike_blocks_are_equal_with_any_worker_count() {
    check_all_workers("turnpike_blocks_are_equal_with_any_worker_count", Family::Turnpike);
}

#[test]
fn ethereum_shadow_blocks_equal_the_reference() {
    check_shadow("ethereum_shadow_blocks_equal_the_reference", Family::Ethereum);
}

#[test]
fn turnpike_shadow_blocks_equal_the_reference() {
    check_shadow("turnpike_shadow_blocks_equal_the_reference", Family::Turnpike);
}
