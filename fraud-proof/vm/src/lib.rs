//! The proof machine: RV64IM without atomic, compressed or float instructions. L1 can repeat each
//! of its steps.
//!
//! # Job
//!
//! Run a program of billions of instructions, stop at any step, and prove any step to L1.
//!
//! ```text
//! ELF ─► Image ─► Machine ── run(oracle, until_step) ──► fast: decoded pages ─┐ exceptional instructions
//!                    │   └── step(oracle) ─────────────► step: the definition ◄┘
//!                    ├── snapshot() / restore(): pages are shared
//!                    ├── state(): registers and the memory's Merkle root ─► hash
//!                    └── witness(): the state and the memory leaves that the next step reads
//! ```
//!
//! # Invariants
//!
//! - The step function is total: every state has exactly one next state. The only exception is a
//!   read that the host's oracle cannot answer; the machine does not move then.
//! - [`Machine::run`] and [`Machine::step`] come to the same states.
//! - A memory root costs hashes in proportion to the pages written since the last one.
//!
//! There are no devices, interrupts, privileges or clocks: a program's only input is the oracle.
//!
//! # Example
//!
//! A program that computes 6 × 7 and exits with the product:
//!
//! ```
//! use turnpike_protocol::Preimages;
//! use turnpike_vm::{Image, Instruction, Machine, Op};
//!
//! let word = |op, rd, rs1, rs2, imm| Instruction { op, rd, rs1, rs2, imm }.encode();
//! let program = [
//!     word(Op::Addi, 5, 0, 0, 6),
//!     word(Op::Addi, 6, 0, 0, 7),
//!     word(Op::Mul, 10, 5, 6, 0),
//!     word(Op::Addi, 17, 0, 0, 93),
//!     word(Op::Ecall, 0, 0, 0, 0),
//! ];
//! let code: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
//! let image = Image::new(0)?.with_segment(0, &code, code.len() as u64)?;
//! let mut machine = Machine::new(&image);
//!
//! // What L1 needs to repeat the third step: the state before it and the leaf of its instruction.
//! machine.run(&mut Preimages::default(), 2)?;
//! let witness = machine.witness();
//! assert_eq!((witness.state.step, witness.proof.len()), (2, 32 * 28));
//!
//! machine.run(&mut Preimages::default(), u64::MAX)?;
//! assert_eq!((machine.exit(), machine.steps()), (Some(42), 5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
