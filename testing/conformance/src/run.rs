use std::{
    any::Any,
    collections::BTreeMap,
    fs,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use serde_json::value::RawValue;
use turnpike_executor::Engine;

use crate::{
    ConformanceError, Report, block_test,
    error::FormatError,
    execute,
    report::{Counts, Failure, Kind, SuiteReport, Unreadable},
    state_test,
    suite::{Item, discover},
    tally::{Case, Tally},
    transaction_test, trie_test,
};

/// What to run and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Run only this suite.
    pub suite: Option<String>,
    /// Run only tests whose `suite/file::test` contains this.
    pub filter: Option<String>,
    /// Files that are run at a time; as many as the machine has cores if absent.
    pub threads: Option<NonZero<usize>>,
    /// Run state tests and blocks in lanes as well, on so many threads, and compare.
    pub workers: Option<NonZero<usize>>,
    /// Run only blocks.
    pub blocks_only: bool,
}

/// Runs everything at or below `root`. What fails is in the report; the only errors are that there is nothing to run.
pub fn run(root: &Path, options: &Options) -> Result<Report, ConformanceError> {
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

/// What came out of one item.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) counts: BTreeMap<(Kind, String), Counts>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) unreadable: Option<String>,
}

/// Runs `work` on every item, the longest first; what comes out is in the order of the items.
fn in_parallel<T: Send>(
    items: &[Item],
    threads: usize,
    work: impl Fn(&Item) -> T + Sync,
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
            .flat_map(|worker| worker.join().expect("invariant: work catches panics"))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs one item. A panic is a failure of the test that it happened in, not of the run.
fn run_item(item: &Item, options: &Options) -> Done {
    let mut tally = Tally::new(item, options.filter.as_deref());
    let engine = options.workers.map(execute::engine);
    let result = if item.is_block {
        tally.kind(Kind::Block);
        if tally.wants("") {
            caught(&mut tally, &item.file, |tally| block_test::run(engine.as_ref(), item, tally))
        } else {
            Ok(())
        }
    } else {
        run_file(engine.as_ref(), item, &mut tally)
    };
    let unreadable = result.err().map(|error| error.to_string());
    Done { counts: tally.counts, failures: tally.failures, unreadable }
}

/// The tests of a file, by name.
pub(crate) fn tests_of(item: &Item) -> Result<BTreeMap<String, Box<RawValue>>, FormatError> {
    let tests: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&fs::read(&item.path)?)?;
    if tests.is_empty() {
        return Err(FormatError::Content("holds no test".to_owned()));
    }
    Ok(tests)
}

fn run_file(
    engine: Option<&Engine>,
    item: &Item,
    tally: &mut Tally<'_>,
) -> Result<(), FormatError> {
    for (name, json) in &tests_of(item)? {
        if !tally.wants(name) {
            continue;
        }
        let (kind, before) = (kind_of(json)?, tally.cases());
        tally.kind(kind);
        caught(tally, name, |tally| match kind {
            Kind::State => state_test::run(engine, name, json, tally),
            Kind::Transaction => transaction_test::run(name, json, tally),
            Kind::Trie | Kind::Block | Kind::Packed => {
                trie_test::run(name, &item.file, json, tally)
            }
        })?;
        if tally.cases() == before {
            return Err(FormatError::Content(format!("{name} holds no case")));
        }
    }
    Ok(())
}

/// Tells the kind of a test by its shape.
pub(crate) fn kind_of(json: &RawValue) -> Result<Kind, FormatError> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json.get())?;
    let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
    if has(&["env", "pre", "transaction", "post"]) {
        Ok(Kind::State)
    } else if has(&["txbytes", "result"]) {
        Ok(Kind::Transaction)
    } else if has(&["in"]) {
        Ok(Kind::Trie)
    } else {
        Err(FormatError::Content("neither a state, a transaction nor a trie test".to_owned()))
    }
}

pub(crate) fn caught(
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

pub(crate) fn collect(items: &[Item], done: Vec<Done>) -> Report {
    let mut report = Report::default();
    let mut suites: BTreeMap<(Kind, String, String), Counts> = BTreeMap::new();
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

    fn item(number: usize) -> Item {
        let (suite, file) = ("suite".to_owned(), number.to_string());
        let bytes = u64::try_from(number % 3).expect("small");
        Item { suite, file, path: PathBuf::new(), is_block: false, bytes }
    }

    #[test]
    fn order_does_not_depend_on_threads() {
        let items: Vec<Item> = (0..20).map(item).collect();
        let files: Vec<String> = items.iter().map(|item| item.file.clone()).collect();
        for threads in [1, 2, 7, 50] {
            assert_eq!(in_parallel(&items, threads, |item| item.file.clone()), files);
        }
        assert_eq!(in_parallel(&[], 4, |_| ()), []);
    }

    #[test]
    fn panic_is_a_failure_of_its_test() {
        let item = item(0);
        let mut tally = Tally::new(&item, None);
        caught(&mut tally, "test", |_| panic!("told {}", "so")).expect("is no format error");
        assert_eq!(tally.failures.len(), 1);
        assert_eq!(tally.failures[0].test, "test");
        assert_eq!(tally.failures[0].reason, "panicked: told so");
    }
}
