//! When the next batch is due, and by when it has to be on L1: pure.
//!
//! # State
//!
//! Reverted transactions in a row. Time and chain come in with [`BatcherView`].

use alloy_primitives::B256;
use turnpike_tx_manager::GasPrices;

use crate::PostingConfig;

/// A deposit makes its batch due after the force window divided by this number.
const DEPOSIT_DUE_PART: u64 = 2;

/// Quarters of the force window after which a deposit's batch is posted at any price.
const DEPOSIT_FORCED_QUARTERS: u64 = 3;

/// Longest wait after reverted transactions, in doublings of an L1 block.
const BACKOFF_DOUBLINGS_MAX: u32 = 8;

/// Everything that a decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct BatcherView {
    /// Newest L1 block.
    pub(crate) l1_block: u64,
    /// Its timestamp, in seconds.
    pub(crate) l1_time: u64,
    /// Now, in seconds.
    pub(crate) now: u64,
    pub(crate) prices: GasPrices,
    /// Whether the journal holds the blocks that the inbox derives. Nothing is posted otherwise.
    pub(crate) is_journal_in_sync: bool,
    /// Whether batches before this one are on their way to L1.
    pub(crate) is_behind_others: bool,
    pub(crate) backlog: BacklogView,
}

/// Blocks that L1 does not hold yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BacklogView {
    /// Blocks that may go into the next batch.
    pub(crate) blocks: u64,
    /// Timestamp of the oldest, in seconds.
    pub(crate) oldest: u64,
    /// Whether they fill a batch.
    pub(crate) is_full: bool,
    /// Whether blocks of another origin follow, so that the batch takes no more.
    pub(crate) is_closed: bool,
    /// L1 time of their origin, in seconds.
    pub(crate) origin_time: u64,
    /// Largest allowed age of an origin, in seconds.
    pub(crate) origin_age_max: u64,
    /// L1 time of the oldest queued deposit, in seconds, if the blocks hold it.
    pub(crate) deposit_time: Option<u64>,
    /// Seconds after which a deposit is overdue.
    pub(crate) force_window: u64,
}

/// Why nothing is sent in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// L1 holds every block.
    Nothing,
    /// The batch waits for more blocks.
    Filling,
    /// The batch's blobs are being committed to.
    Committing,
    /// A transaction is in flight.
    InFlight,
    /// The inbox is about to show an entry.
    Inclusion,
    /// The inbox holds blocks that the journal does not.
    Journal,
    /// The blocks' origin is too old for a batch behind others. The sequencer takes them back.
    Origin,
    /// L1's clock is too far behind the blocks'.
    Clock,
    /// L1 gas costs more than the limit.
    Price,
    /// The account cannot pay the worst case.
    Funds,
    /// The pool holds foreign transactions of the account.
    Foreign,
    /// Transactions reverted on L1.
    Backoff,
    /// L1 would refuse the batch.
    Rejected,
    /// Another account is the batcher, or is about to be.
    Rotation,
}

impl WaitReason {
    /// Its label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Filling => "filling",
            Self::Committing => "committing",
            Self::InFlight => "in_flight",
            Self::Inclusion => "inclusion",
            Self::Journal => "journal",
            Self::Origin => "origin",
            Self::Clock => "clock",
            Self::Price => "price",
            Self::Funds => "funds",
            Self::Foreign => "foreign",
            Self::Backoff => "backoff",
            Self::Rejected => "rejected",
            Self::Rotation => "rotation",
        }
    }

    /// Whether an operator may have to act.
    pub const fn is_trouble(self) -> bool {
        match self {
            Self::Nothing | Self::Filling | Self::Committing | Self::InFlight | Self::Inclusion => {
                false
            }
            Self::Journal
            | Self::Origin
            | Self::Clock
            | Self::Price
            | Self::Funds
            | Self::Foreign
            | Self::Backoff
            | Self::Rejected
            | Self::Rotation => true,
        }
    }
}

/// Decides when a batch is posted. It knows no clock, network or database.
#[derive(Debug)]
pub(crate) struct PostingRules {
    config: PostingConfig,
    /// Consecutive reverted transactions.
    reverts: u32,
    /// The last of them.
    last_reverted: Option<B256>,
    /// L1 block at which the last of them was counted. Those behind a reverted one revert with it.
    counted_at: u64,
    /// No batch is sent before this L1 block.
    retry_at: u64,
}

impl PostingRules {
    pub(crate) const fn new(config: PostingConfig) -> Self {
        Self { config, reverts: 0, last_reverted: None, counted_at: 0, retry_at: 0 }
    }

    /// Resets the count of reverted transactions: L1 included a batch.
    pub(crate) const fn reset_reverts(&mut self) {
        self.reverts = 0;
    }

    /// Counts a transaction that reverted, seen at L1 block `l1_block`. `false` if it was counted
    /// before.
    pub(crate) fn count_revert(&mut self, l1_block: u64, l1_transaction: B256) -> bool {
        if self.last_reverted == Some(l1_transaction) {
            return false;
        }
        self.last_reverted = Some(l1_transaction);
        if self.counted_at == l1_block {
            return true;
        }
        self.counted_at = l1_block;
        self.reverts += 1;
        self.retry_at = l1_block + (1 << self.reverts.min(BACKOFF_DOUBLINGS_MAX));
        true
    }

