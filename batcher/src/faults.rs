//! Crashes for tests: the batcher stops at a chosen point, and a test starts another one on the
//! same database.

/// Points at which a test may crash the batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// A batch is packed and signed; nothing is recorded.
    Packed,
    /// The batch and its transaction are recorded; nothing is broadcast.
    Recorded,
    /// The transaction is broadcast.
    Broadcast,
    /// A replacement is signed and not recorded.
    Replacing,
    /// The replacement is recorded and not broadcast.
    Replaced,
    /// L1 holds the batch; its inclusion is not recorded.
    Included,
    /// The inclusion is recorded.
    Counted,
    /// The batch is confirmed and its data is dropped.
    Confirmed,
}

impl CrashPoint {
    /// Every point, in order.
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

/// Where to crash. Outside of tests: nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashPlan {
    crash_at: Option<CrashPoint>,
}

/// The batcher crashed where the test planned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("planned crash at {0:?}")]
pub struct PlannedCrash(pub CrashPoint);

impl CrashPlan {
    /// Crashes at that point.
    pub const fn crash_at(step: CrashPoint) -> Self {
        Self { crash_at: Some(step) }
    }

    pub(crate) fn pass(&self, step: CrashPoint) -> Result<(), PlannedCrash> {
        if self.crash_at == Some(step) { Err(PlannedCrash(step)) } else { Ok(()) }
    }
}
