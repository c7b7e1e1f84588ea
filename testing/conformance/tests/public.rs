//! Runs the public suites, one trial each. `$TURNPIKE_TEST_DATA` holds them; without it the test is
//! ignored, and a notice says so.

use std::{
    env, fs,
    num::NonZero,
    path::{Path, PathBuf},
};

use libtest_mimic::{Arguments, Failed, Trial};
use turnpike_conformance::{RealBlock, RunOptions, Verdict, run, suites, write_table};
use turnpike_executor::{BlockContext, BlockExecutor, BlockHashes, ChainSpec, SpecId};

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
    let mut trials: Vec<_> = suites.into_iter().map(|suite| trial(&root, suite)).collect();
    let blocks = root.join("mainnet-blocks");
    if blocks.is_dir() {
        let run = move || real_blocks_keep_ethereums_gas(&blocks);
        trials.push(Trial::test("real_blocks_keep_ethereums_gas_with_work", run));
    }
    trials
}

/// A transaction that verifies a proof of another rollup: block and position. Its modular arithmetic
/// is more work than its gas pays for.
const PROOF: (u64, usize) = (19_932_703, 142);

/// Work changes no transaction of mainnet's blocks but [`PROOF`].
fn real_blocks_keep_ethereums_gas(blocks: &Path) -> Result<(), Failed> {
    let (mut transactions, mut differences) = (0, Vec::new());
    for folder in fs::read_dir(blocks)? {
        let folder = folder?.path();
        let Ok(block) = RealBlock::load(&folder) else { continue };
        // Work is defined by the gas of this fork and later ones (EIP-2929).
        if block.fork < SpecId::BERLIN {
            continue;
        }
        let plain = ChainSpec::ethereum(block.chain_id, block.fork);
        let metered = ChainSpec { meters_work: true, ..plain.clone() };
        let [plain, metered] = [plain, metered].map(|spec| gas_of(&spec, &block));
        let (plain, metered) = (plain?, metered?);
        for (at, (plain, metered)) in plain.iter().zip(&metered).enumerate() {
            if (plain != metered) != ((block.header.number, at) == PROOF) {
                differences.push(format!(
                    "{}: transaction {at}: (success, gas) {plain:?}, with work {metered:?}",
                    folder.display()
                ));
            }
        }
        transactions += plain.len();
    }
    match (transactions, differences.is_empty()) {
        (0, _) => Err("no block was run".into()),
        (_, true) => Ok(()),
        (_, false) => Err(differences.join("\n").into()),
    }
}

/// Whether each transaction succeeds, and its gas.
fn gas_of(spec: &ChainSpec, block: &RealBlock) -> Result<Vec<(bool, u64)>, Failed> {
    let context = BlockContext {
        header: block.header.clone(),
        hashes: BlockHashes::Given(block.hashes.clone()),
        l1_fee: None,
        backlog: None,
    };
    let mut executor = BlockExecutor::open(spec, &context, block.state.flat())?;
    executor.execute_all(block.transactions.iter().cloned())?;
    let (executed, _) = executor.finish()?;
    Ok(executed.transactions.iter().map(|tx| (tx.is_success, tx.gas_used)).collect())
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
