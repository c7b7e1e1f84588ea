//! A challenger on a real L1 whose blocks are mined by hand: what it does, and that nothing stops it.

#[path = "../../../../batcher/tests/fixture/anvil.rs"]
#[allow(dead_code, missing_debug_implementations, unreachable_pub)]
// shared with the batcher's tests
mod anvil;
mod games;
mod sending;
mod world;
