//! Fuzz targets: functions of bytes that panic where a property does not hold.
//!
//! ```text
//! seeds ─► corpus/ ─► libfuzzer/: mutated with feedback from coverage, as long as somebody lets it run
//!                 └─► tests/replay.rs: replayed, and mutated a few thousand times, in every test run
//! ```
//!
//! | target | input | property |
//! |---|---|---|
//! | [`batch()`] | a posted batch | it is refused, or a batch within exact limits that every encoder round-trips |
//! | [`derivation()`] | an entry and two parents | it derives bounded blocks, as many on every parent |
//! | [`machine()`] | a program and registers | runs equal steps, and a step's witness alone gives the next state |
//! | [`witness()`] | trie nodes, false preimages | no panic, and never another value than the true one |
//!
//! # Invariants
//!
//! - Every input is complete: fields past the end of the bytes are zero.
//! - A target depends on its input alone, so that an input that fails once fails again.

#![forbid(unsafe_code)]

mod batch;
mod derivation;
mod input;
mod machine;
mod mutate;
mod seeds;
mod witness;

pub use batch::{LIMITS, batch};
pub use derivation::derivation;
pub use machine::machine;
pub use mutate::mutated;
pub use seeds::{Seed, seeds};
pub use witness::witness;

/// How far an input got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused with one of the documented errors.
    Refused,
    /// It was accepted, and its properties hold.
    Checked,
}

/// A target by name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The target's name, which is also the name of its corpus.
    pub name: &'static str,
    /// The target.
    pub run: fn(&[u8]) -> Outcome,
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target { name: "batch", run: batch },
    Target { name: "derivation", run: derivation },
    Target { name: "machine", run: machine },
    Target { name: "witness", run: witness },
];
