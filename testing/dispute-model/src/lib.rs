//! The executable model of disputes.
//!
//! - [`Contracts`]: ranges, outputs, groups, stakes, accusations, games and money.
//! - [`Fault`]: wrong rules, which tests inject.
//! - [`programs`]: which program judges an entry.
//! - [`economics`]: delays, machine time, gas and ether at the sizes of production.
//!
//! Tests play an honest account against random attackers, and expect wrong rules to be found. The
//! model knows no calldata, no signatures and no proof machine. Histories and
//! timelines are the product's ([`turnpike_protocol::History`], [`turnpike_protocol::match_progress`]).

pub mod contracts;
pub mod economics;
mod fault;
mod ledger;
mod parameters;
pub mod programs;

pub use contracts::Contracts;
pub use fault::Fault;
pub use ledger::{Account, Ledger};
pub use parameters::Parameters;
