//! The threads of an engine.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::work_queue::WorkQueue;

/// The threads of an engine: the calling thread and a pool.
pub(crate) struct Workers {
    count: usize,
    /// Created on first use. `None` with a single worker, or if threads cannot be created.
    pool: OnceLock<Option<ThreadPool>>,
}

/// A worker panicked, so the job is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

impl Workers {
    pub(crate) const fn new(count: usize) -> Self {
        Self { count, pool: OnceLock::new() }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Does every part of a job and returns the results in order. Idle workers take the next part,
    /// so put the longest part first. `make` creates the resources of a worker when it takes its
    /// first part.
    pub(crate) fn map<W, R: Send + Sync>(
        &self,
        parts: usize,
        make: impl Fn() -> W + Sync,
        work: impl Fn(&mut W, usize) -> R + Sync,
    ) -> Result<Vec<R>, Panicked> {
        let results: Vec<OnceLock<R>> = (0..parts).map(|_| OnceLock::new()).collect();
        let queue = WorkQueue::new(parts);
        let worker = || {
            let mut state = None;
            while let Some(part) = queue.take() {
                let result = work(state.get_or_insert_with(&make), part);
                assert!(results[part].set(result).is_ok(), "invariant: a part is taken once");
            }
        };
        let helpers = self.count.min(parts).saturating_sub(1);
        catch_unwind(AssertUnwindSafe(|| match self.pool() {
            Some(pool) if helpers > 0 => pool.in_place_scope(|scope| {
                (0..helpers).for_each(|_| scope.spawn(|_| worker()));
                worker();
            }),
            _ => worker(),
        }))
        .map_err(|_| Panicked)?;
        let done =
            |result: OnceLock<R>| result.into_inner().expect("invariant: every part has a result");
        Ok(results.into_iter().map(done).collect())
    }

    pub(crate) fn pool(&self) -> Option<&ThreadPool> {
        let make = || {
            let builder = ThreadPoolBuilder::new().num_threads(self.count);
            let builder = builder.thread_name(|index| format!("worker-{index}"));
            (self.count > 1).then(|| builder.build().ok()).flatten()
        };
        self.pool.get_or_init(make).as_ref()
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workers").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_part_is_done_once_with_any_worker_count() {
        for count in [1, 2, 3, 8] {
            let workers = Workers::new(count);
            for parts in [0, 1, 7, 1_000] {
                let done = AtomicUsize::new(0);
                let results = workers.map(
                    parts,
                    || (),
                    |(), part| {
                        done.fetch_add(1, Ordering::Relaxed);
                        part * 2
                    },
                );
                assert_eq!(results, Ok((0..parts).map(|part| part * 2).collect()));
                assert_eq!(done.into_inner(), parts);
            }
        }
    }

    #[test]
    fn workers_survive_a_panic_and_report_it() {
        let workers = Workers::new(2);
        let one_panics = |_: &mut (), part: usize| assert_ne!(part, 3, "this panic is meant");
        assert_eq!(workers.map(10, || (), one_panics), Err(Panicked));
        assert_eq!(workers.map(2, || (), |(), part| part), Ok(vec![0, 1]));
    }
}
