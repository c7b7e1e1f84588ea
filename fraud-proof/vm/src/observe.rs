//! Counts executed instructions. The plain run's observer is `()`, which costs nothing.

use crate::instruction::Class;

/// Sees every instruction that a machine executes.
pub(crate) trait Observer {
    /// A step executed an instruction of this class, or faulted in it.
    fn executed(&mut self, class: Class);
}

/// Observes nothing.
impl Observer for () {
    #[inline(always)]
    fn executed(&mut self, _: Class) {}
}

/// Number of steps by instruction class. The step in which the machine stops without an instruction
/// is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Class::ALL.len()]);

impl Counts {
    /// The count of one class.
    pub const fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// The sum over all classes.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts by class.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> {
        Class::ALL.into_iter().map(|class| (class, self.of(class)))
    }
}

impl Observer for Counts {
    #[inline(always)]
    fn executed(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }
}
