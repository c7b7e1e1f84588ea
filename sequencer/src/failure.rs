//! Records that a part of the node failed, so that the others stop accepting transactions.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::Refusal;

/// Whether a part of the node failed. After a failure nothing can become durable, so nothing is
/// accepted.
#[derive(Debug, Default)]
pub struct NodeFailure {
    reason: OnceLock<String>,
    token: CancellationToken,
}

impl NodeFailure {
    /// Records the first failure and wakes all that wait for one.
    pub(crate) fn set(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// The reason of the failure, if any.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Whether the node failed.
    pub fn is_failed(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Cancelled when the node fails.
    pub(crate) const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The refusal of submissions after the failure.
    pub(crate) fn refusal(&self) -> Refusal {
        match self.reason.get() {
            Some(reason) => Refusal::JournalFailed { reason: reason.clone() },
            None => Refusal::Stopping,
        }
    }
}
