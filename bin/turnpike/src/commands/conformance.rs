//! `turnpike conformance`: runs public test suites on this node's executor and trie.

use std::{
    io::{self, Write as _},
    num::NonZero,
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use turnpike_conformance::{
    ConformanceError, PackOptions, Report, RunOptions, Verdict, run as run_suites, run_packed,
    write_json, write_markdown, write_table,
};

/// Arguments of `turnpike conformance`.
#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// A suite, a directory that holds suites, or a single file.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Run only tests whose `suite/file::test` contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Also execute state tests and blocks in parallel on so many threads, and state tests packed into blocks.
    #[arg(long, value_name = "COUNT")]
    pub(crate) workers: Option<NonZero<usize>>,
    /// Print JSON lines: one for each suite and fork, then one for each failure.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the counts by kind and fork as a Markdown table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}

/// Runs the suites one test at a time and, with workers, packed into blocks.
fn run_all(args: &ConformanceArgs) -> Result<Report, ConformanceError> {
    let (filter, workers) = (args.filter.clone(), args.workers);
    let options = RunOptions { filter: filter.clone(), workers, ..RunOptions::default() };
    let mut report = run_suites(&args.dir, &options)?;
    if let Some(workers) = workers {
        let options = PackOptions { suite: None, filter, every: NonZero::<u64>::MIN, workers };
        report.extend(run_packed(&args.dir, &options)?);
    }
    Ok(report)
}

/// Runs the suites and prints the results. The exit code is 0 if all tests pass, 1 if one fails, and 2 if no test was found or a
/// file could not be read.
pub(crate) fn run(args: ConformanceArgs) -> anyhow::Result<ExitCode> {
    let report = match run_all(&args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(Verdict::Unreadable as u8));
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        write_json(&report, &mut out)?;
    } else if args.markdown {
        write_markdown(&report, &mut out)?;
    } else {
        write_table(&report, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::from(report.verdict() as u8))
}
