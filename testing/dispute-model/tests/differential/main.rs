//! The model and the contracts in lockstep: random calls, which both accept or both refuse, and the
//! same state after every one of them.
#![allow(unused_crate_dependencies)]

mod bindings;
mod evm;
mod mirror;
mod play;

use std::{collections::BTreeMap, panic};

use play::Play;

/// Plays, several times as many with `TURNPIKE_LONG=1`.
fn plays() -> u64 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 2_000 } else { 24 }
}

#[test]
fn contracts_agree_with_the_model() {
    let mut accepted = BTreeMap::new();
    for seed in 0..plays() {
        let played = panic::catch_unwind(|| Play::new(seed).run());
        for (call, count) in played.unwrap_or_else(|_| panic!("seed {seed}")) {
            *accepted.entry(call).or_insert(0) += count;
        }
    }
    println!("{accepted:?}");
    // Agreement on refusals alone would say little.
    for call in play::CALLS {
        assert!(accepted.get(call).is_some_and(|count| *count > 0), "{call} was never accepted");
    }
}
