use crate::instruction::Class;

/// Told of what a machine executes. The plain run's observer is nobody, and costs nothing.
pub(crate) trait Observer {
    /// A step was taken that had an instruction to execute, if only to fault.
    fn executed(&mut self, class: Class);
}

/// Nobody.
impl Observer for () {
    #[inline(always)]
    fn executed(&mut self, _: Class) {}
}

/// Steps by class of instruction. A step without one, in which the machine stops, is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Class::ALL.len()]);

impl Counts {
    /// How many of one class.
    pub const fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// How many in all.
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