    /// Whether the next batch is posted now.
    pub(crate) fn check(&self, inputs: &BatcherView) -> Result<(), WaitReason> {
        if !inputs.is_journal_in_sync {
            return Err(WaitReason::Journal);
        }
        if inputs.backlog.blocks == 0 {
            return Err(WaitReason::Nothing);
        }
        if inputs.l1_block < self.retry_at {
            return Err(WaitReason::Backoff);
        }
        if self.is_due(inputs) { Ok(()) } else { Err(WaitReason::Filling) }
    }

    /// Whether blocks from this time on, in seconds, may be left to a batch behind this one.
    pub(crate) fn may_wait(&self, inputs: &BatcherView, oldest: u64) -> bool {
        let backlog = BacklogView { oldest, is_full: false, ..inputs.backlog };
        !self.is_due(&BatcherView { is_behind_others: true, backlog, ..inputs.clone() })
    }

    /// Whether the backlog has to be posted now.
    fn is_due(&self, inputs: &BatcherView) -> bool {
        let backlog = &inputs.backlog;
        let age = inputs.now.max(inputs.l1_time).saturating_sub(backlog.oldest);
        let deposit_age = backlog.deposit_time.map(|time| inputs.l1_time.saturating_sub(time));
        let others_max =
            if inputs.is_behind_others { self.config.latency_in_flight_max } else { 0 };
        backlog.is_full
            || age >= self.config.latency_max.max(others_max)
            || inputs.l1_time.saturating_sub(backlog.origin_time) >= backlog.origin_age_max / 4
            || deposit_age.is_some_and(|age| age >= backlog.force_window / DEPOSIT_DUE_PART)
    }
}

impl BacklogView {
    /// L1 time in seconds from which on the blocks are posted at any price, before a deposit is
    /// overdue; [`u64::MAX`] without deposits.
    pub(crate) fn deadline(&self) -> u64 {
        let wait = self.force_window / 4 * DEPOSIT_FORCED_QUARTERS;
        self.deposit_time.map_or(u64::MAX, |time| time.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn rules() -> PostingRules {
        PostingRules::new(PostingConfig { latency_max: 60, ..PostingConfig::default() })
    }

    fn inputs() -> BatcherView {
        BatcherView {
            l1_block: 100,
            l1_time: NOW,
            now: NOW,
            prices: GasPrices::default(),
            is_journal_in_sync: true,
            is_behind_others: false,
            backlog: BacklogView {
                blocks: 1,
                oldest: NOW - 60,
                origin_time: NOW - 100,
                origin_age_max: 1_000,
                force_window: 100,
                ..BacklogView::default()
            },
        }
    }

    #[test]
    fn quiet_chain_is_posted_within_the_latency_bound() {
        let mut young = inputs();
        young.backlog.oldest = NOW - 59;
        assert_eq!(rules().check(&young), Err(WaitReason::Filling));
        young.now = NOW + 1;
        assert_eq!(rules().check(&young), Ok(()));
        young.now = NOW;
        assert_eq!(rules().check(&inputs()), Ok(()));
        let mut full = young.clone();
        full.backlog.is_full = true;
        assert_eq!(rules().check(&full), Ok(()));
        let mut stale = young.clone();
        stale.backlog.origin_time = NOW - 250;
        assert_eq!(rules().check(&stale), Ok(()));
        young.backlog.blocks = 0;
        assert_eq!(rules().check(&young), Err(WaitReason::Nothing));
    }

    #[test]
    fn batch_behind_others_waits_to_fill() {
        let config =
            PostingConfig { latency_max: 0, latency_in_flight_max: 3, ..PostingConfig::default() };
        let rules = PostingRules::new(config);
        let mut young = inputs();
        young.backlog.oldest = NOW - 2;
        assert_eq!(rules.check(&young), Ok(()));
        young.is_behind_others = true;
        assert_eq!(rules.check(&young), Err(WaitReason::Filling));
        young.now = NOW + 1;
        assert_eq!(rules.check(&young), Ok(()));
        young.now = NOW;
        young.backlog.is_full = true;
        assert_eq!(rules.check(&young), Ok(()));
    }

    #[test]
    fn old_deposit_makes_batch_due_and_then_urgent() {
        let mut inputs = inputs();
        inputs.backlog.oldest = NOW;
        assert_eq!(inputs.backlog.deadline(), u64::MAX);
        inputs.backlog.deposit_time = Some(NOW - 49);
        assert_eq!(rules().check(&inputs), Err(WaitReason::Filling));
        inputs.backlog.deposit_time = Some(NOW - 50);
        assert_eq!(rules().check(&inputs), Ok(()));
        assert_eq!(inputs.backlog.deadline(), NOW + 25);
    }

    #[test]
    fn wait_doubles_with_each_revert() {
        let mut rules = rules();
        let at = |l1_block| BatcherView { l1_block, ..inputs() };
        assert!(rules.count_revert(100, B256::repeat_byte(1)));
        assert!(!rules.count_revert(101, B256::repeat_byte(1)), "it is counted once");
        assert!(rules.count_revert(100, B256::repeat_byte(7)), "it reverted with the one before");
        assert_eq!(rules.check(&at(101)), Err(WaitReason::Backoff));
        assert_eq!(rules.check(&at(102)), Ok(()));
        assert!(rules.count_revert(102, B256::repeat_byte(2)));
        assert_eq!(rules.check(&at(105)), Err(WaitReason::Backoff));
        assert_eq!(rules.check(&at(106)), Ok(()));
    }

    #[test]
    fn nothing_is_posted_while_the_journal_differs_from_the_inbox() {
        let inputs = BatcherView { is_journal_in_sync: false, ..inputs() };
        assert_eq!(rules().check(&inputs), Err(WaitReason::Journal));
    }
}
