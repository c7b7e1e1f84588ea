//! When to post which batch, with which nonce and limits: pure.
//!
//! # State
//!
//! Reverted transactions in a row, and since when a foreign transaction waits. Time and chain come
//! in with [`BatcherView`].

use alloy_primitives::B256;
use turnpike_protocol::DataKind;
use turnpike_tx_manager::{AccountState, FeeLimits, Fees, GasPrices};

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
    pub(crate) account: AccountState,
    /// Whether the journal holds the blocks that the inbox derives. Nothing is posted otherwise.
    pub(crate) is_journal_in_sync: bool,
    /// The recorded batch of the next entry.
    pub(crate) in_flight: Option<PendingBatch>,
    /// Bids of the transactions signed with the next nonce.
    pub(crate) next_bids: Option<NonceBids>,
    pub(crate) backlog: BacklogView,
}

/// A recorded batch that the inbox does not hold yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingBatch {
    /// Whether the next entry can still hold it.
    pub(crate) is_valid: bool,
    /// The newest transaction for it.
    pub(crate) l1_transaction: B256,
    pub(crate) nonce: u64,
    /// Newest L1 block when the transaction was signed.
    pub(crate) l1_block: u64,
    pub(crate) status: BatchTxStatus,
}

/// Status of the newest transaction for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchTxStatus {
    /// The pool holds it.
    Pending,
    /// L1 does not know it.
    Unknown,
    /// The pool refused it.
    Refused,
    /// A block holds it: the inbox is about to show the entry.
    Included,
    /// A block holds it, and it reverted.
    Reverted,
    /// Another transaction used its nonce.
    Displaced,
}

/// Bids of the transactions signed with the next nonce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NonceBids {
    /// The highest of each fee.
    pub(crate) fees: Fees,
    /// Data kind of the newest. Pools replace blob transactions by blob transactions only, and no
    /// others by them.
    pub(crate) kind: DataKind,
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
    /// Entries between the next one and their origin.
    pub(crate) origin_lag: u64,
    /// Largest allowed number of them.
    pub(crate) origin_lag_max: u64,
    /// L1 time of the oldest queued deposit, in seconds, if the blocks hold it.
    pub(crate) deposit_time: Option<u64>,
    /// Seconds after which a deposit is overdue.
    pub(crate) force_window: u64,
}

/// What the batcher does in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PostingDecision {
    Wait(WaitReason),
    /// Broadcast the newest transaction of the recorded batch again.
    Rebroadcast,
    /// Sign and send a transaction.
    Send(SendPlan),
}

/// A transaction to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendPlan {
    pub(crate) batch: BatchSource,
    pub(crate) nonce: u64,
    /// Highest fees of the transactions that it replaces.
    pub(crate) replaced: Option<Fees>,
    /// Required data kind.
    pub(crate) kind: Option<DataKind>,
    /// Largest bids.
    pub(crate) limits: FeeLimits,
}

/// Which batch a transaction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSource {
    /// A new one, packed from the journal.
    New,
    /// The recorded one.
    Recorded,
}

/// Why nothing is sent in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// L1 holds every block.
    Nothing,
    /// The batch waits for more blocks.
    Filling,
    /// A transaction is in flight.
    InFlight,
    /// The inbox is about to show an entry.
    Inclusion,
    /// The inbox holds blocks that the journal does not.
    Journal,
    /// L1's clock is too far behind the blocks'.
    Clock,
    /// L1 gas costs more than the limit.
    Price,
    /// The account cannot pay the worst case.
    Funds,
    /// The pool holds a foreign transaction with the account's next nonce.
    Foreign,
    /// Transactions reverted on L1.
    Backoff,
    /// L1 would refuse the batch, or the pool refused it.
    Rejected,
}

