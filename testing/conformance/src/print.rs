//! Prints a report as a table, as JSON lines and as Markdown.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use crate::{Counts, Failure, Report, SuiteReport, TestKind, Unreadable, Verdict, fork};

/// Stands for the fork of tests that have none.
const NO_FORK: &str = "-";

/// The counts of a suite under a fork, as a line of JSON.
#[derive(Serialize)]
struct SuiteLine<'a> {
    suite: &'a str,
    fork: &'a str,
    passed: usize,
    failed: usize,
    expected: usize,
}

/// Writes a report as text: a row for each suite, a row for each kind and fork, then every failure.
pub fn write_table(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let suites = report.by_suite();
    let width = suites.keys().map(|(_, suite)| suite.len()).max().unwrap_or(0).max(26);
    header(out, "suite", width)?;
    for ((_, suite), counts) in &suites {
        row(out, suite, width, counts)?;
    }
    writeln!(out)?;
    header(out, "kind and fork", width)?;
    for ((kind, fork), counts) in report.by_fork() {
        row(out, &format!("{kind:<13}{fork}"), width, &counts)?;
    }
    row(out, "all", width, &report.total())?;
    for Failure { suite, file, test, fork, indexes, reason } in &report.failures {
        writeln!(out, "\nFAILED {suite}/{file}")?;
        writeln!(out, "  {}", [test, fork, indexes].map(String::as_str).join(" ").trim())?;
        writeln!(out, "  {reason}")?;
    }
    for Unreadable { suite, file, unreadable } in &report.unreadable {
        writeln!(out, "\nUNREADABLE {suite}/{file}\n  {unreadable}")?;
    }
    let verdict = match report.verdict() {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Unreadable if report.unreadable.is_empty() => "NOTHING RAN",
        Verdict::Unreadable => "NOT ALL COULD BE RUN",
    };
    writeln!(out, "\n{verdict} in {}", seconds(report.elapsed))
}

/// Writes a report as JSON, one object a line: first `{suite, fork, passed, failed, expected}` for
/// each suite and fork (`fork` is empty for tests that have none), then [`Failure`]s, then
/// [`Unreadable`] files.
pub fn write_json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for SuiteReport { suite, fork, counts, .. } in &report.suites {
        let Counts { passed, failed, expected, .. } = *counts;
        line(out, &SuiteLine { suite, fork, passed, failed, expected })?;
    }
    for failure in &report.failures {
        line(out, failure)?;
    }
    for unreadable in &report.unreadable {
        line(out, unreadable)?;
    }
    Ok(())
}

/// Writes a Markdown table of passed cases by fork and kind. Expected failures stand in brackets;
/// other failures are spelled out.
pub fn write_markdown(report: &Report, out: &mut impl Write) -> io::Result<()> {
    const KINDS: [TestKind; 4] =
        [TestKind::State, TestKind::Transaction, TestKind::Block, TestKind::Trie];
    writeln!(out, "| fork | state tests | transaction tests | blocks | trie tests |")?;
    writeln!(out, "|---|---:|---:|---:|---:|")?;
    let counts = report.by_fork();
    let mut forks: Vec<&str> = counts.iter().map(|((_, fork), _)| fork.as_str()).collect();
    forks.sort_by_key(|fork| fork::position(fork));
    forks.dedup();
    for fork in forks {
        let of = |kind| counts.iter().find(|((other, name), _)| *other == kind && name == fork);
        let cells = KINDS.map(|kind| of(kind).map_or(String::new(), |(_, counts)| cell(counts)));
        writeln!(out, "| {fork} | {} |", cells.join(" | "))?;
    }
    let totals = KINDS.map(|kind| {
        let mut total = Counts::default();
        let of_kind = counts.iter().filter(|((other, _), _)| *other == kind);
        of_kind.for_each(|(_, counts)| total.add(counts));
        cell(&total)
    });
    writeln!(out, "| all | {} |", totals.join(" | "))
}

fn cell(counts: &Counts) -> String {
    let Counts { passed, failed, expected, .. } = counts;
    let mut cell = passed.to_string();
    if *expected > 0 {
        cell.push_str(&format!(" ({expected})"));
    }
    if *failed > 0 {
        cell.push_str(&format!(", {failed} failed"));
    }
    cell
}

impl Report {
    /// Counts by suite, all forks together.
    fn by_suite(&self) -> BTreeMap<(TestKind, &str), Counts> {
        let mut suites: BTreeMap<_, Counts> = BTreeMap::new();
        for SuiteReport { kind, suite, counts, .. } in &self.suites {
            suites.entry((*kind, suite.as_str())).or_default().add(counts);
        }
        suites
    }

    /// Counts by kind and fork, all suites together; forks in historical order.
    fn by_fork(&self) -> Vec<((TestKind, String), Counts)> {
        let mut forks: BTreeMap<_, Counts> = BTreeMap::new();
        for SuiteReport { kind, fork, counts, .. } in &self.suites {
            let name = if fork.is_empty() { NO_FORK } else { fork };
            let key = (*kind, fork::position(name), name.to_owned());
            forks.entry(key).or_default().add(counts);
        }
        forks.into_iter().map(|((kind, _, fork), counts)| ((kind, fork), counts)).collect()
    }
}

fn header(out: &mut impl Write, title: &str, width: usize) -> io::Result<()> {
    writeln!(
        out,
        "{title:<width$}{:>9}{:>8}{:>15}{:>11}",
        "passed", "failed", "known to fail", "time"
    )
}

fn row(out: &mut impl Write, name: &str, width: usize, counts: &Counts) -> io::Result<()> {
    let Counts { passed, failed, expected, time } = counts;
    writeln!(out, "{name:<width$}{passed:>9}{failed:>8}{expected:>15}{:>11}", seconds(*time))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
