//! Who does the work: the calling thread, or a pool of threads.

#[cfg(feature = "std")]
use rayon::{
    ThreadPool,
    iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator},
};

/// Runs independent tasks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Workers<'a> {
    #[cfg(feature = "std")]
    pool: Option<&'a ThreadPool>,
    #[cfg(not(feature = "std"))]
    pool: core::marker::PhantomData<&'a ()>,
}

impl<'a> Workers<'a> {
    /// The threads of a pool.
    #[cfg(feature = "std")]
    pub(crate) fn pool(pool: &'a ThreadPool) -> Self {
        Self { pool: (pool.current_num_threads() > 1).then_some(pool) }
    }

    /// How many tasks can run at a time.
    pub(crate) fn count(&self) -> usize {
        #[cfg(feature = "std")]
        return self.pool.map_or(1, ThreadPool::current_num_threads);
        #[cfg(not(feature = "std"))]
        1
    }

    /// Does `work` on each task.
    pub(crate) fn run<T: Send>(&self, tasks: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
        #[cfg(feature = "std")]
        if let Some(pool) = self.pool
            && tasks.len() > 1
        {
            return pool.install(|| tasks.par_iter_mut().with_max_len(1).for_each(work));
        }
        tasks.iter_mut().for_each(work);
    }
}
