use alloy_primitives::B256;
use turnpike_protocol::DataKind;
use turnpike_tx_manager::{AccountState, FeeLimits, Fees, GasPrices};

use crate::PostingConfig;

/// Share of the force window after which a deposit makes its batch due: one part in so many.
const DEPOSIT_DUE_PART: u64 = 2;

/// Share of the force window after which a deposit's batch is posted at any price, in quarters.
const DEPOSIT_FORCED_QUARTERS: u64 = 3;

/// Longest wait after transactions that failed on L1, in doublings of an L1 block.
const BACKOFF_DOUBLINGS_MAX: u32 = 8;

/// All that a decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Newest L1 block.
    pub(crate) l1_block: u64,
    /// Its timestamp, in seconds.
    pub(crate) l1_time: u64,
    /// Now, in seconds.
    pub(crate) now: u64,
    pub(crate) prices: GasPrices,
    pub(crate) account: AccountState,
    /// Whether the journal holds what the inbox derives: nothing else can be built upon.
    pub(crate) is_journal_in_step: bool,
    /// The recorded batch for the next entry.
    pub(crate) in_flight: Option<InFlight>,
    /// What was signed with the nonce that L1 takes next.
    pub(crate) slot: Option<Slot>,
    pub(crate) backlog: BacklogView,
}

/// A recorded batch that the inbox does not hold.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    /// Whether it still is what the next entry is to hold.
    pub(crate) is_valid: bool,
    /// The newest transaction for it.
    pub(crate) l1_transaction: B256,
    pub(crate) nonce: u64,
    /// Newest L1 block when that was signed.
    pub(crate) l1_block: u64,
    pub(crate) fate: Fate,
}

/// What became of the newest transaction for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// L1 knows it, and it waits.
    Waiting,
    /// L1 does not know it.
    Unknown,
    /// L1 did not take it, at this fee or at all.
    Refused,
    /// L1 holds it: the inbox is about to show the entry.
    Included,
    /// L1 holds it, and it failed.
    Reverted,
    /// L1 holds another transaction with its nonce.
    Displaced,
}

/// The transactions that were signed with the nonce that L1 takes next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The most that any of them pays.
    pub(crate) fees: Fees,
    /// Where the newest's data is: pools replace blobs by blobs only, and nothing else by them.
    pub(crate) kind: DataKind,
}

/// The blocks that L1 does not hold yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BacklogView {
    /// How many may go into the next batch.
    pub(crate) blocks: u64,
    /// Timestamp of the first of them, in seconds.
    pub(crate) oldest: u64,
    /// Whether they fill a batch.
    pub(crate) is_full: bool,
    /// Entries between the next one and their origin.
    pub(crate) origin_lag: u64,
    /// Entries that may lie between.
    pub(crate) origin_lag_max: u64,
    /// L1 time of the first deposit that waits, if they hold it, in seconds.
    pub(crate) deposit_time: Option<u64>,
    /// Seconds after which a deposit is overdue.
    pub(crate) force_window: u64,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Wait(Wait),
    /// Hand L1 the newest transaction of the recorded batch once more.
    Rebroadcast,
    /// Sign and send.
    Send(Send),
}

/// A transaction to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) batch: BatchSource,
    pub(crate) nonce: u64,
    /// What the transactions that it replaces bid.
    pub(crate) replaced: Option<Fees>,
    /// Where its data has to be.
    pub(crate) kind: Option<DataKind>,
    /// What it may bid, at most.
    pub(crate) limits: FeeLimits,
}

/// Which batch a transaction is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSource {
    /// One to be packed from the journal.
    New,
    /// The recorded one.
    Recorded,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// L1 holds every block.
    Nothing,
    /// More blocks may come into the batch.
    Filling,
    /// A transaction is on its way.
    InFlight,
    /// The inbox is about to show an entry.
    Inclusion,
    /// The inbox holds blocks that the journal does not.
    Journal,
    /// L1's clock is too far behind the blocks'.
    Clock,
    /// L1 asks for more than may be offered.
    Price,
    /// The account could not pay the worst case.
    Funds,
    /// A transaction that this batcher does not know waits with the account's nonce.
    Foreign,
    /// Transactions failed on L1.
    Backoff,
    /// L1 would refuse the batch, or did.
    Rejected,
}

impl Wait {
    /// Its name in metrics.
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

