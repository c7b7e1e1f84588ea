use std::fmt;

/// Everything of the machine's state but its memory.
#[derive(Clone)]
pub(crate) struct Cpu {
    pub(crate) pc: u64,
    pub(crate) registers: Registers,
    pub(crate) exit: Option<u64>,
    pub(crate) step: u64,
}

/// Where the fast interpreter writes what is meant for `x0`.
pub(crate) const SINK: u8 = 32;

/// The registers, and room for every index that fits a byte, so that no access can fail.
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

    /// Sets any register but `x0`.
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
