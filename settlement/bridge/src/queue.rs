use crate::BridgeError;

/// State of the deposit queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Deposits that entries have consumed, which is the index of the oldest queued one.
    pub consumed: u64,
    /// Deposits ever made.
    pub queued: u64,
    /// L1 time at which the oldest queued deposit is overdue.
    pub overdue_at: Option<u64>,
    /// L1 time now.
    pub now: u64,
}

impl Queue {
    /// Checks that a deposit is overdue, so that anyone may force it.
    pub const fn check_overdue(&self) -> Result<(), BridgeError> {
        let Some(overdue_at) = self.overdue_at else { return Err(BridgeError::NothingWaits) };
        let (index, seconds) = (self.consumed, overdue_at.saturating_sub(self.now));
        if seconds == 0 {
            return Ok(());
        }
        Err(BridgeError::NotOverdue { index, seconds, overdue_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_can_be_forced_once_its_oldest_deposit_is_overdue() {
        let queue = Queue { consumed: 3, queued: 5, overdue_at: Some(100), now: 99 };
        let error = queue.check_overdue().expect_err("a second is left");
        let is_early = matches!(error, BridgeError::NotOverdue { index: 3, seconds: 1, .. });
        assert!(is_early, "{error}");
        Queue { now: 100, ..queue }.check_overdue().expect("overdue");
        let empty = Queue { overdue_at: None, ..queue }.check_overdue();
        assert!(matches!(empty, Err(BridgeError::NothingWaits)), "{empty:?}");
    }
}