    /// Whether somebody may have to do something about it.
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

/// Decides what is sent. Knows no clock, no network and no database.
#[derive(Debug)]
pub(crate) struct Posting {
    config: PostingConfig,
    /// Transactions in a row that failed on L1.
    failures: u32,
    /// The last of them.
    failed: Option<B256>,
    /// No batch is sent before this L1 block.
    retry_at: u64,
    /// L1 block since which a foreign transaction waits.
    foreign_since: Option<u64>,
}

impl Posting {
    pub(crate) const fn new(config: PostingConfig) -> Self {
        Self { config, failures: 0, failed: None, retry_at: 0, foreign_since: None }
    }

    /// The last transaction that failed on L1.
    pub(crate) const fn failed(&self) -> Option<B256> {
        self.failed
    }

    /// L1 holds another batch of ours.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn decide(&mut self, look: &Look) -> Decision {
        if let Some(in_flight) = &look.in_flight
            && let Some(decision) = self.follow_up(look, in_flight)
        {
            return decision;
        }
        self.post(look)
    }

    /// The recorded batch would fail by now: what takes its place.
    pub(crate) fn replace(&self, look: &Look) -> Result<Send, Wait> {
        if !look.is_journal_in_step {
            return Err(Wait::Journal);
        }
        if look.backlog.blocks == 0 {
            return Err(Wait::Nothing);
        }
        Ok(self.send(look, BatchSource::New))
    }

    /// What a recorded batch asks for; `None` if it is time for another one.
    fn follow_up(&mut self, look: &Look, in_flight: &InFlight) -> Option<Decision> {
        match in_flight.fate {
            Fate::Included => return Some(Decision::Wait(Wait::Inclusion)),
            Fate::Reverted => {
                self.note_failure(look, in_flight.l1_transaction);
                return None;
            }
            Fate::Waiting | Fate::Unknown | Fate::Refused | Fate::Displaced => {}
        }
        if !in_flight.is_valid {
            return None;
        }
        let age = look.l1_block.saturating_sub(in_flight.l1_block);
        let is_patient = age < self.config.bump_blocks;
        let is_next = in_flight.nonce == look.account.nonce;
        Some(match in_flight.fate {
            // Its nonce is not the next: what comes before it may still arrive.
            Fate::Waiting | Fate::Unknown | Fate::Refused if !is_next && is_patient => {
                Decision::Wait(Wait::InFlight)
            }
            Fate::Waiting if is_patient => Decision::Wait(Wait::InFlight),
            // One that L1 hides is replaced like one that waits.
            Fate::Unknown if is_next && is_patient => Decision::Rebroadcast,
            // Once in an L1 block: what is offered doubles each time.
            Fate::Refused if age == 0 => Decision::Wait(Wait::Rejected),
            _ => Decision::Send(self.send(look, BatchSource::Recorded)),
        })
    }

    /// Whether and how the next batch is sent.
    fn post(&mut self, look: &Look) -> Decision {
        if !look.is_journal_in_step {
            return Decision::Wait(Wait::Journal);
        }
        if look.backlog.blocks == 0 {
            return Decision::Wait(Wait::Nothing);
        }
        if look.l1_block < self.retry_at {
            return Decision::Wait(Wait::Backoff);
        }
        if self.is_foreign_in_the_way(look) {
            return Decision::Wait(Wait::Foreign);
        }
        if !self.is_due(look) {
            return Decision::Wait(Wait::Filling);
        }
        Decision::Send(self.send(look, BatchSource::New))
    }

    fn send(&self, look: &Look, batch: BatchSource) -> Send {
        let slot = look.slot.as_ref();
        Send {
            batch,
            nonce: look.account.nonce,
            replaced: slot.map(|slot| slot.fees),
            kind: slot.map(|slot| slot.kind),
            limits: self.limits(look),
        }
    }

    /// Whether the blocks that wait have to be posted now.
    fn is_due(&self, look: &Look) -> bool {
        let backlog = &look.backlog;
        let age = look.now.max(look.l1_time).saturating_sub(backlog.oldest);
        backlog.is_full
            || age >= self.config.latency_max
            || backlog.origin_lag >= backlog.origin_lag_max / 2
            || is_deposit_older(look, backlog.force_window / DEPOSIT_DUE_PART)
    }

    /// What may be offered: anything once a deposit is about to be overdue.
    fn limits(&self, look: &Look) -> FeeLimits {
        let last_call = look.backlog.force_window / 4 * DEPOSIT_FORCED_QUARTERS;
        if is_deposit_older(look, last_call) {
            return FeeLimits::NONE;
        }
        FeeLimits {
            max_fee_per_gas: self.config.max_fee_per_gas,
            max_fee_per_blob_gas: self.config.max_fee_per_blob_gas,
        }
    }

