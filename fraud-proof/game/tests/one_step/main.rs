//! Four implementations take one step: the step function, the fast interpreter, `RiscvStep` on L1,
//! and ckb-vm, which is independent of Turnpike. All reach the same state from any state.

mod arena;
mod ckb;
mod encode;
mod gas;
mod grid;
mod memory;
mod random;
mod refused;
