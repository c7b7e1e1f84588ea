//! Stages of deposits, computed from facts on L1 and L2: pure.

use serde::Serialize;

/// Stage of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "stage")]
pub enum DepositStage {
    /// In the queue. Next: the sequencer includes it.
    Queued {
        /// Estimated seconds until L2 holds it; if the sequencer is late, until it is overdue.
        estimated_seconds: u64,
        /// L1 time from which on anyone may force it.
        overdue_at: u64,
    },
    /// In the queue for longer than the sequencer may leave it there. Next: `force --include`.
    Overdue {
        /// L1 time since when it is overdue.
        overdue_at: u64,
    },
    /// An inbox entry has consumed it: it is part of the derived chain.
    Posted,
    /// L2 holds it.
    Included {
        /// The block.
        block: u64,
        /// Whether its call succeeded. Its ether is minted in any case.
        success: bool,
    },
}

/// The facts that determine a deposit's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositFacts {
    /// L1 time, in seconds.
    pub now: u64,
    /// L1 time at which it was queued.
    pub queued_at: u64,
    /// Seconds after which it is overdue.
    pub force_window: u64,
    /// Recent seconds between L1 blocks.
    pub l1_block_seconds: u64,
    /// Whether an inbox entry has consumed it.
    pub is_consumed: bool,
    /// L2 block that holds it and whether its call succeeded, if an L2 node says so.
    pub included: Option<(u64, bool)>,
}

/// L1 blocks that a sequencer usually takes to include a deposit: its confirmations, and one to
/// post it.
const USUAL_BLOCKS: u64 = 3;

impl DepositFacts {
    /// L1 time from which on anyone may force it.
    pub const fn overdue_at(&self) -> u64 {
        self.queued_at.saturating_add(self.force_window)
    }

    /// The deposit's stage.
    pub fn stage(&self) -> DepositStage {
        let overdue_at = self.overdue_at();
        if let Some((block, success)) = self.included {
            return DepositStage::Included { block, success };
        }
        if self.is_consumed {
            return DepositStage::Posted;
        }
        if self.now >= overdue_at {
            return DepositStage::Overdue { overdue_at };
        }
        let usual = self.queued_at.saturating_add(USUAL_BLOCKS * self.l1_block_seconds);
        let expected = if self.now < usual { usual.min(overdue_at) } else { overdue_at };
        DepositStage::Queued { estimated_seconds: expected.saturating_sub(self.now), overdue_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deposit_passes_its_stages() {
        let queued = DepositFacts {
            now: 1_000,
            queued_at: 1_000,
            force_window: 600,
            l1_block_seconds: 12,
            is_consumed: false,
            included: None,
        };
        let stage =
            |estimated_seconds| DepositStage::Queued { estimated_seconds, overdue_at: 1_600 };
        assert_eq!(queued.stage(), stage(36));
        assert_eq!(DepositFacts { now: 1_030, ..queued }.stage(), stage(6));
        // The sequencer is late: only the force window is certain.
        assert_eq!(DepositFacts { now: 1_036, ..queued }.stage(), stage(564));
        let overdue = DepositFacts { now: 1_600, ..queued };
        assert_eq!(overdue.stage(), DepositStage::Overdue { overdue_at: 1_600 });
        let posted = DepositFacts { is_consumed: true, ..overdue };
        assert_eq!(posted.stage(), DepositStage::Posted);
        let included = DepositFacts { included: Some((7, false)), ..overdue };
        assert_eq!(included.stage(), DepositStage::Included { block: 7, success: false });
    }
}
