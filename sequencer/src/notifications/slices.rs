use alloy_primitives::{Address, B256};

use super::EventLogLimits;

/// Slices that are kept: a reader may be so far behind. At full load there are some hundreds a second.
pub(super) const LIMITS: EventLogLimits =
    EventLogLimits { events_max: 1_024, bytes_max: 64 * 1024 * 1024 };

/// What rows that are durable tell of transactions.
#[derive(Debug, Default)]
pub(crate) struct SliceNotification {
    /// Transactions that ran or wait, each with its sender.
    pub(crate) transactions: Vec<(B256, Address)>,
    /// Transactions that will not run.
    pub(crate) refused: Vec<B256>,
}

impl SliceNotification {
    pub(super) const fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.refused.is_empty()
    }

    /// Bytes that it takes.
    pub(super) const fn bytes(&self) -> usize {
        size_of::<(B256, Address)>() * self.transactions.len()
            + size_of::<B256>() * self.refused.len()
    }
}
