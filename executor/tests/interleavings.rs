//! What the engine's workers share without a lock, in every order in which threads can take their steps and with every
//! value that the memory model lets them see (by loom).
//!
//! The files are those of the engine; here they find loom's atomics in `super::sync`.

#[path = "../src/parallel/queue.rs"]
mod queue;
#[path = "../src/parallel/union.rs"]
mod union;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
}

use std::sync::Arc;

use loom::{model, thread};

use queue::Queue;
use union::Union;

type Pair = (u32, u32);

/// Runs one thread for each of these, and all to the end.
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

/// Has threads join numbers, each its pairs, and asks for the roots.
fn check_joins<const THREADS: usize>(joins: [&'static [Pair]; THREADS], roots: &'static [u32]) {
    model(move || {
        let count = u32::try_from(roots.len()).expect("few");
        let union = Arc::new(Union::new(count));
        let shared = Arc::clone(&union);
        run_all(joins.to_vec(), move |pairs| {
            for (one, other) in pairs {
                shared.join(*one, *other);
                assert!(shared.root(*one) <= *one, "no parent is larger");
            }
        });
        let found: Vec<u32> = (0..count).map(|number| union.root(number)).collect();
        assert_eq!(found, roots, "{joins:?}");
    });
}

#[test]
fn joins_of_the_same_roots_are_not_lost() {
    check_joins([&[(0, 2)], &[(1, 2)]], &[0, 0, 0]);
    check_joins([&[(1, 2)], &[(0, 1)]], &[0, 0, 0]);
    check_joins([&[(0, 3)], &[(1, 3)], &[(2, 3)]], &[0, 0, 0, 0]);
}

#[test]
fn joins_along_a_chain_meet() {
    check_joins([&[(2, 3), (1, 2)], &[(0, 1)]], &[0, 0, 0, 0]);
    check_joins([&[(3, 4), (2, 3)], &[(0, 1), (1, 2)]], &[0, 0, 0, 0, 0]);
}

#[test]
fn sets_that_nobody_joins_stay_apart() {
    check_joins([&[(0, 2)], &[(1, 3)]], &[0, 1, 0, 1]);
}

#[test]
fn a_part_is_taken_once_and_none_is_lost() {
    for (takers, parts) in [(2, 3), (3, 2), (3, 3)] {
        model(move || {
            let queue = Arc::new(Queue::new(parts));
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
}
