//! Notifications about accepted transactions.

use alloy_primitives::{Address, B256, Bytes};

use super::{EventCursor, EventLogLimits, Lagged};

/// Commits whose transactions the log keeps. At full load there are some hundred commits a second.
pub(super) const LIMITS: EventLogLimits =
    EventLogLimits { events_max: 65_536, bytes_max: 64 * 1024 * 1024 };

/// A transaction that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTx {
    /// The transaction's hash.
    pub hash: B256,
    /// Its bytes and sender, if the pool or the preconfirmation cache still held it when it was
    /// reported.
    pub signed: Option<(Bytes, Address)>,
}

impl PendingTx {
    /// Approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        100 + self.signed.as_ref().map_or(0, |(raw, _)| raw.len())
    }
}

impl EventCursor<Vec<PendingTx>> {
    /// Passes accepted transactions to `show`, `count_max` at most. The next call continues.
    pub fn transactions(
        &mut self,
        count_max: usize,
        mut show: impl FnMut(&PendingTx),
    ) -> Result<(), Lagged> {
        let mut count = 0;
        while let Some(event) = self.event()? {
            for tx in &event[self.within..] {
                if count == count_max {
                    return Ok(());
                }
                show(tx);
                count += 1;
                self.within += 1;
            }
            self.advance();
        }
        Ok(())
    }
}
