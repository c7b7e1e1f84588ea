//! The machine's state without its memory: program counter, registers, exit code and step count.

use std::fmt;

/// The machine's state without its memory.
#[derive(Clone)]
pub(crate) struct Cpu {
    pub(crate) pc: u64,
    pub(crate) registers: Registers,
    pub(crate) exit: Option<u64>,
    pub(crate) step: u64,
}

/// The register index that the fast interpreter writes instead of `x0`.
pub(crate) const SINK: u8 = 32;

/// The registers, padded to 256 so that no index of a byte is out of bounds.
#[derive(Clone)]
pub(crate) struct Registers([u64; 256]);

impl Registers {
    pub(crate) const fn zero() -> Self {
        Self([0; 256])
    }

    #[inline(always)]
    pub(crate) const fn get(&self, number: u8) -> u64 {
        self.0[number as usize]
    }

    /// Sets a register. Writes to `x0` are dropped.
    pub(crate) fn set(&mut self, number: u8, value: u64) {
        self.set_unchecked(if number == 0 { SINK } else { number }, value);
    }

    /// Sets a register that is not `x0`.
    #[inline(always)]
    pub(crate) fn set_unchecked(&mut self, number: u8, value: u64) {
        debug_assert_ne!(number, 0, "x0 is zero");
        self.0[usize::from(number)] = value;
    }

    /// `x1` to `x31`.
    pub(crate) fn all(&self) -> [u64; 31] {
        std::array::from_fn(|index| self.0[index + 1])
    }
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pc, exit, step, .. } = self;
        f.debug_struct("Cpu")
            .field("pc", pc)
            .field("exit", exit)
            .field("step", step)
            .finish_non_exhaustive()
    }
}
