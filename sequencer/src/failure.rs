use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::Refusal;

/// Whether a part of the node has failed: then nothing can be made durable any more, and nothing is accepted.
#[derive(Debug, Default)]
pub struct NodeFailure {
    reason: OnceLock<String>,
    token: CancellationToken,
}

impl NodeFailure {
    /// Records the first failure, and wakes everybody who waits for one.
    pub(crate) fn set(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Why the node failed, if it did.
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

    /// What a submission is answered that is not executed any more.
    pub(crate) fn refusal(&self) -> Refusal {
        match self.reason.get() {
            Some(reason) => Refusal::JournalFailed { reason: reason.clone() },
            None => Refusal::Stopping,
        }
    }
}
