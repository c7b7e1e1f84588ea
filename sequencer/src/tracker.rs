//! The tracker follows L1 and compares every inbox entry with the journal, by the bytes of the
//! blocks that it derives.
//!
//! # Job
//!
//! It reads L1, derives each new entry once, without recovering signers, and reports events to the
//! driver, one at a time. It reads on once the driver has handled the event before.
//!
//! # State
//!
//! The L1 view and the derivation, in memory.
//!
//! # Recovery
//!
//! A restart reads L1 from its first entry. The driver handles events that it knows already without
//! effect.
//!
//! # Limits
//!
//! One event is in flight at a time, so a slow driver stops the reading of L1.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::block_in_place,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_derivation::Derivation;
use turnpike_l1::{
    Disputes, EntrySource, L1Error, L1Head, L1View, PostedEntry, ProposedOutput, Reorg,
};
use turnpike_protocol::{
    BatchFault, BlockInput, DEPOSITOR_ACCOUNT, DataKind, Derived, Entry, EntryData, QueuedDeposit,
    SignedTx, TxEnvelope, unpack_blobs,
};
use turnpike_signers::recover_blocks;
use turnpike_storage::Database;

/// An event from L1. The tracker sends the next one once the driver has handled this one.
#[derive(Debug)]
pub enum L1Event {
    /// L1 did not answer. The tracker asks again.
    Unavailable(String),
    /// L1 dropped blocks that were read. Events about their replacements follow.
    Reorg(Reorg),
    /// The next inbox entry.
    Entry(Box<DerivedEntry>),
    /// L1's progress, after all entries were reported.
    Progress(Box<L1Progress>),
}

/// An inbox entry and the blocks it derives.
#[derive(Debug)]
pub struct DerivedEntry {
    /// The entry as L1 holds it.
    pub posted: PostedEntry,
    /// Why derivation dropped its batch.
    pub fault: Option<BatchFault>,
    /// Bytes of its data on L1: calldata, or whole blobs.
    pub bytes: u64,
    /// Bytes of its batch: its data without the padding of blobs.
    pub batch_bytes: u64,
    /// Transactions in its blocks, without deposits.
    pub transactions: u64,
    /// First block that the entry holds.
    pub first_block: u64,
    /// Last block that the entry holds.
    pub last_block: u64,
    /// Its blocks from the first one on that differs from the journal. Signers are not recovered.
    pub unknown: Vec<DerivedBlock>,
}

/// A block as derived from L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedBlock<T = TxEnvelope> {
    /// What the block executes.
    pub input: BlockInput<T>,
    /// Deposits that it takes from the queue.
    pub queued: Vec<QueuedDeposit>,
}

/// Recovers the signers of blocks that are executed.
pub(crate) fn recover_signers(blocks: Vec<DerivedBlock>) -> Vec<DerivedBlock<SignedTx>> {
    let (inputs, queued): (Vec<_>, Vec<_>) =
        blocks.into_iter().map(|DerivedBlock { input, queued }| (input, queued)).unzip();
    let recovered = recover_blocks(inputs).into_iter().zip(queued);
    recovered.map(|(input, queued)| DerivedBlock { input, queued }).collect()
}

/// What is new on L1 besides entries.
#[derive(Debug)]
pub struct L1Progress {
    /// Where L1 is.
    pub head: L1Head,
    /// The last L1 block that was read.
    pub last_read: u64,
    /// The inbox's own entry; `None` until it has enough confirmations.
    pub first_entry: Option<Entry>,
    /// New deposits.
    pub deposits: Vec<QueuedDeposit>,
    /// Every output.
    pub outputs: Vec<ProposedOutput>,
    /// Every challenge and game.
    pub disputes: Arc<Disputes>,
}

/// An event on its way to the driver, and the sender that acknowledges it.
pub type PendingL1Event = (L1Event, oneshot::Sender<()>);

/// See the module documentation.
#[derive(Debug)]
pub struct Tracker {
    view: L1View,
    derivation: Derivation,
    database: Arc<Database>,
    /// L1's head at the last poll, until everything that follows from it was reported.
    polled_head: Option<L1Head>,
    /// Number of deposits that were reported.
    deposits: usize,
}

impl Tracker {
    /// Follows L1 from its first block on.
    pub const fn new(view: L1View, derivation: Derivation, database: Arc<Database>) -> Self {
        Self { view, derivation, database, polled_head: None, deposits: 0 }
    }