    fn note_failure(&mut self, look: &Look, l1_transaction: B256) {
        if self.failed == Some(l1_transaction) {
            return;
        }
        self.failed = Some(l1_transaction);
        self.failures += 1;
        self.retry_at = look.l1_block + (1 << self.failures.min(BACKOFF_DOUBLINGS_MAX));
    }

    /// Whether the pool holds a transaction of the account that was not recorded. It is given the time that an own
    /// transaction gets; then its place is taken.
    fn is_foreign_in_the_way(&mut self, look: &Look) -> bool {
        let is_there = look.slot.is_none() && look.account.pending_nonce > look.account.nonce;
        if !is_there {
            self.foreign_since = None;
            return false;
        }
        let since = *self.foreign_since.get_or_insert(look.l1_block);
        look.l1_block.saturating_sub(since) < self.config.bump_blocks
    }
}

fn is_deposit_older(look: &Look, seconds: u64) -> bool {
    let deposit = look.backlog.deposit_time;
    deposit.is_some_and(|time| look.l1_time.saturating_sub(time) >= seconds)
}

/// The transactions signed with one nonce, from oldest to newest.
pub(crate) fn slot(attempts: impl Iterator<Item = (Fees, DataKind)>) -> Option<Slot> {
    attempts.fold(None, |slot: Option<Slot>, (fees, kind)| {
        let fees = slot.map_or(fees, |slot| slot.fees.max(&fees));
        Some(Slot { fees, kind })
    })
}

#[cfg(test)]
mod tests {
    use turnpike_tx_manager::TxType;

    use super::*;

    const NOW: u64 = 1_000;

    fn posting() -> Posting {
        Posting::new(PostingConfig { bump_blocks: 3, latency_max: 60, ..PostingConfig::default() })
    }

    fn look() -> Look {
        Look {
            l1_block: 100,
            l1_time: NOW,
            now: NOW,
            prices: GasPrices { base_fee: 1, priority_fee: 1, blob_base_fee: 1 },
            account: AccountState { nonce: 5, pending_nonce: 5, ..AccountState::default() },
            is_journal_in_step: true,
            in_flight: None,
            slot: None,
            backlog: BacklogView {
                blocks: 1,
                oldest: NOW - 60,
                origin_lag_max: 1_000,
                force_window: 100,
                ..BacklogView::default()
            },
        }
    }

    fn in_flight(fate: Fate) -> Look {
        let sent = InFlight {
            is_valid: true,
            l1_transaction: B256::repeat_byte(1),
            nonce: 5,
            l1_block: 100,
            fate,
        };
        let fees =
            Fees { max_fee_per_gas: 100, max_priority_fee_per_gas: 10, max_fee_per_blob_gas: 7 };
        let slot = Some(Slot { fees, kind: DataKind::Blobs });
        Look { in_flight: Some(sent), slot, ..look() }
    }

    fn sent(decision: Decision) -> Send {
        match decision {
            Decision::Send(send) => send,
            other => panic!("sends, but: {other:?}"),
        }
    }

    #[test]
    fn a_quiet_chain_is_posted_within_the_bound() {
        let mut young = look();
        young.backlog.oldest = NOW - 59;
        assert_eq!(posting().decide(&young), Decision::Wait(Wait::Filling));
        assert_eq!(
            posting().decide(&Look { now: NOW + 1, ..young.clone() }),
            posting().decide(&look())
        );
        let send = sent(posting().decide(&look()));
        assert_eq!((send.batch, send.nonce, send.replaced), (BatchSource::New, 5, None));
        let mut full = young.clone();
        full.backlog.is_full = true;
        sent(posting().decide(&full));
        let mut stale = young.clone();
        stale.backlog.origin_lag = 500;
        sent(posting().decide(&stale));
        young.backlog.blocks = 0;
        assert_eq!(posting().decide(&young), Decision::Wait(Wait::Nothing));
    }

    #[test]
    fn a_deposit_hurries_and_in_the_end_pays_any_price() {
        let mut look = look();
        look.backlog.oldest = NOW;
        look.backlog.deposit_time = Some(NOW - 49);
        assert_eq!(posting().decide(&look), Decision::Wait(Wait::Filling));
        look.backlog.deposit_time = Some(NOW - 50);
        assert_ne!(sent(posting().decide(&look)).limits, FeeLimits::NONE);
        look.backlog.deposit_time = Some(NOW - 75);
        assert_eq!(sent(posting().decide(&look)).limits, FeeLimits::NONE);
    }

