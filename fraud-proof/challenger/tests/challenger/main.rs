//! A challenger on anvil, whose blocks the tests mine one by one.

mod games;
mod rollup;
mod sending;