impl WaitReason {
    /// Its label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Filling => "filling",
            Self::InFlight => "in_flight",
            Self::Inclusion => "inclusion",
            Self::Journal => "journal",
            Self::Clock => "clock",
            Self::Price => "price",
            Self::Funds => "funds",
            Self::Foreign => "foreign",
            Self::Backoff => "backoff",
            Self::Rejected => "rejected",
        }
    }

    /// Whether an operator may have to act.
    pub const fn is_trouble(self) -> bool {
        match self {
            Self::Nothing | Self::Filling | Self::InFlight | Self::Inclusion => false,
            Self::Journal
            | Self::Clock
            | Self::Price
            | Self::Funds
            | Self::Foreign
            | Self::Backoff
            | Self::Rejected => true,
        }
    }
}

/// Decides what is sent. It knows no clock, network or database.
#[derive(Debug)]
pub(crate) struct PostingRules {
    config: PostingConfig,
    /// Consecutive reverted transactions.
    failures: u32,
    /// The last of them.
    failed: Option<B256>,
    /// No batch is sent before this L1 block.
    retry_at: u64,
    /// L1 block since which a foreign transaction is pending.
    foreign_since: Option<u64>,
}

impl PostingRules {
    pub(crate) const fn new(config: PostingConfig) -> Self {
        Self { config, failures: 0, failed: None, retry_at: 0, foreign_since: None }
    }

    /// The last transaction that reverted.
    pub(crate) const fn failed(&self) -> Option<B256> {
        self.failed
    }

