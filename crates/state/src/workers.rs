//! Runs tasks on the calling thread or on a thread pool.

#[cfg(feature = "std")]
use rayon::{
    ThreadPool,
    iter::{
        IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator,
        ParallelIterator,
    },
};

use alloc::vec::Vec;

/// Runs independent tasks on the calling thread or on a pool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Workers<'a> {
    #[cfg(feature = "std")]
    pool: Option<&'a ThreadPool>,
    #[cfg(not(feature = "std"))]
    pool: core::marker::PhantomData<&'a ()>,
}

impl<'a> Workers<'a> {
    /// Runs tasks on the threads of a pool.
    #[cfg(feature = "std")]
    pub(crate) fn pool(pool: &'a ThreadPool) -> Self {
        Self { pool: (pool.current_num_threads() > 1).then_some(pool) }
    }

    /// The number of tasks that can run at a time.
    pub(crate) fn count(&self) -> usize {
        #[cfg(feature = "std")]
        return self.pool.map_or(1, ThreadPool::current_num_threads);
        #[cfg(not(feature = "std"))]
        1
    }

    /// Calls `work` on each task.
    pub(crate) fn run<T: Send>(&self, tasks: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
        #[cfg(feature = "std")]
        if let Some(pool) = self.pool
            && tasks.len() > 1
        {
            return pool.install(|| tasks.par_iter_mut().with_max_len(1).for_each(work));
        }
        tasks.iter_mut().for_each(work);
    }

    /// Applies `work` to each item and its index. Returns the results in order. One task takes at
    /// least `each` items, if there are that many.
    pub(crate) fn map<T: Sync, R: Send>(
        &self,
        items: &[T],
        each: usize,
        work: impl Fn(usize, &T) -> R + Send + Sync,
    ) -> Vec<R> {
        #[cfg(feature = "std")]
        if let Some(pool) = self.pool
            && items.len() > each
        {
            let tasks = items.par_iter().enumerate().with_min_len(each);
            return pool.install(|| tasks.map(|(at, item)| work(at, item)).collect());
        }
        #[cfg(not(feature = "std"))]
        let _ = each;
        items.iter().enumerate().map(|(at, item)| work(at, item)).collect()
    }
}
