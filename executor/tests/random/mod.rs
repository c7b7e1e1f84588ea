//! Random blocks: programs, the world around them, and transactions between its accounts.
//!
//! Everything comes from a [`Rng`], which comes from a seed: a case is its seed. The pieces are
//! what breaks block states and lanes: destroying and creating again, calling back, reverting,
//! delegating, touching, similar keys.
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
