//! Dishonest proposers and challengers. They follow the rules of honest ones with false claims, and
//! lose.
//!
//! ```text
//! L1 ─► InboxCopy: all entries ─► FalseBlock::forge(attack): a false block, and a run of the proof program that returns it
//!                                    │
//!  Adversary: propose, challenge ◄───┴─► FalseClaims ─► AdversaryAccount: actions, answers, calls ─► L1
//! ```
//!
//! For tests, `turnpike dev --liar` and `turnpike bench dispute --lie`. The claims of an [`Attack`]
//! are consistent: the program runs to its end on what the adversary claims L1 holds, and differs
//! from an honest run only in the step that reads it. [`FalseCredit`] falsifies the blocks of a
//! sequencer and of its proposer. Nothing here helps anybody to win.

mod account;
mod adversary;
mod attack;
mod claims;
mod error;
mod event;
mod false_block;
mod false_credit;
mod false_header;
mod false_inputs;
mod false_oracle;
mod inbox_copy;
mod plan;
mod roots;
mod service;

pub use account::{AdversaryAccount, MoveOutcome};
pub use adversary::{Adversary, AdversaryConfig};
pub use attack::{Attack, PlayStyle, UnknownAttack};
pub use claims::FalseClaims;
pub use error::AdversaryError;
pub use event::AdversaryEvent;
pub use false_block::FalseBlock;
pub use false_credit::FalseCredit;
pub use false_oracle::FalseOracle;
pub use inbox_copy::InboxCopy;
pub use plan::AdversaryRole;
pub use roots::OutputRoots;
pub use service::run;
