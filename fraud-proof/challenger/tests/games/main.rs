//! Honest claims, and whole games on the contracts. The honest side wins every game.

mod adversaries;
mod chain;
mod derived;
mod honest_claims;
#[path = "../../../game/tests/inbox/mod.rs"]
mod inbox;
mod l1;
mod outcomes;
mod play;
