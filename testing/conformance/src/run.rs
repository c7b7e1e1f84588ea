//! Finds the tests below a folder and runs them on several threads.

use std::{
    any::Any,
    collections::BTreeMap,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use turnpike_executor::Engine;

use crate::{
    ConformanceError, Report, block_test,
    case::Case,
    error::FormatError,
    execute,
    report::{Counts, Failure, SuiteReport, TestKind, Unreadable},
    state_test,
    suite::{SuiteItem, discover},
    tally::Tally,
    test_file::{kind_of, tests_of},
    transaction_test, trie_test,
};

/// Which tests to run, and how.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Run only this suite.
    pub suite: Option<String>,
    /// Run only tests whose `suite/file::test` contains this.
    pub filter: Option<String>,
    /// Files that run at the same time; by default one for each core.
    pub threads: Option<NonZero<usize>>,
    /// Also run state tests and blocks on the parallel engine with this many threads, and compare.
    pub workers: Option<NonZero<usize>>,
    /// Run only blocks.
    pub blocks_only: bool,
}

/// Runs every test at or below `root`. Failures are part of the report; an error means that there
/// is nothing to run or that a folder cannot be read.
pub fn run(root: &Path, options: &RunOptions) -> Result<Report, ConformanceError> {
    let start = Instant::now();
    let mut items = discover(root)?;
    if let Some(suite) = &options.suite {
        items.retain(|item| item.suite == *suite);
    }
    if options.blocks_only {
        items.retain(|item| item.is_block);
    }
    let threads =
        options.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let done = in_parallel(&items, threads, |item| run_item(item, options));
    let mut report = collect(&items, done);
    report.elapsed = start.elapsed();
    Ok(report)
}

/// Names of the suites at or below `root`, in order.
pub fn suites(root: &Path) -> Result<Vec<String>, ConformanceError> {
    let mut names: Vec<String> = discover(root)?.into_iter().map(|item| item.suite).collect();
    names.dedup();
    Ok(names)
}

/// Directories of a suite's blocks at or below `root`, in order.
pub fn blocks(root: &Path, suite: &str) -> Result<Vec<PathBuf>, ConformanceError> {
    let blocks = discover(root)?.into_iter().filter(|item| item.is_block && item.suite == suite);
    Ok(blocks.map(|item| item.path).collect())
}

/// Result of one item.
#[derive(Debug)]
pub(crate) struct ItemResult {
    pub(crate) counts: BTreeMap<(TestKind, String), Counts>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) unreadable: Option<String>,
}

/// Runs `work` on every item, the largest first. Results come back in the order of the items.
fn in_parallel<T: Send>(
    items: &[SuiteItem],
    threads: usize,
    work: impl Fn(&SuiteItem) -> T + Sync,
) -> Vec<T> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(items[*index].bytes));
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*index, work(&items[*index])));
        }
        done
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, items.len().max(1))).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("invariant: catch_panic holds panics back"))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs one item. A panic fails the test that it happened in, not the run.
fn run_item(item: &SuiteItem, options: &RunOptions) -> ItemResult {
    let mut tally = Tally::new(item, options.filter.as_deref());
    let engine = options.workers.map(execute::engine);
    let result = if item.is_block {
        tally.kind(TestKind::Block);
        if tally.wants("") {
            catch_panic(&mut tally, &item.file, |tally| {
                block_test::run(engine.as_ref(), item, tally)
            })
        } else {
            Ok(())
        }
    } else {
        run_file(engine.as_ref(), item, &mut tally)
    };
    let unreadable = result.err().map(|error| error.to_string());
    ItemResult { counts: tally.counts, failures: tally.failures, unreadable }
}

fn run_file(
    engine: Option<&Engine>,
    item: &SuiteItem,
    tally: &mut Tally<'_>,
) -> Result<(), FormatError> {
    for (name, json) in &tests_of(item)? {
        if !tally.wants(name) {
            continue;
        }
        let (kind, before) = (kind_of(json)?, tally.cases());
        tally.kind(kind);
        catch_panic(tally, name, |tally| match kind {
            TestKind::State => state_test::run(engine, name, json, tally),
            TestKind::Transaction => transaction_test::run(name, json, tally),
            TestKind::Trie | TestKind::Block | TestKind::Packed => {
                trie_test::run(name, &item.file, json, tally)
            }
        })?;
        if tally.cases() == before {
            return Err(FormatError::Content(format!("{name} holds no case")));
        }
    }
    Ok(())
}

/// Runs one test and counts a panic as its failure.
pub(crate) fn catch_panic(
    tally: &mut Tally<'_>,
    test: &str,
    work: impl FnOnce(&mut Tally<'_>) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let start = Instant::now();
    match catch_unwind(AssertUnwindSafe(|| work(tally))) {
        Ok(result) => result,
        Err(panic) => {
            let case = Case { test, fork: "", indexes: "" };
            tally.case(case, Err(format!("panicked: {}", message(&*panic))), start.elapsed());
            Ok(())
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

pub(crate) fn collect(items: &[SuiteItem], done: Vec<ItemResult>) -> Report {
    let mut report = Report::default();
    let mut suites: BTreeMap<(TestKind, String, String), Counts> = BTreeMap::new();
    for (item, done) in items.iter().zip(done) {
        for ((kind, fork), counts) in done.counts {
            suites.entry((kind, item.suite.clone(), fork)).or_default().add(&counts);
        }
        report.failures.extend(done.failures);
        report.unreadable.extend(done.unreadable.map(|unreadable| Unreadable {
            suite: item.suite.clone(),
            file: item.file.clone(),
            unreadable,
        }));
    }
    report.suites = suites
        .into_iter()
        .map(|((kind, suite, fork), counts)| SuiteReport { kind, suite, fork, counts })
        .collect();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: usize) -> SuiteItem {
        let (suite, file) = ("suite".to_owned(), number.to_string());
        let bytes = u64::try_from(number % 3).expect("small");
        SuiteItem { suite, file, path: PathBuf::new(), is_block: false, bytes }
    }

    #[test]
    fn results_keep_the_order_of_items_on_any_number_of_threads() {
        let items: Vec<SuiteItem> = (0..20).map(item).collect();
        let files: Vec<String> = items.iter().map(|item| item.file.clone()).collect();
        for threads in [1, 2, 7, 50] {
            assert_eq!(in_parallel(&items, threads, |item| item.file.clone()), files);
        }
        assert_eq!(in_parallel(&[], 4, |_| ()), []);
    }

    #[test]
    fn panic_fails_the_test_it_happened_in() {
        let item = item(0);
        let mut tally = Tally::new(&item, None);
        catch_panic(&mut tally, "test", |_| panic!("oh {}", "no")).expect("no format error");
        assert_eq!(tally.failures.len(), 1);
        assert_eq!(tally.failures[0].test, "test");
        assert_eq!(tally.failures[0].reason, "panicked: oh no");
    }
}
