//! The contracts in an EVM: in lockstep with the model, and with an honest account that does its
//! duties against attackers.
#![allow(unused_crate_dependencies)]

mod contest;
mod evm;
mod l1;
mod machine;
mod mirror;
mod play;

use std::{collections::BTreeMap, panic};

use contest::Contest;
use play::Play;

/// Plays, several times as many with `TURNPIKE_LONG=1`.
fn plays() -> u64 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 2_000 } else { 24 }
}

/// Plays all seeds and adds up what they count.
fn play_all(
    play: impl Fn(u64) -> BTreeMap<&'static str, u64> + panic::RefUnwindSafe,
) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for seed in 0..plays() {
        let played = panic::catch_unwind(|| play(seed));
        for (name, count) in played.unwrap_or_else(|_| panic!("seed {seed}")) {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    println!("{counts:?}");
    counts
}

#[test]
fn contracts_agree_with_the_model() {
    let accepted = play_all(|seed| Play::new(seed).run());
    // Agreement on refusals alone would say little.
    for call in play::CALLS {
        assert!(accepted.contains_key(call), "{call} was never accepted");
    }
}

#[test]
fn honest_account_that_does_its_duties_wins_and_loses_nothing() {
    let done = play_all(|seed| Contest::new(seed).run());
    for duty in contest::DUTIES {
        assert!(done.contains_key(duty), "{duty} was never due");
    }
}
