use std::{fmt, time::Duration};

use serde::Serialize;

/// What a suite tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One transaction on a small state: state root and logs.
    State,
    /// Bytes of a transaction: whether it is valid, its hash, sender and intrinsic gas.
    Transaction,
    /// Entries of a trie: its root.
    Trie,
    /// A real block: gas used, logs bloom and receipts root.
    Block,
    /// Many state tests in one block: the oracle's outcome.
    Packed,
}

impl fmt::Display for Kind {
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

/// How many cases came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As the suite says.
    pub passed: usize,
    /// Otherwise, and not listed as failing; or listed, and yet as the suite says.
    pub failed: usize,
    /// Otherwise, and listed with a reason.
    pub expected: usize,
    /// Time that one thread took.
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
    /// What it tests.
    pub kind: Kind,
    /// Name of the suite: its directory, from the one that is known to hold suites.
    pub suite: String,
    /// Name of the fork, as the suite writes it; empty where forks make no difference.
    pub fork: String,
    /// The counts.
    pub counts: Counts,
}

/// A case that did not come out as it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Name of the suite.
    pub suite: String,
    /// Path of the file below the suite.
    pub file: String,
    /// Name of the test in the file.
    pub test: String,
    /// Name of the fork; empty where forks make no difference.
    pub fork: String,
    /// Which variant of the test (`d0g1v2`: data, gas limit, value); empty if there is but one.
    pub indexes: String,
    /// What was expected and what came out.
    pub reason: String,
}

/// A file that says nothing, because it cannot be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Name of the suite.
    pub suite: String,
    /// Path of the file below the suite.
    pub file: String,
    /// What is wrong with it.
    pub unreadable: String,
}

/// What came out of a run, in the order of suites and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Counts by suite and fork.
    pub suites: Vec<SuiteReport>,
    /// Cases that did not come out as they must.
    pub failures: Vec<Failure>,
    /// Files that could not be run.
    pub unreadable: Vec<Unreadable>,
    /// Time from beginning to end.
    pub elapsed: Duration,
}

/// How a run ended, and the exit code that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every case came out as it must.
    Passed = 0,
    /// Some case did not.
    Failed = 1,
    /// There was nothing to run, or not all of it could be read.
    Unreadable = 2,
}

impl Report {
    /// How the run ended. A failure weighs more than a file that could not be read.
    pub fn verdict(&self) -> Verdict {
        if !self.failures.is_empty() {
            Verdict::Failed
        } else if !self.unreadable.is_empty() || self.suites.is_empty() {
            Verdict::Unreadable
        } else {
            Verdict::Passed
        }
    }

    /// Adds another run's report, of other kinds of tests, to this one.
    pub fn extend(&mut self, other: Self) {
        let Self { suites, failures, unreadable, elapsed } = other;
        self.suites.extend(suites);
        self.failures.extend(failures);
        self.unreadable.extend(unreadable);
        self.elapsed += elapsed;
    }

    /// Counts of everything.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for suite in &self.suites {
            total.add(&suite.counts);
        }
        total
    }
}
