//! A challenger on a real L1 whose blocks are mined by hand: what it does, and that nothing stops
//! it.

mod games;
mod sending;
mod world;
