//! Random blocks: programs, the world around them, and transactions between its accounts.
//!
//! A [`Rng`] determines everything, and a seed determines the [`Rng`]: a case is its seed. The
//! programs do what is difficult for block states and lanes: destroy and create again, call back,
//! revert, delegate, touch, use similar keys.
#![allow(dead_code, unused_imports, reason = "every test uses a part of it")]

mod cases;
mod keys;
mod program;
mod transaction;
mod world;

pub(crate) use cases::{for_each_seed, minimize};
pub(crate) use keys::{contract, person};
pub(crate) use program::{CHILDREN, Program, child};
pub(crate) use transaction::{BASE_FEE, CHAIN_ID, FORKS, Rules, Tx, gas_before, with_delegations};
pub(crate) use turnpike_random::Rng;
pub(crate) use world::{Genesis, World};