    /// Resets the count of reverted transactions: L1 included a batch.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn decide(&mut self, inputs: &BatcherView) -> PostingDecision {
        if let Some(in_flight) = &inputs.in_flight
            && let Some(decision) = self.follow_up(inputs, in_flight)
        {
            return decision;
        }
        self.post(inputs)
    }

    /// The recorded batch would revert by now: the transaction that replaces it.
    pub(crate) fn replace(&self, inputs: &BatcherView) -> Result<SendPlan, WaitReason> {
        if !inputs.is_journal_in_sync {
            return Err(WaitReason::Journal);
        }
        if inputs.backlog.blocks == 0 {
            return Err(WaitReason::Nothing);
        }
        Ok(self.send(inputs, BatchSource::New))
    }

    /// What a recorded batch needs; `None` if another one takes its place.
    fn follow_up(
        &mut self,
        inputs: &BatcherView,
        in_flight: &PendingBatch,
    ) -> Option<PostingDecision> {
        match in_flight.status {
            BatchTxStatus::Included => return Some(PostingDecision::Wait(WaitReason::Inclusion)),
            BatchTxStatus::Reverted => {
                self.note_failure(inputs, in_flight.l1_transaction);
                return None;
            }
            BatchTxStatus::Pending
            | BatchTxStatus::Unknown
            | BatchTxStatus::Refused
            | BatchTxStatus::Displaced => {}
        }
        if !in_flight.is_valid {
            return None;
        }
        let age = inputs.l1_block.saturating_sub(in_flight.l1_block);
        let is_patient = age < self.config.bump_blocks;
        let is_next = in_flight.nonce == inputs.account.nonce;
        Some(match in_flight.status {
            // Its nonce is not the next one: transactions before it may still be included.
            BatchTxStatus::Pending | BatchTxStatus::Unknown | BatchTxStatus::Refused
                if !is_next && is_patient =>
            {
                PostingDecision::Wait(WaitReason::InFlight)
            }
            BatchTxStatus::Pending if is_patient => PostingDecision::Wait(WaitReason::InFlight),
            // An unknown transaction is replaced like a pending one.
            BatchTxStatus::Unknown if is_next && is_patient => PostingDecision::Rebroadcast,
            // Replace at most once an L1 block: the bid doubles each time.
            BatchTxStatus::Refused if age == 0 => PostingDecision::Wait(WaitReason::Rejected),
            _ => PostingDecision::Send(self.send(inputs, BatchSource::Recorded)),
        })
    }

    /// Decides about the next batch.
    fn post(&mut self, inputs: &BatcherView) -> PostingDecision {
        if !inputs.is_journal_in_sync {
            return PostingDecision::Wait(WaitReason::Journal);
        }
        if inputs.backlog.blocks == 0 {
            return PostingDecision::Wait(WaitReason::Nothing);
        }
        if inputs.l1_block < self.retry_at {
            return PostingDecision::Wait(WaitReason::Backoff);
        }
        if self.is_foreign_in_the_way(inputs) {
            return PostingDecision::Wait(WaitReason::Foreign);
        }
        if !self.is_due(inputs) {
            return PostingDecision::Wait(WaitReason::Filling);
        }
        PostingDecision::Send(self.send(inputs, BatchSource::New))
    }

    fn send(&self, inputs: &BatcherView, batch: BatchSource) -> SendPlan {
        let bids = inputs.next_bids.as_ref();
        SendPlan {
            batch,
            nonce: inputs.account.nonce,
            replaced: bids.map(|bids| bids.fees),
            kind: bids.map(|bids| bids.kind),
            limits: self.limits(inputs),
        }
    }

    /// Whether the backlog has to be posted now.
    fn is_due(&self, inputs: &BatcherView) -> bool {
        let backlog = &inputs.backlog;
        let age = inputs.now.max(inputs.l1_time).saturating_sub(backlog.oldest);
        backlog.is_full
            || age >= self.config.latency_max
            || backlog.origin_lag >= backlog.origin_lag_max / 2
            || is_deposit_older(inputs, backlog.force_window / DEPOSIT_DUE_PART)
    }

    /// Largest bids. There is no limit once a deposit is about to be overdue.
    fn limits(&self, inputs: &BatcherView) -> FeeLimits {
        let last_call = inputs.backlog.force_window / 4 * DEPOSIT_FORCED_QUARTERS;
        if is_deposit_older(inputs, last_call) {
            return FeeLimits::NONE;
        }
        FeeLimits {
            max_fee_per_gas: self.config.max_fee_per_gas,
            max_fee_per_blob_gas: self.config.max_fee_per_blob_gas,
        }
    }

    fn note_failure(&mut self, inputs: &BatcherView, l1_transaction: B256) {
        if self.failed == Some(l1_transaction) {
            return;
        }
        self.failed = Some(l1_transaction);
        self.failures += 1;
        self.retry_at = inputs.l1_block + (1 << self.failures.min(BACKOFF_DOUBLINGS_MAX));
    }

    /// Whether the pool holds a foreign transaction with the next nonce. After as many blocks as an
    /// own transaction gets, the batcher takes its nonce.
    fn is_foreign_in_the_way(&mut self, inputs: &BatcherView) -> bool {
        let is_there =
            inputs.next_bids.is_none() && inputs.account.pending_nonce > inputs.account.nonce;
        if !is_there {
            self.foreign_since = None;
            return false;
        }
        let since = *self.foreign_since.get_or_insert(inputs.l1_block);
        inputs.l1_block.saturating_sub(since) < self.config.bump_blocks
    }
}

fn is_deposit_older(inputs: &BatcherView, seconds: u64) -> bool {
    let deposit = inputs.backlog.deposit_time;
    deposit.is_some_and(|time| inputs.l1_time.saturating_sub(time) >= seconds)
}

/// Bids of the transactions signed with one nonce, from oldest to newest.
pub(crate) fn nonce_bids(attempts: impl Iterator<Item = (Fees, DataKind)>) -> Option<NonceBids> {
    attempts.fold(None, |bids: Option<NonceBids>, (fees, kind)| {
        let fees = bids.map_or(fees, |bids| bids.fees.max(&fees));
        Some(NonceBids { fees, kind })
    })
}

#[cfg(test)]
mod tests {
    use turnpike_tx_manager::TxType;

    use super::*;

    const NOW: u64 = 1_000;

    fn posting() -> PostingRules {
        PostingRules::new(PostingConfig {
            bump_blocks: 3,
            latency_max: 60,
            ..PostingConfig::default()
        })
    }

