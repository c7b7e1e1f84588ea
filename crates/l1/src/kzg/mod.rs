//! KZG of blobs on threads of its own: commitments, checks of served blobs, and sidecars.
//!
//! # Job
//!
//! One commitment takes tens of milliseconds, cell proofs several times as long. [`Kzg::run`] brings
//! the work to the pool and keeps async threads free. The blobs of one call are spread over the
//! pool's threads.
//!
//! # Invariants
//!
//! Results depend neither on the number of threads nor on precomputed tables.

mod combined;
mod commitments;
mod proofs;
mod tables;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::LazyLock,
    thread::available_parallelism,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

pub use commitments::BlobError;
pub use tables::ProofTables;

/// Maximum number of threads of the shared pool. One batch or L1 block has few blobs.
const THREADS_MAX: usize = 16;

/// KZG's threads.
pub struct Kzg {
    pool: ThreadPool,
}

impl fmt::Debug for Kzg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kzg").field("threads", &self.threads()).finish()
    }
}

impl Kzg {
    /// The pool that all roles of the process share, with one thread per processor and at most
    /// 16. The first call starts the threads.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Kzg> = LazyLock::new(|| {
            let processors = available_parallelism().map_or(1, Into::into);
            Kzg::with_threads(processors.min(THREADS_MAX))
        });
        &SHARED
    }

    /// A pool with this number of threads.
    ///
    /// # Panics
    ///
    /// If the operating system refuses a thread.
    pub fn with_threads(threads: usize) -> Self {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|index| format!("kzg-{index}"))
            .build()
            .expect("invariant: the system grants a few threads");
        Self { pool }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs work on the pool. Blocks no async thread. A panic of the work continues in the caller.
    pub async fn run<T: Send + 'static>(
        &'static self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = oneshot::channel();
        self.pool.spawn(move || {
            // The receiver is gone if the caller was cancelled.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(|| work(self))));
        });
        match receiver.await.expect("invariant: the work sends its result or its panic") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn work_runs_on_kzg_threads() {
        let name = Kzg::shared().run(|_| thread::current().name().map(str::to_owned)).await;
        assert!(name.is_some_and(|name| name.starts_with("kzg-")));
    }

    #[tokio::test]
    #[should_panic(expected = "the work fails")]
    async fn panic_continues_in_the_caller() {
        Kzg::shared().run(|_| panic!("the work fails")).await
    }
}
