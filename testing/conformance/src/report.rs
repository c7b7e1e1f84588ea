//! Counts, failures and the verdict of a run.

use std::{fmt, time::Duration};

use serde::Serialize;

/// What a test checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TestKind {
    /// One transaction on a small state: state root and logs.
    State,
    /// Bytes of a transaction: whether it is valid, its hash, sender and intrinsic gas.
    Transaction,
    /// Entries of a trie: its root.
    Trie,
    /// A real block: gas used, logs bloom and receipts root.
    Block,
    /// Many state tests in one block: the engine's outcome equals the reference executor's.
    Packed,
}

impl fmt::Display for TestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::State => "state",
            Self::Transaction => "transaction",
            Self::Trie => "trie",
            Self::Block => "block",
            Self::Packed => "packed",
        })
    }
}

/// Number of cases by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases with the outcome that the suite demands.
    pub passed: usize,
    /// Cases with another outcome; and expected failures that passed or failed for another reason.
    pub failed: usize,
    /// Cases that failed as the list of expected failures says.
    pub expected: usize,
    /// Time on one thread.
    pub time: Duration,
}

impl Counts {
    /// Adds another count to this one.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.expected += other.expected;
        self.time += other.time;
    }
}

/// The counts of one suite under one fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteReport {
    /// What its tests check.
    pub kind: TestKind,
    /// Name of the suite: its folder, starting with the one that holds suites.
    pub suite: String,
    /// Name of the fork, as the suite writes it; empty if the tests have none.
    pub fork: String,
    /// The counts.
    pub counts: Counts,
}

/// A failed case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Name of the suite.
    pub suite: String,
    /// Path of the file below the suite.
    pub file: String,
    /// Name of the test in the file.
    pub test: String,
    /// Name of the fork; empty if the test has none.
    pub fork: String,
    /// Variant of the test (`d0g1v2`: data, gas limit, value); empty if there is only one.
    pub indexes: String,
    /// Expected and actual outcome.
    pub reason: String,
}

/// A file that could not be run because its format is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Name of the suite.
    pub suite: String,
    /// Path of the file below the suite.
    pub file: String,
    /// What is wrong with it.
    pub unreadable: String,
}

/// The outcome of a run, in the order of suites and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Counts by suite and fork.
    pub suites: Vec<SuiteReport>,
    /// Failed cases.
    pub failures: Vec<Failure>,
    /// Files that could not be run.
    pub unreadable: Vec<Unreadable>,
    /// Duration of the run.
    pub elapsed: Duration,
}

/// How a run ended, with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every case passed or failed as expected.
    Passed = 0,
    /// A case failed.
    Failed = 1,
    /// There was nothing to run, or a file could not be read.
    Unreadable = 2,
}

impl Report {
    /// How the run ended. A failure takes precedence over an unreadable file.
    pub fn verdict(&self) -> Verdict {
        if !self.failures.is_empty() {
            Verdict::Failed
        } else if !self.unreadable.is_empty() || self.suites.is_empty() {
            Verdict::Unreadable
        } else {
            Verdict::Passed
        }
    }

    /// Adds the report of another run, with other kinds of tests.
    pub fn extend(&mut self, other: Self) {
        let Self { suites, failures, unreadable, elapsed } = other;
        self.suites.extend(suites);
        self.failures.extend(failures);
        self.unreadable.extend(unreadable);
        self.elapsed += elapsed;
    }

    /// Counts of all suites.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for suite in &self.suites {
            total.add(&suite.counts);
        }
        total
    }
}
