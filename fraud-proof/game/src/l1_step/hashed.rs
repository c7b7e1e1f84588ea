//! An EVM inspector that records what a contract hashes.

use revm::{
    Inspector,
    bytecode::opcode::KECCAK256,
    interpreter::{
        Interpreter,
        interpreter_types::{Jumps as _, MemoryTr as _},
    },
};

/// Records the last bytes of one length that a contract hashed.
#[derive(Debug, Default)]
pub(super) struct LastHashed {
    pub(super) length: usize,
    pub(super) bytes: Option<Vec<u8>>,
}

impl<C> Inspector<C> for LastHashed {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        if interpreter.bytecode.opcode() != KECCAK256 {
            return;
        }
        let [.., length, offset] = &interpreter.stack.data()[..] else { return };
        if *length != self.length {
            return;
        }
        // A hash beyond the current memory fails or hashes zeros: skip it.
        let (offset, end) = (offset.saturating_to::<usize>(), interpreter.memory.size());
        if offset.checked_add(self.length).is_some_and(|needed| needed <= end) {
            self.bytes = Some(interpreter.memory.slice(offset..offset + self.length).to_vec());
        }
    }
}
