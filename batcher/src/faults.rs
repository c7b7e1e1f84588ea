//! Crashes for tests: the batcher stops at a chosen point, and a test starts another one on the
//! same database.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Points at which a test may crash the batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// A batch is packed and not recorded.
    Packed,
    /// The batch is recorded. A transaction for it is signed and not recorded.
    Signed,
    /// The transaction is recorded and not broadcast.
    Recorded,
    /// The transaction is broadcast.
    Broadcast,
    /// L1 holds the batch; its inclusion is not recorded.
    Included,
    /// The inclusion is recorded.
    Counted,
    /// The batch is confirmed and its data is dropped.
    Confirmed,
}

impl CrashPoint {
    /// Every point, in order.
    pub const ALL: [Self; 7] = [
        Self::Packed,
        Self::Signed,
        Self::Recorded,
        Self::Broadcast,
        Self::Included,
        Self::Counted,
        Self::Confirmed,
    ];
}

/// Where to crash. Outside of tests: nowhere.
#[derive(Clone, Debug, Default)]
pub struct CrashPlan {
    crash_at: Option<CrashPoint>,
    /// How often the point is passed before the crash.
    passes: Arc<AtomicU32>,
}

/// The batcher crashed where the test planned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("planned crash at {0:?}")]
pub struct PlannedCrash(pub CrashPoint);

impl CrashPlan {
    /// Crashes at that point, after it was passed `passes` times.
    pub fn crash_at(point: CrashPoint, passes: u32) -> Self {
        Self { crash_at: Some(point), passes: Arc::new(AtomicU32::new(passes)) }
    }

    pub(crate) fn pass(&self, point: CrashPoint) -> Result<(), PlannedCrash> {
        if self.crash_at != Some(point) {
            return Ok(());
        }
        let left = self
            .passes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| PlannedCrash(point))
    }
}
