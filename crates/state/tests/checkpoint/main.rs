//! Checkpoints: what is written is loaded, and what is damaged is refused.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod frames;
mod store;
mod written;
