//! How games are played: the runs that players look at, and whole games that the honest side wins.

mod program;
#[path = "../one_step/rng.rs"]
#[allow(dead_code)] // shared by several tests
mod rng;
mod trace;
