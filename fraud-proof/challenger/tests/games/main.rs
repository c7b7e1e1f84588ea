//! How games are played: the runs that players look at, what they believe, and whole games that the
//! honest side wins.

mod chain;
mod derived;
#[path = "../../../game/tests/inbox/mod.rs"]
mod inbox;
mod l1;
mod liars;
mod play;
mod truth;
mod whole;
