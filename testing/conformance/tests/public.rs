//! Runs the public suites, one trial each. `$TURNPIKE_TEST_DATA` holds them; without it the test is
//! ignored, and a notice says so.

use std::{
    env,
    num::NonZero,
    path::{Path, PathBuf},
};

use libtest_mimic::{Arguments, Failed, Trial};
use turnpike_conformance::{RunOptions, Verdict, run, suites, write_table};

const DATA_VARIABLE: &str = "TURNPIKE_TEST_DATA";

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    let Some(root) = env::var_os(DATA_VARIABLE).map(PathBuf::from).filter(|path| path.is_dir())
    else {
        eprintln!(
            "\n*** NOT RUN: Ethereum's public test suites. Set {DATA_VARIABLE} to a directory"
        );
        eprintln!(
            "*** that holds github.com/ethereum/tests or fixtures of execution-spec-tests.\n"
        );
        let run = || Err(Failed::from(format!("{DATA_VARIABLE} is not a directory")));
        return vec![Trial::test("public", run).with_ignored_flag(true)];
    };
    let suites = suites(&root).expect("the data can be read");
    suites.into_iter().map(|suite| trial(&root, suite)).collect()
}

fn trial(root: &Path, suite: String) -> Trial {
    let (name, root) = (suite.clone(), root.to_owned());
    Trial::test(name, move || check(&root, suite))
}

fn check(root: &Path, suite: String) -> Result<(), Failed> {
    let options = RunOptions {
        suite: Some(suite),
        threads: Some(NonZero::<usize>::MIN),
        ..RunOptions::default()
    };
    let report = run(root, &options)?;
    if report.verdict() == Verdict::Passed {
        return Ok(());
    }
    let mut text = Vec::new();
    write_table(&report, &mut text)?;
    Err(String::from_utf8(text)?.into())
}
