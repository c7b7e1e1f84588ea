//! Runs blocks and state tests on the parallel engine and compares it with the reference executor.
//! State tests are packed many to a block: one in [`PACKED_EVERY`], or all with `TURNPIKE_LONG=1`.
//!
//! `$TURNPIKE_TEST_DATA` holds the suites. Without it only the shipped vectors run, and a notice
//! says so.

use std::{
    env,
    num::NonZero,
    path::{Path, PathBuf},
};

use libtest_mimic::{Arguments, Failed, Trial};
use turnpike_conformance::{
    PackOptions, Report, RunOptions, Verdict, run, run_packed, suites, write_table,
};

const DATA_VARIABLE: &str = "TURNPIKE_TEST_DATA";
/// Set to pack every state test.
const LONG_VARIABLE: &str = "TURNPIKE_LONG";

const WORKERS: [usize; 4] = [1, 2, 3, 8];

/// One state test of this many is packed.
const PACKED_EVERY: u64 = 8;

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut trials = trials_of(&shipped, "shipped ", 1);
    match env::var_os(DATA_VARIABLE).map(PathBuf::from).filter(|path| path.is_dir()) {
        Some(root) => {
            let is_long = env::var_os(LONG_VARIABLE).is_some();
            trials.extend(trials_of(&root, "", if is_long { 1 } else { PACKED_EVERY }));
        }
        None => {
            eprintln!(
                "\n*** NOT RUN ON THE ENGINE: Ethereum's public test suites. Set {DATA_VARIABLE}"
            );
            eprintln!("*** to a directory that holds github.com/ethereum/tests.\n");
            let run = || Err(Failed::from(format!("{DATA_VARIABLE} is not a directory")));
            trials.push(Trial::test("public", run).with_ignored_flag(true));
        }
    }
    trials
}

/// Trials of the blocks and suites below `root`, with one state test of `every` packed.
fn trials_of(root: &Path, prefix: &str, every: u64) -> Vec<Trial> {
    let blocks = WORKERS.into_iter().map(|workers| {
        let root = root.to_owned();
        let check = move || check_blocks(&root, workers);
        Trial::test(format!("{prefix}blocks with {workers} workers"), check)
    });
    let is_state =
        |suite: &String| suite.starts_with("GeneralState") || suite.contains("state_tests");
    let suites = suites(root).expect("the data can be read").into_iter().filter(is_state);
    let packed = suites.zip(WORKERS.into_iter().cycle()).map(|(suite, workers)| {
        let (name, root) = (format!("{prefix}{suite} packed"), root.to_owned());
        Trial::test(name, move || check_packed(&root, suite, every, workers))
    });
    blocks.chain(packed).collect()
}

fn check_blocks(root: &Path, workers: usize) -> Result<(), Failed> {
    let options = RunOptions {
        workers: NonZero::new(workers),
        threads: NonZero::new(1),
        blocks_only: true,
        ..RunOptions::default()
    };
    judge(&run(root, &options)?)
}

fn check_packed(root: &Path, suite: String, every: u64, workers: usize) -> Result<(), Failed> {
    let report = run_packed(
        root,
        &PackOptions {
            suite: Some(suite),
            filter: None,
            every: NonZero::new(every).expect("not zero"),
            workers: NonZero::new(workers).expect("not zero"),
        },
    )?;
    // The sample may take no test of a small suite.
    if report.suites.is_empty() && report.unreadable.is_empty() { Ok(()) } else { judge(&report) }
}

fn judge(report: &Report) -> Result<(), Failed> {
    if report.verdict() == Verdict::Passed {
        return Ok(());
    }
    let mut text = Vec::new();
    write_table(report, &mut text)?;
    Err(String::from_utf8(text)?.into())
}