    #[test]
    fn one_batch_is_in_flight_and_replaced_when_it_lingers() {
        let mut look = in_flight(Fate::Waiting);
        assert_eq!(posting().decide(&look), Decision::Wait(Wait::InFlight));
        look.l1_block = 102;
        assert_eq!(posting().decide(&look), Decision::Wait(Wait::InFlight));
        look.l1_block = 103;
        let send = sent(posting().decide(&look));
        assert_eq!((send.batch, send.nonce), (BatchSource::Recorded, 5));
        assert_eq!(send.kind, Some(DataKind::Blobs), "blobs are replaced by blobs");
        let bumped = send.replaced.map(|fees| fees.bumped(TxType::Blobs));
        assert_eq!(bumped.map(|fees| fees.max_fee_per_gas), Some(200));
    }

    #[test]
    fn what_l1_lost_is_sent_again_as_it_was() {
        assert_eq!(posting().decide(&in_flight(Fate::Unknown)), Decision::Rebroadcast);
        let mut hidden = in_flight(Fate::Unknown);
        hidden.l1_block = 103;
        assert_eq!(sent(posting().decide(&hidden)).batch, BatchSource::Recorded);
        assert_eq!(posting().decide(&in_flight(Fate::Included)), Decision::Wait(Wait::Inclusion));
        let mut refused = in_flight(Fate::Refused);
        assert_eq!(posting().decide(&refused), Decision::Wait(Wait::Rejected));
        refused.l1_block = 101;
        assert_eq!(sent(posting().decide(&refused)).batch, BatchSource::Recorded);
    }

    #[test]
    fn a_batch_that_came_to_stand_elsewhere_is_packed_anew_in_its_place() {
        let mut look = in_flight(Fate::Waiting);
        look.in_flight.as_mut().expect("there").is_valid = false;
        let send = sent(posting().decide(&look));
        assert_eq!((send.batch, send.nonce), (BatchSource::New, 5));
        assert!(send.replaced.is_some(), "it replaces the old one");
    }

    #[test]
    fn failures_are_waited_out_twice_as_long_each_time() {
        let mut posting = posting();
        let mut look = in_flight(Fate::Reverted);
        look.account = AccountState { nonce: 6, pending_nonce: 6, ..look.account };
        look.slot = None;
        assert_eq!(posting.decide(&look), Decision::Wait(Wait::Backoff));
        look.l1_block = 101;
        assert_eq!(posting.decide(&look), Decision::Wait(Wait::Backoff));
        look.l1_block = 102;
        assert_eq!(sent(posting.decide(&look)).nonce, 6);
        look.in_flight.as_mut().expect("there").l1_transaction = B256::repeat_byte(2);
        assert_eq!(posting.decide(&look), Decision::Wait(Wait::Backoff));
        look.l1_block = 105;
        assert_eq!(posting.decide(&look), Decision::Wait(Wait::Backoff));
        look.l1_block = 106;
        sent(posting.decide(&look));
    }

    #[test]
    fn nonces_that_others_use_are_got_over() {
        let mut posting = posting();
        let mut foreign = look();
        foreign.account.pending_nonce = 6;
        assert_eq!(posting.decide(&foreign), Decision::Wait(Wait::Foreign));
        foreign.l1_block = 103;
        assert_eq!(sent(posting.decide(&foreign)).nonce, 5, "its place is taken");
        // Ours was recorded with 5, which went to another transaction.
        let mut displaced = in_flight(Fate::Displaced);
        displaced.account = AccountState { nonce: 6, pending_nonce: 6, ..displaced.account };
        displaced.slot = None;
        let send = sent(posting.decide(&displaced));
        assert_eq!((send.batch, send.nonce), (BatchSource::Recorded, 6));
        // Ours was recorded with 5, and L1 went back to 4.
        let mut gap = in_flight(Fate::Waiting);
        gap.account = AccountState { nonce: 4, pending_nonce: 4, ..gap.account };
        gap.slot = None;
        assert_eq!(posting.decide(&gap), Decision::Wait(Wait::InFlight));
        gap.l1_block = 103;
        assert_eq!(sent(posting.decide(&gap)).nonce, 4);
    }

    #[test]
    fn nothing_is_built_on_what_the_journal_does_not_hold() {
        let look = Look { is_journal_in_step: false, ..look() };
        assert_eq!(posting().decide(&look), Decision::Wait(Wait::Journal));
    }
}
