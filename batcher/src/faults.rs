/// Points at which a batcher may die. Tests have it die at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A batch is packed and signed, and nothing is recorded.
    Packed,
    /// The batch and its transaction are recorded, and nothing is broadcast.
    Recorded,
    /// The transaction is broadcast.
    Broadcast,
    /// A replacement is signed, and not recorded.
    Replacing,
    /// The replacement is recorded, and not broadcast.
    Replaced,
    /// L1 was seen to hold the batch, which is not recorded.
    Included,
    /// That L1 holds the batch is recorded.
    Counted,
    /// The batch is confirmed and its data dropped.
    Confirmed,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 8] = [
        Self::Packed,
        Self::Recorded,
        Self::Broadcast,
        Self::Replacing,
        Self::Replaced,
        Self::Included,
        Self::Counted,
        Self::Confirmed,
    ];
}

/// Where to die; nowhere, outside of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    crash_at: Option<Step>,
}

/// The batcher was told to die here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("told to crash at {0:?}")]
pub struct Crash(pub Step);

impl Faults {
    /// Dies at that step.
    pub const fn crash_at(step: Step) -> Self {
        Self { crash_at: Some(step) }
    }

    pub(crate) fn pass(&self, step: Step) -> Result<(), Crash> {
        if self.crash_at == Some(step) { Err(Crash(step)) } else { Ok(()) }
    }
}
