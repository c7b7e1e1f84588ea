//! One step, taken four times: by the machine's definition, by its fast interpreter, by `RiscvStep`
//! on L1, and by ckb-vm, which knows nothing of Turnpike. All come to the same state, from any
//! state.

mod arena;
mod encode;
mod gas;
mod grid;
mod memory;
mod random;
mod refused;
mod twin;
