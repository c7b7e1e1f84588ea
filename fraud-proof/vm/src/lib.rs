//! The proof machine: RV64IM without atomic, compressed or float instructions, every step of which L1 can repeat.
//!
//! # Job
//!
//! Run a program of billions of instructions, stop anywhere, and show L1 any one of them.
//!
//! ```text
//! ELF ─► Image ─► Machine ── run(oracle, until_step) ──► fast: decoded pages ─┐ what is out of the ordinary
//!                    │   └── step(oracle) ─────────────► step: the definition ◄┘
//!                    ├── snapshot() / restore(): pages are shared
//!                    ├── state(): registers and the memory's Merkle root ─► hash
//!                    └── witness(): the state and the leaves that the next step reads
//! ```
//!
//! # Invariants
//!
//! - The step function is total: whatever state a machine is in, there is exactly one next one. The only exception is
//!   a read that the host's oracle cannot answer; then the machine stays where it is.
//! - [`Machine::run`] and [`Machine::step`] come to the same states.
//! - A root costs hashes in proportion to the pages written to since the last one.
//!
//! There are no devices, interrupts, privileges or time; a program's only input is the oracle.

#![forbid(unsafe_code)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod bits;
mod code;
mod compute;
mod cpu;
mod decode;
mod elf;
mod encode;
mod fast;
mod instruction;
mod machine;
mod memory;
mod observe;
mod state;
mod step;
mod trace;

pub use decode::decode;
pub use elf::{ElfError, Image};
pub use instruction::{Class, Instruction, Op, REGISTER_NAMES};
pub use machine::{Machine, Snapshot, StepWitness};
pub use memory::{MEMORY_BYTES, Usage};
pub use observe::Counts;
pub use state::{STATE_BYTES, STEPS_MAX, State};
pub use step::{MissingPreimage, Trap};
pub use trace::{ExecutedStep, Store};
