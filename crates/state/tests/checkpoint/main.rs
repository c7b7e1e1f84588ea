//! Checkpoints: a written state loads again, and a damaged one is rejected.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod frames;
mod store;
mod written;
