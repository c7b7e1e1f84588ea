//! Notifications about outcomes in durable slices.

use alloy_primitives::{Address, B256};

use super::EventLogLimits;

/// Slices that the log keeps for a slow cursor, and their size. At full load there are some hundred
/// slices a second.
pub(super) const LIMITS: EventLogLimits =
    EventLogLimits { events_max: 1_024, bytes_max: 64 * 1024 * 1024 };

/// Transactions that durable journal rows name.
#[derive(Debug, Default)]
pub struct SliceNotification {
    /// Transactions that were executed or wait, each with its sender.
    pub transactions: Vec<(B256, Address)>,
    /// Refused transactions.
    pub refused: Vec<B256>,
}

impl SliceNotification {
    pub(super) const fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.refused.is_empty()
    }

    /// Size in memory, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        size_of::<(B256, Address)>() * self.transactions.len()
            + size_of::<B256>() * self.refused.len()
    }
}
