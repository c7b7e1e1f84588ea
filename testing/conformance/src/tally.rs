//! Counts the cases of one suite item.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    case::Case,
    expected,
    report::{Counts, Failure, TestKind},
    suite::SuiteItem,
};

/// Counts passed and failed cases of one suite item, and records failures.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    item: &'a SuiteItem,
    filter: Option<&'a str>,
    /// By kind and fork.
    pub(crate) counts: BTreeMap<(TestKind, String), Counts>,
    pub(crate) failures: Vec<Failure>,
    kind: TestKind,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(item: &'a SuiteItem, filter: Option<&'a str>) -> Self {
        let counts = BTreeMap::new();
        Self { item, filter, counts, failures: Vec::new(), kind: TestKind::State }
    }

    /// Sets the kind of test that the next cases belong to.
    pub(crate) fn kind(&mut self, kind: TestKind) {
        self.kind = kind;
    }

    /// Whether the filter selects this test.
    pub(crate) fn wants(&self, test: &str) -> bool {
        let SuiteItem { suite, file, .. } = self.item;
        self.filter.is_none_or(|filter| format!("{suite}/{file}::{test}").contains(filter))
    }

    /// Number of cases counted so far.
    pub(crate) fn cases(&self) -> usize {
        let cases = |counts: &Counts| counts.passed + counts.failed + counts.expected;
        self.counts.values().map(cases).sum()
    }

    /// Counts a verdict. For a case on the list of expected failures, failing is right and passing
    /// is not.
    pub(crate) fn case(&mut self, case: Case<'_>, verdict: Result<(), String>, time: Duration) {
        let listed = expected::failure_of(&self.item.suite, &self.item.file, &case);
        let counts = self.counts.entry((self.kind, case.fork.to_owned())).or_default();
        counts.time += time;
        let reason = match (verdict, listed) {
            (Ok(()), None) => {
                counts.passed += 1;
                return;
            }
            (Err(failure), Some(listed)) if failure.contains(listed.failure) => {
                counts.expected += 1;
                return;
            }
            (Err(failure), None) => failure,
            (Err(failure), Some(listed)) => {
                format!("{failure}; expected to fail for another reason: {}", listed.text)
            }
            (Ok(()), Some(listed)) => format!("passes, but is expected to fail: {}", listed.text),
        };
        counts.failed += 1;
        self.failures.push(Failure {
            suite: self.item.suite.clone(),
            file: self.item.file.clone(),
            test: case.test.to_owned(),
            fork: case.fork.to_owned(),
            indexes: case.indexes.to_owned(),
            reason,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Counts and failures after this verdict on a case that must fail because a key is not 32
    /// bytes long.
    fn listed(verdict: Result<(), &str>) -> (Counts, Vec<String>) {
        let (suite, file) = ("TrieTests".to_owned(), "trieanyorder.json".to_owned());
        let item = SuiteItem { suite, file, path: PathBuf::new(), is_block: false, bytes: 0 };
        let mut tally = Tally::new(&item, None);
        let case = Case { test: "dogs", fork: "", indexes: "" };
        tally.case(case, verdict.map_err(str::to_owned), Duration::ZERO);
        let counts = tally.counts.into_values().next().expect("one count");
        (counts, tally.failures.into_iter().map(|failure| failure.reason).collect())
    }

    #[test]
    fn listed_case_with_the_listed_failure_is_expected() {
        let (counts, failures) = listed(Err("a key is not 32 bytes long"));
        assert_eq!(counts, Counts { expected: 1, ..Counts::default() });
        assert_eq!(failures, Vec::<String>::new());
    }

    #[test]
    fn listed_case_that_passes_is_a_failure() {
        let (counts, failures) = listed(Ok(()));
        assert_eq!(counts, Counts { failed: 1, ..Counts::default() });
        assert!(failures[0].starts_with("passes, but is expected to fail: "), "{failures:?}");
    }

    #[test]
    fn listed_case_with_another_failure_is_a_failure() {
        let (counts, failures) = listed(Err("root: expected 1, got 2"));
        assert_eq!(counts, Counts { failed: 1, ..Counts::default() });
        assert!(failures[0].contains("expected to fail for another reason"), "{failures:?}");
    }
}
