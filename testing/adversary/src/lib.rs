//! Dishonest proposers and challengers: they play by the same rules as honest ones, believe something else, and lose.
//!
//! ```text
//! L1 ─► Chronicle: all entries ─► forge(kind): a false block, and a run of the proof program that comes to it
//!                                    │
//!       Liar: propose or challenge ◄─┴─► Doctrine (a Belief) ─► Player: duties, answer, calls ─► L1
//! ```
//!
//! For tests and demonstrations. What a [`Kind`] lies about it lies about consistently: the program runs to its end on what
//! the liar says that L1 holds, and differs from an honest run in the one step that reads it. Nothing here is of use to
//! anybody who wants to win.

mod chronicle;
mod deed;
mod doctrine;
mod error;
mod false_credit;
mod falsify;
mod forge;
mod kind;
mod liar;
mod lies;
mod oracle;
mod plan;
mod player;
mod roots;
mod service;

pub use chronicle::Chronicle;
pub use deed::Deed;
pub use doctrine::Doctrine;
pub use error::LiarError;
pub use false_credit::FalseCredit;
pub use forge::{Forgery, forge};
pub use kind::{Kind, Manner, UnknownKind};
pub use liar::{Liar, LiarConfig, Role};
pub use oracle::LyingOracle;
pub use player::{Player, Said};
pub use roots::Roots;
pub use service::run;
