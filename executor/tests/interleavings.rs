//! Model-checks the engine's lock-free structures with loom. It explores every order of the
//! threads' steps and every value that the memory model allows.
//!
//! The tests compile the engine's own files, which find loom's atomics in `super::sync`. In
//! [`torn`] they find atomics that change in two steps, so the same checks have to fail.
#![allow(clippy::duplicate_mod, reason = "the same files over other atomics")]

#[path = "../src/parallel/disjoint_sets.rs"]
mod disjoint_sets;
#[path = "../src/parallel/work_queue.rs"]
mod work_queue;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
}

#[path = "."]
mod torn {
    #[path = "../src/parallel/disjoint_sets.rs"]
    pub(super) mod disjoint_sets;
    #[path = "../src/parallel/work_queue.rs"]
    pub(super) mod work_queue;

    mod sync {
        use loom::sync::atomic;

        pub(super) use loom::sync::atomic::Ordering;

        #[derive(Debug)]
        pub(super) struct AtomicU32(atomic::AtomicU32);

        impl AtomicU32 {
            pub(super) fn new(value: u32) -> Self {
                Self(atomic::AtomicU32::new(value))
            }

            pub(super) fn load(&self, order: Ordering) -> u32 {
                self.0.load(order)
            }

            pub(super) fn store(&self, value: u32, order: Ordering) {
                self.0.store(value, order);
            }

            pub(super) fn compare_exchange(
                &self,
                current: u32,
                new: u32,
                success: Ordering,
                failure: Ordering,
            ) -> Result<u32, u32> {
                let found = self.0.load(failure);
                if found != current {
                    return Err(found);
                }
                self.0.store(new, success);
                Ok(found)
            }
        }

        #[derive(Debug)]
        pub(super) struct AtomicUsize(atomic::AtomicUsize);

        impl AtomicUsize {
            pub(super) fn new(value: usize) -> Self {
                Self(atomic::AtomicUsize::new(value))
            }

            pub(super) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
                let found = self.0.load(order);
                self.0.store(found + value, order);
                found
            }
        }
    }
}

use std::sync::Arc;

use loom::{model, thread};

type Pair = (u32, u32);

/// Sets that threads join.
trait Sets: Send + Sync + 'static {
    fn new(len: u32) -> Self;
    fn root(&self, number: u32) -> u32;
    fn join(&self, one: u32, other: u32);
}

/// Numbers that threads take.
trait Numbers: Send + Sync + 'static {
    fn new(len: usize) -> Self;
    fn take(&self) -> Option<usize>;
}

macro_rules! implement {
    ($union:ty, $queue:ty) => {
        impl Sets for $union {
            fn new(len: u32) -> Self {
                Self::new(len)
            }

            fn root(&self, number: u32) -> u32 {
                self.root(number)
            }

            fn join(&self, one: u32, other: u32) {
                self.join(one, other);
            }
        }

        impl Numbers for $queue {
            fn new(len: usize) -> Self {
                Self::new(len)
            }

            fn take(&self) -> Option<usize> {
                self.take()
            }
        }
    };
}

implement!(disjoint_sets::DisjointSets, work_queue::WorkQueue);
implement!(torn::disjoint_sets::DisjointSets, torn::work_queue::WorkQueue);

/// Runs one thread per item, all to the end.
fn run_all<I: Send + 'static, R: 'static>(
    inputs: Vec<I>,
    work: impl Fn(I) -> R + Clone + Send + Sync + 'static,
) -> Vec<R> {
    let start = |input| {
        let work = work.clone();
        thread::spawn(move || work(input))
    };
    let threads: Vec<_> = inputs.into_iter().map(start).collect();
    threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
}

/// Lets each thread join its pairs and checks the roots.
fn check_joins<U: Sets, const THREADS: usize>(
    joins: [&'static [Pair]; THREADS],
    roots: &'static [u32],
) {
    model(move || {
        let count = u32::try_from(roots.len()).expect("fits 32 bits");
        let union = Arc::new(U::new(count));
        let shared = Arc::clone(&union);
        run_all(joins.to_vec(), move |pairs| {
            for (one, other) in pairs {
                shared.join(*one, *other);
                assert!(shared.root(*one) <= *one, "a root is larger than a member of its set");
            }
        });
        let found: Vec<u32> = (0..count).map(|number| union.root(number)).collect();
        assert_eq!(found, roots, "{joins:?}");
    });
}

/// Lets threads take all numbers.
fn check_takes<Q: Numbers>(takers: usize, parts: usize) {
    model(move || {
        let queue = Arc::new(Q::new(parts));
        let taken = run_all(vec![(); takers], move |()| {
            let mut own = Vec::new();
            while let Some(part) = queue.take() {
                own.push(part);
            }
            own
        });
        let mut taken = taken.concat();
        taken.sort_unstable();
        assert_eq!(taken, (0..parts).collect::<Vec<_>>());
    });
}

#[test]
fn concurrent_joins_of_the_same_roots_are_not_lost() {
    check_joins::<disjoint_sets::DisjointSets, _>([&[(0, 2)], &[(1, 2)]], &[0, 0, 0]);
    check_joins::<disjoint_sets::DisjointSets, _>([&[(1, 2)], &[(0, 1)]], &[0, 0, 0]);
    check_joins::<disjoint_sets::DisjointSets, _>([&[(0, 3)], &[(1, 3)], &[(2, 3)]], &[0, 0, 0, 0]);
}

#[test]
fn concurrent_joins_along_a_chain_meet() {
    check_joins::<disjoint_sets::DisjointSets, _>([&[(2, 3), (1, 2)], &[(0, 1)]], &[0, 0, 0, 0]);
    check_joins::<disjoint_sets::DisjointSets, _>(
        [&[(3, 4), (2, 3)], &[(0, 1), (1, 2)]],
        &[0, 0, 0, 0, 0],
    );
}

#[test]
fn sets_without_a_join_stay_apart() {
    check_joins::<disjoint_sets::DisjointSets, _>([&[(0, 2)], &[(1, 3)]], &[0, 1, 0, 1]);
}

#[test]
fn every_part_is_taken_exactly_once() {
    for (takers, parts) in [(2, 3), (3, 2), (3, 3)] {
        check_takes::<work_queue::WorkQueue>(takers, parts);
    }
}

#[test]
#[should_panic(expected = "[[(0, 2)], [(1, 2)]]")]
fn model_checker_finds_joins_lost_by_torn_updates() {
    check_joins::<torn::disjoint_sets::DisjointSets, _>([&[(0, 2)], &[(1, 2)]], &[0, 0, 0]);
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn model_checker_finds_parts_taken_twice_by_torn_updates() {
    check_takes::<torn::work_queue::WorkQueue>(2, 3);
}