    fn inputs() -> BatcherView {
        BatcherView {
            l1_block: 100,
            l1_time: NOW,
            now: NOW,
            prices: GasPrices { base_fee: 1, priority_fee: 1, blob_base_fee: 1 },
            account: AccountState { nonce: 5, pending_nonce: 5, ..AccountState::default() },
            is_journal_in_sync: true,
            in_flight: None,
            next_bids: None,
            backlog: BacklogView {
                blocks: 1,
                oldest: NOW - 60,
                origin_lag_max: 1_000,
                force_window: 100,
                ..BacklogView::default()
            },
        }
    }

    fn in_flight(status: BatchTxStatus) -> BatcherView {
        let sent = PendingBatch {
            is_valid: true,
            l1_transaction: B256::repeat_byte(1),
            nonce: 5,
            l1_block: 100,
            status,
        };
        let fees =
            Fees { max_fee_per_gas: 100, max_priority_fee_per_gas: 10, max_fee_per_blob_gas: 7 };
        let next_bids = Some(NonceBids { fees, kind: DataKind::Blobs });
        BatcherView { in_flight: Some(sent), next_bids, ..inputs() }
    }

    fn sent(decision: PostingDecision) -> SendPlan {
        match decision {
            PostingDecision::Send(send) => send,
            other => panic!("sends, but: {other:?}"),
        }
    }

    #[test]
    fn quiet_chain_is_posted_within_the_latency_bound() {
        let mut young = inputs();
        young.backlog.oldest = NOW - 59;
        assert_eq!(posting().decide(&young), PostingDecision::Wait(WaitReason::Filling));
        assert_eq!(
            posting().decide(&BatcherView { now: NOW + 1, ..young.clone() }),
            posting().decide(&inputs())
        );
        let send = sent(posting().decide(&inputs()));
        assert_eq!((send.batch, send.nonce, send.replaced), (BatchSource::New, 5, None));
        let mut full = young.clone();
        full.backlog.is_full = true;
        sent(posting().decide(&full));
        let mut stale = young.clone();
        stale.backlog.origin_lag = 500;
        sent(posting().decide(&stale));
        young.backlog.blocks = 0;
        assert_eq!(posting().decide(&young), PostingDecision::Wait(WaitReason::Nothing));
    }

    #[test]
    fn old_deposit_makes_batch_due_and_then_lifts_the_price_limit() {
        let mut inputs = inputs();
        inputs.backlog.oldest = NOW;
        inputs.backlog.deposit_time = Some(NOW - 49);
        assert_eq!(posting().decide(&inputs), PostingDecision::Wait(WaitReason::Filling));
        inputs.backlog.deposit_time = Some(NOW - 50);
        assert_ne!(sent(posting().decide(&inputs)).limits, FeeLimits::NONE);
        inputs.backlog.deposit_time = Some(NOW - 75);
        assert_eq!(sent(posting().decide(&inputs)).limits, FeeLimits::NONE);
    }

    #[test]
    fn pending_batch_is_replaced_after_bump_blocks() {
        let mut inputs = in_flight(BatchTxStatus::Pending);
        assert_eq!(posting().decide(&inputs), PostingDecision::Wait(WaitReason::InFlight));
        inputs.l1_block = 102;
        assert_eq!(posting().decide(&inputs), PostingDecision::Wait(WaitReason::InFlight));
        inputs.l1_block = 103;
        let send = sent(posting().decide(&inputs));
        assert_eq!((send.batch, send.nonce), (BatchSource::Recorded, 5));
        assert_eq!(send.kind, Some(DataKind::Blobs), "blobs replace blobs");
        let bumped = send.replaced.map(|fees| fees.bumped(TxType::Blobs));
        assert_eq!(bumped.map(|fees| fees.max_fee_per_gas), Some(200));
    }

