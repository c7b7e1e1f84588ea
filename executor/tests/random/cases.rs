//! Runs random cases from seeds, and minimizes failures.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use super::Rng;

/// A seed in hexadecimal. Only its case runs.
const SEED_VARIABLE: &str = "TURNPIKE_SEED";
/// Number of cases.
const CASES_VARIABLE: &str = "TURNPIKE_CASES";
/// If set, runs many more cases.
const LONG_VARIABLE: &str = "TURNPIKE_LONG";
const LONG_FACTOR: u64 = 100;

/// Set to 0 to report failures without minimizing them.
const MINIMIZE_VARIABLE: &str = "TURNPIKE_MINIMIZE";
/// Time limit for minimizing a failure.
const MINIMIZING_MAX: Duration = Duration::from_secs(30);

/// Number of cases: `default`, unless the environment sets another number.
pub(crate) fn case_count(default: u64) -> u64 {
    let given = env::var(CASES_VARIABLE).ok();
    let given = given.map(|count| count.parse().expect("TURNPIKE_CASES is a number"));
    let factor = if env::var_os(LONG_VARIABLE).is_some() { LONG_FACTOR } else { 1 };
    given.unwrap_or(default * factor)
}

/// Checks one case per seed, the same seeds each time. A failure names the seed and the cargo
/// arguments `test` that repeat it.
pub(crate) fn for_each_seed(
    test: &str,
    default: u64,
    mut check: impl FnMut(u64) -> Result<(), String>,
) {
    let seeds: Vec<u64> = match env::var(SEED_VARIABLE) {
        Ok(seed) => {
            let digits = seed.trim_start_matches("0x");
            vec![u64::from_str_radix(digits, 16).expect("TURNPIKE_SEED is hexadecimal")]
        }
        Err(_) => {
            let mut seeds = Rng::new(0);
            (0..case_count(default)).map(|_| seeds.next_u64()).collect()
        }
    };
    for seed in seeds {
        let repeat = format!(
            "{SEED_VARIABLE}={seed:016x} cargo test -p turnpike-executor --test {test} repeats it"
        );
        match catch_unwind(AssertUnwindSafe(|| check(seed))) {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => panic!("{failure}\n{repeat}"),
            Err(panic) => {
                eprintln!("{repeat}");
                resume_unwind(panic);
            }
        }
    }
}

/// Drops items that a failure does not need, within the time limit.
pub(crate) fn minimize<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if env::var(MINIMIZE_VARIABLE).is_ok_and(|wanted| wanted == "0") {
        return items;
    }
    let start = Instant::now();
    let mut size = items.len() / 2;
    while size > 0 && start.elapsed() < MINIMIZING_MAX {
        let (mut at, before) = (0, items.len());
        while at < items.len() && start.elapsed() < MINIMIZING_MAX {
            let mut fewer = items.clone();
            fewer.drain(at..items.len().min(at + size));
            if fails(&fewer) {
                items = fewer;
            } else {
                at += size;
            }
        }
        if size > 1 {
            size /= 2;
        } else if items.len() == before {
            break;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimize_keeps_only_what_the_failure_needs() {
        let needed = |items: &[u32]| items.contains(&17) && items.contains(&63);
        assert_eq!(minimize((0..100).collect(), needed), [17, 63]);
    }
}
