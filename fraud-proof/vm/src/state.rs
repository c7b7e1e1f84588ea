//! The machine's state as L1 hashes it.
//!
//! # Format
//!
//! [`State::encode`] packs 305 bytes, numbers big-endian: memory root (32), program counter (8),
//! `x1` to `x31` (8 each), exit flag (1), exit code (8), step (8).

use alloy_primitives::{B256, keccak256};

/// Maximum number of steps of a program: a dispute has no positions beyond it.
pub const STEPS_MAX: u64 = 1 << 42;

/// Bytes of an encoded [`State`].
pub const STATE_BYTES: usize = 32 + 8 + 31 * 8 + 1 + 8 + 8;

/// The machine's state between two steps. The memory is represented by its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Root of the memory's Merkle tree.
    pub memory_root: B256,
    /// Address of the instruction that comes next.
    pub pc: u64,
    /// `x1` to `x31`; `x0` is always zero.
    pub registers: [u64; 31],
    /// The exit code, if the machine has exited. From then on no field changes.
    pub exit: Option<u64>,
    /// Number of steps taken.
    pub step: u64,
}

impl State {
    /// Encodes the state for L1.
    pub fn encode(&self) -> [u8; STATE_BYTES] {
        let mut bytes = [0; STATE_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(self.memory_root.as_slice());
        put(&self.pc.to_be_bytes());
        self.registers.iter().for_each(|value| put(&value.to_be_bytes()));
        put(&[u8::from(self.exit.is_some())]);
        put(&self.exit.unwrap_or_default().to_be_bytes());
        put(&self.step.to_be_bytes());
        bytes
    }

    /// Decodes what [`encode`](Self::encode) returned; `None` for all other bytes.
    pub fn decode(bytes: &[u8; STATE_BYTES]) -> Option<Self> {
        let (memory_root, mut rest) = bytes.split_first_chunk()?;
        let pc = take_number(&mut rest)?;
        let mut registers = [0; 31];
        for register in &mut registers {
            *register = take_number(&mut rest)?;
        }
        let (exited, end) = rest.split_first()?;
        rest = end;
        let exit = match (exited, take_number(&mut rest)?) {
            (0, 0) => None,
            (1, code) => Some(code),
            _ => return None,
        };
        Some(Self {
            memory_root: memory_root.into(),
            pc,
            registers,
            exit,
            step: take_number(&mut rest)?,
        })
    }

    /// The state's hash, which disputes claim.
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_decodes_to_one_state() {
        let running = State {
            memory_root: B256::repeat_byte(7),
            pc: 0x8000_0000,
            registers: std::array::from_fn(|index| 1 << (2 * index)),
            exit: None,
            step: u64::MAX,
        };
        for state in
            [running, State { exit: Some(0), ..running }, State { exit: Some(1 << 63), ..running }]
        {
            let mut bytes = state.encode();
            assert_eq!(State::decode(&bytes), Some(state));
            bytes[288] = 2;
            assert_eq!(State::decode(&bytes), None);
        }
        let mut bytes = running.encode();
        bytes[296] = 1;
        assert_eq!(State::decode(&bytes), None);
    }
}