    #[test]
    fn unknown_transaction_is_rebroadcast_then_replaced() {
        assert_eq!(
            posting().decide(&in_flight(BatchTxStatus::Unknown)),
            PostingDecision::Rebroadcast
        );
        let mut hidden = in_flight(BatchTxStatus::Unknown);
        hidden.l1_block = 103;
        assert_eq!(sent(posting().decide(&hidden)).batch, BatchSource::Recorded);
        assert_eq!(
            posting().decide(&in_flight(BatchTxStatus::Included)),
            PostingDecision::Wait(WaitReason::Inclusion)
        );
        let mut refused = in_flight(BatchTxStatus::Refused);
        assert_eq!(posting().decide(&refused), PostingDecision::Wait(WaitReason::Rejected));
        refused.l1_block = 101;
        assert_eq!(sent(posting().decide(&refused)).batch, BatchSource::Recorded);
    }

    #[test]
    fn invalid_batch_is_replaced_by_a_new_one_with_the_same_nonce() {
        let mut inputs = in_flight(BatchTxStatus::Pending);
        inputs.in_flight.as_mut().expect("there").is_valid = false;
        let send = sent(posting().decide(&inputs));
        assert_eq!((send.batch, send.nonce), (BatchSource::New, 5));
        assert!(send.replaced.is_some(), "it replaces the old one");
    }

    #[test]
    fn wait_doubles_with_each_revert() {
        let mut posting = posting();
        let mut inputs = in_flight(BatchTxStatus::Reverted);
        inputs.account = AccountState { nonce: 6, pending_nonce: 6, ..inputs.account };
        inputs.next_bids = None;
        assert_eq!(posting.decide(&inputs), PostingDecision::Wait(WaitReason::Backoff));
        inputs.l1_block = 101;
        assert_eq!(posting.decide(&inputs), PostingDecision::Wait(WaitReason::Backoff));
        inputs.l1_block = 102;
        assert_eq!(sent(posting.decide(&inputs)).nonce, 6);
        inputs.in_flight.as_mut().expect("there").l1_transaction = B256::repeat_byte(2);
        assert_eq!(posting.decide(&inputs), PostingDecision::Wait(WaitReason::Backoff));
        inputs.l1_block = 105;
        assert_eq!(posting.decide(&inputs), PostingDecision::Wait(WaitReason::Backoff));
        inputs.l1_block = 106;
        sent(posting.decide(&inputs));
    }

    #[test]
    fn foreign_nonces_are_taken_or_skipped() {
        let mut posting = posting();
        let mut foreign = inputs();
        foreign.account.pending_nonce = 6;
        assert_eq!(posting.decide(&foreign), PostingDecision::Wait(WaitReason::Foreign));
        foreign.l1_block = 103;
        assert_eq!(sent(posting.decide(&foreign)).nonce, 5, "the batcher takes its nonce");
        // Ours had nonce 5, which another transaction used.
        let mut displaced = in_flight(BatchTxStatus::Displaced);
        displaced.account = AccountState { nonce: 6, pending_nonce: 6, ..displaced.account };
        displaced.next_bids = None;
        let send = sent(posting.decide(&displaced));
        assert_eq!((send.batch, send.nonce), (BatchSource::Recorded, 6));
        // Ours has nonce 5, and a reorg rewound the account to 4.
        let mut gap = in_flight(BatchTxStatus::Pending);
        gap.account = AccountState { nonce: 4, pending_nonce: 4, ..gap.account };
        gap.next_bids = None;
        assert_eq!(posting.decide(&gap), PostingDecision::Wait(WaitReason::InFlight));
        gap.l1_block = 103;
        assert_eq!(sent(posting.decide(&gap)).nonce, 4);
    }

    #[test]
    fn nothing_is_posted_while_the_journal_differs_from_the_inbox() {
        let inputs = BatcherView { is_journal_in_sync: false, ..inputs() };
        assert_eq!(posting().decide(&inputs), PostingDecision::Wait(WaitReason::Journal));
    }
}
