//! Checkpoints: a written state is loaded again, a damaged one is refused.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod frames;
mod store;
mod written;
