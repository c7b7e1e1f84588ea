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
    BatchFault, BlockInput, DEPOSITOR_ACCOUNT, Derived, Entry, QueuedDeposit, TxEnvelope,
};
use turnpike_storage::Database;

/// News from L1. They are told one by one, and the next is looked for once the one before was dealt with.
#[derive(Debug)]
pub(crate) enum L1Event {
    /// L1 did not answer; it will be asked again.
    Silence(String),
    /// L1 has dropped blocks that were read. What took their place follows.
    Reorg(Reorg),
    /// The next entry.
    Entry(Box<DerivedEntry>),
    /// Where L1 is, after all entries were told.
    Progress(Box<L1Progress>),
}

/// An inbox entry, and what it derives.
#[derive(Debug)]
pub(crate) struct DerivedEntry {
    pub(crate) posted: PostedEntry,
    /// Why its batch was passed over.
    pub(crate) fault: Option<BatchFault>,
    /// Bytes of its data on L1: of calldata, or of whole blobs.
    pub(crate) bytes: u64,
    /// Transactions of its blocks, deposits apart.
    pub(crate) transactions: u64,
    pub(crate) first_block: u64,
    pub(crate) last_block: u64,
    /// Its blocks from the first on that the journal does not hold as they are.
    pub(crate) unknown: Vec<DerivedBlock>,
}

/// A block as L1 gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DerivedBlock {
    pub(crate) input: BlockInput,
    /// Deposits that it takes from the queue.
    pub(crate) queued: Vec<QueuedDeposit>,
}

/// What L1 holds that was not known before, entries excepted.
#[derive(Debug)]
pub(crate) struct L1Progress {
    pub(crate) head: L1Head,
    /// The last L1 block that was read.
    pub(crate) last_read: u64,
    /// The inbox's own entry; none while not even that is deep enough to be read.
    pub(crate) first_entry: Option<Entry>,
    /// Deposits that are new.
    pub(crate) deposits: Vec<QueuedDeposit>,
    /// Every output.
    pub(crate) outputs: Vec<ProposedOutput>,
    /// Every challenge of one, and every game.
    pub(crate) disputes: Arc<Disputes>,
}

/// News on their way to the driver, and how it says that it has dealt with them.
pub(crate) type PendingL1Event = (L1Event, oneshot::Sender<()>);

/// Follows L1 and compares every entry with the journal, by deriving it.
#[derive(Debug)]
pub(crate) struct Tracker {
    view: L1View,
    derivation: Derivation,
    database: Arc<Database>,
    /// What the last look at L1 found, until everything that follows from it was told.
    looked: Option<L1Head>,
    /// Deposits that were told.
    deposits: usize,
}

impl Tracker {
    pub(crate) const fn new(view: L1View, derivation: Derivation, database: Arc<Database>) -> Self {
        Self { view, derivation, database, looked: None, deposits: 0 }
    }

    /// Asks L1 every `poll` until told to stop.
    pub(crate) async fn run(
        mut self,
        poll: Duration,
        news: mpsc::Sender<PendingL1Event>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let looked = async {
                if self.looked.is_none() {
                    ticks.tick().await;
                }
                self.next().await
            };
            let message = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                looked = looked => match looked {
                    Ok(message) => message,
                    Err(error) if is_retryable(&error) => {
                        warn!(error = format!("{error:#}"), "L1 does not answer");
                        L1Event::Silence(format!("{error:#}"))
                    }
                    Err(error) => return Err(error),
                }
            };
            let (done, is_done) = oneshot::channel();
            if news.send((message, done)).await.is_err() || is_done.await.is_err() {
                return Ok(());
            }
        }
    }

    /// The next news; a look at L1 begins when all that the last one found was told, or could not be told.
    pub(crate) async fn next(&mut self) -> anyhow::Result<L1Event> {
        let found = self.find().await;
        if !matches!(&found, Ok(L1Event::Entry(_) | L1Event::Reorg(_))) {
            self.looked = None;
        }
        found
    }

    async fn find(&mut self) -> anyhow::Result<L1Event> {
        let head = match self.looked {
            Some(head) => head,
            None => {
                let advance = self.view.advance().await?;
                self.looked = Some(advance.head);
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
        let told = std::mem::replace(&mut self.deposits, self.view.deposits().len());
        Ok(L1Event::Progress(Box::new(L1Progress {
            head,
            last_read: self.view.last_read().unwrap_or(0),
            first_entry: self.view.entries().first().map(|posted| posted.entry),
            deposits: self.view.deposits()[told..].to_vec(),
            outputs: self.view.outputs().to_vec(),
            disputes: Arc::clone(self.view.disputes()),
        })))
    }

    /// Derives the next entry and finds its blocks in the journal.
    async fn derive(&mut self, source: &EntrySource) -> anyhow::Result<DerivedEntry> {
        let data = source.as_data();
        let index = data.entry.index;
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let posted = *self.view.entries().get(at).expect("invariant: its source was given");
        let first_block = self.derivation.head().number + 1;
        let derivation = &self.derivation;
        let derived = block_in_place(|| derivation.preview(source))?;
        if let Some(fault) = &derived.fault {
            warn!(entry = index, %fault, "bad batch: passed over by rule");
        }
        let transactions = derived.blocks.iter().map(|block| block.transactions.len() as u64).sum();
        let fault = derived.fault.clone();
        let last_block = first_block + derived.blocks.len() as u64 - 1;
        let blocks = with_deposits(derived, data.deposits);
        let known = known_blocks(&self.database, &blocks).await?;
        let news = DerivedEntry {
            posted,
            fault,
            bytes: data.data.len() as u64,
            transactions,
            first_block,
            last_block,
            unknown: blocks.into_iter().skip(known).collect(),
        };
        self.derivation.derive(&posted, source)?;
        Ok(news)
    }
}

/// How many of the blocks, from the first on, the journal holds as they are.
pub(crate) async fn known_blocks(
    database: &Database,
    blocks: &[DerivedBlock],
) -> anyhow::Result<usize> {
    let Some(first) = blocks.first() else { return Ok(0) };
    let records = database.sealed_blocks(first.input.number, u32::try_from(blocks.len())?).await?;
    let pairs = records.iter().zip(blocks);
    Ok(pairs.take_while(|(record, block)| record.is_block(&block.input)).count())
}

/// Gives each block the deposits that it takes from the queue, named as the batch names them.
fn with_deposits(derived: Derived, deposits: &[turnpike_protocol::Deposit]) -> Vec<DerivedBlock> {
    let mut hints = derived.deposit_hints.into_iter();
    let mut queue = deposits
        .iter()
        .map(|deposit| QueuedDeposit { deposit: deposit.clone(), hint: hints.next() });
    let blocks = derived.blocks.into_iter().map(|input| {
        let count = input.deposits.iter().filter(|deposit| is_of_queue(deposit)).count();
        DerivedBlock { queued: queue.by_ref().take(count).collect(), input }
    });
    blocks.collect()
}

/// Whether a deposit is not the attributes transaction, whose sender nobody else can be.
fn is_of_queue(deposit: &TxEnvelope) -> bool {
    deposit.as_deposit().is_none_or(|deposit| deposit.from != DEPOSITOR_ACCOUNT)
}

fn is_retryable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<L1Error>().is_some_and(L1Error::is_retryable)
}
