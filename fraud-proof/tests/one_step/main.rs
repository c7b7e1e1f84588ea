//! One step, taken four times: by the machine's definition, by its fast interpreter, by `RiscvStep` on L1, and by
//! ckb-vm, which knows nothing of Turnpike. All come to the same state, from any state.
//!
//! `TURNPIKE_LONG=1` takes every random step on L1 too, not only a part.

mod arena;
mod encode;
mod gas;
mod grid;
mod memory;
mod random;
mod refused;
mod rng;
mod twin;
