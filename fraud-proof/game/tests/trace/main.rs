//! Traces: any state of a run, in any order, in few steps.

mod counter;
#[path = "../one_step/rng.rs"]
#[allow(dead_code)] // shared by several tests
mod rng;
mod states;