    /// Polls L1 every `poll` until `stop` is cancelled.
    pub async fn run(
        mut self,
        poll: Duration,
        events: mpsc::Sender<PendingL1Event>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let polled = async {
                if self.polled_head.is_none() {
                    ticks.tick().await;
                }
                self.next().await
            };
            let event = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                polled = polled => match polled {
                    Ok(event) => event,
                    Err(error) if is_retryable(&error) => {
                        warn!(error = format!("{error:#}"), "L1 does not answer");
                        L1Event::Unavailable(format!("{error:#}"))
                    }
                    Err(error) => return Err(error),
                }
            };
            let (done, is_done) = oneshot::channel();
            if events.send((event, done)).await.is_err() || is_done.await.is_err() {
                return Ok(());
            }
        }
    }

    /// The next event. A new poll begins once everything that the last one found was reported, or
    /// after a failure.
    pub async fn next(&mut self) -> anyhow::Result<L1Event> {
        let found = self.find().await;
        if !matches!(&found, Ok(L1Event::Entry(_) | L1Event::Reorg(_))) {
            self.polled_head = None;
        }
        found
    }

    async fn find(&mut self) -> anyhow::Result<L1Event> {
        let head = match self.polled_head {
            Some(head) => head,
            None => {
                let advance = self.view.advance().await?;
                self.polled_head = Some(advance.head);
                if let Some(reorg) = advance.reorg {
                    self.derivation.rewind(reorg.entries.max(1));
                    let left = usize::try_from(reorg.deposits).unwrap_or(usize::MAX);
                    self.deposits = self.deposits.min(left);
                    return Ok(L1Event::Reorg(reorg));
                }
                advance.head
            }
        };
        let next = self.derivation.next_entry();
        if let Some(source) = self.view.source(next).await? {
            return Ok(L1Event::Entry(Box::new(self.derive(&source).await?)));
        }
        let reported = std::mem::replace(&mut self.deposits, self.view.deposits().len());
        Ok(L1Event::Progress(Box::new(L1Progress {
            head,
            last_read: self.view.last_read().unwrap_or(0),
            first_entry: self.view.entries().first().map(|posted| posted.entry),
            deposits: self.view.deposits()[reported..].to_vec(),
            outputs: self.view.outputs().to_vec(),
            disputes: Arc::clone(self.view.disputes()),
        })))
    }

    /// Derives the next entry and compares its blocks with the journal.
    async fn derive(&mut self, source: &EntrySource) -> anyhow::Result<DerivedEntry> {
        let data = source.as_data();
        let index = data.entry.index;
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let posted = *self.view.entries().get(at).expect("invariant: its source was given");
        let derivation = &self.derivation;
        let derived = block_in_place(|| derivation.preview(source))?;
        if let Some(fault) = &derived.fault {
            warn!(entry = index, %fault, "skipping invalid batch");
        }
        let transactions = derived.blocks.iter().map(|block| block.transactions.len() as u64).sum();
        let fault = derived.fault.clone();
        let derived_entry =
            turnpike_derivation::DerivedEntry::new(&posted, &derived.blocks, fault.clone());
        let blocks = with_deposits(derived);
        let known = known_blocks(&self.database, &blocks).await?;
        let entry = DerivedEntry {
            posted,
            fault,
            bytes: data.data.len() as u64,
            batch_bytes: batch_bytes(&data),
            transactions,
            first_block: derived_entry.first_block,
            last_block: derived_entry.last.number,
            unknown: blocks.into_iter().skip(known).collect(),
        };
        self.derivation.resume(derived_entry)?;
        Ok(entry)
    }
}

fn batch_bytes(source: &EntryData<'_>) -> u64 {
    match source.entry.data_kind {
        DataKind::Blobs => unpack_blobs(source.data).map_or(0, |batch| batch.len() as u64),
        DataKind::None | DataKind::Calldata => source.data.len() as u64,
    }
}

/// Number of leading blocks that the journal holds unchanged.
pub async fn known_blocks(database: &Database, blocks: &[DerivedBlock]) -> anyhow::Result<usize> {
    let Some(first) = blocks.first() else { return Ok(0) };
    let records = database.sealed_blocks(first.input.number, u32::try_from(blocks.len())?).await?;
    let pairs = records.iter().zip(blocks);
    Ok(pairs.take_while(|(record, block)| record.is_block(&block.input)).count())
}

/// Assigns to each block the deposits that it takes from the queue.
fn with_deposits(derived: Derived) -> Vec<DerivedBlock> {
    let mut queue = derived.queued.into_iter();
    let blocks = derived.blocks.into_iter().map(|input| {
        let count = input.deposits.iter().filter(|deposit| is_queued(deposit)).count();
        DerivedBlock { queued: queue.by_ref().take(count).collect(), input }
    });
    blocks.collect()
}

/// Whether a deposit comes from the queue. Only the attributes transaction has the depositor
/// account as its sender.
fn is_queued(deposit: &TxEnvelope) -> bool {
    deposit.as_deposit().is_none_or(|deposit| deposit.from != DEPOSITOR_ACCOUNT)
}

fn is_retryable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<L1Error>().is_some_and(L1Error::is_retryable)
}
