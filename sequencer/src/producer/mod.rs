//! The producer: one thread that takes transactions in, runs them in slices, and says when a block is complete.
//!
//! ```text
//! events ─► intake: check against the state so far, pool ─► slice: run what is ready ─► commit
//!                                                             │ block complete
//!                                                             └─► state moves on ─► sealer
//! ```
//!
//! It is the only writer of the pool and, but for L1's reorganisations, of the state. It never waits for the disk: what it
//! did goes to the committer, and the next slice runs while that writes.

mod intake;
mod open;
#[cfg(test)]
mod tests;

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout_at,
};
use tracing::{debug, info_span};
use turnpike_executor::{ExecutedTx, ExecutionHook};
use turnpike_storage::{JournalEntry, SliceEntry};

use self::{
    intake::IntakeBatch,
    open::{ExecutedBlock, OpenBlock, OpenBlockPart},
};
use crate::{
    PooledTx, Shared,
    backlog::Backlog,
    builder::{self, BlockPlan, PoolRemainder},
    committer::{DurableRows, JournalCommit},
    sealer::BlockToSeal,
    shared::Submission,
    unindexed::UnindexedTxs,
};

/// Arrival of a chain's first transaction. What is taken back from blocks waits before all others: there is room for it.
const ARRIVAL_FIRST: u64 = 1 << 62;

/// Transactions that are taken in before the next slice runs.
const INTAKE_TRANSACTIONS_MAX: usize = 2_048;

/// Bytes of transactions that are taken in before the next slice runs; the last request may go beyond. All of them may go into one row
/// of the journal.
const INTAKE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Time between two looks for work that comes without an event, at most.
const LOOK_MAX: Duration = Duration::from_secs(1);

const MILLISECOND: Duration = Duration::from_millis(1);

/// What the producer is told.
#[derive(Debug)]
pub(crate) enum ProducerEvent {
    /// Transactions of a request.
    Submission(Submission),
    /// Something else to do.
    Command(ProducerCommand),
}

/// What ends a block.
#[derive(Debug)]
pub(crate) enum ProducerCommand {
    /// L1 changes the chain: leave everything as it is until told to go on.
    Halt(oneshot::Sender<HaltedProducer>),
    /// Complete the block, if one is open.
    Complete(oneshot::Sender<()>),
    /// Complete the block, an empty one if there is nothing.
    #[cfg(test)]
    Seal(oneshot::Sender<()>),
    /// Complete the block and end.
    Stop,
}

/// The producer stands still until it is told to resume, and ends if it never is. All that it had done is durable.
#[derive(Debug)]
pub(crate) struct HaltedProducer {
    /// What ran in a block that was not complete, and is void now.
    pub(crate) open: Option<Vec<Arc<ExecutedTx>>>,
    /// What was said of transactions and the index has not been told.
    pub(crate) unindexed: UnindexedTxs,
    /// What to tell it then.
    pub(crate) resume: oneshot::Sender<()>,
}

/// What blocks are made from besides transactions, as far as it is not L1's.
#[derive(Debug)]
pub(crate) struct ProductionState {
    /// Whether L1 may have dropped what blocks were made from that it does not hold: then none is opened.
    pub(crate) awaits_l1_recheck: bool,
    /// Deposits that blocks hold: so many of the queue's first.
    pub(crate) deposits_consumed: u64,
    /// Complete blocks that L1 does not hold yet.
    pub(crate) backlog: Backlog,
    /// The arrival of the first transaction in the order, and that of the next to come.
    pub(crate) arrivals: Range<u64>,
}

impl ProductionState {
    /// Nothing has arrived, and what L1 holds is not known: it says how many deposits are consumed.
    pub(crate) fn new() -> Self {
        let arrivals = ARRIVAL_FIRST..ARRIVAL_FIRST;
        Self {
            awaits_l1_recheck: true,
            deposits_consumed: 0,
            backlog: Backlog::default(),
            arrivals,
        }
    }

    /// Takes note of a transaction that arrived before.
    pub(crate) fn note_arrival(&mut self, arrival: u64) {
        let Range { start, end } = self.arrivals;
        self.arrivals = start.min(arrival)..end.max(arrival + 1);
    }
}

/// How blocks are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerConfig {
    /// From one block to the next while there is something to put into them.
    pub(crate) block_interval: Duration,
    /// From one slice to the next, at least.
    pub(crate) slice_interval: Duration,
    /// After which an empty block is made.
    pub(crate) heartbeat: Duration,
    /// Inbox entries that blocks may wait for; past it no block is opened.
    pub(crate) backlog_entries_max: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) production: Arc<Mutex<ProductionState>>,
    pub(crate) config: ProducerConfig,
    pub(crate) runtime: Handle,
    pub(crate) events: mpsc::Receiver<ProducerEvent>,
    pub(crate) commits: mpsc::Sender<JournalCommit>,
    pub(crate) closings: mpsc::Sender<BlockToSeal>,
    /// What may change a block before its state root is computed; honest nodes have none.
    pub(crate) hook: Option<Box<dyn ExecutionHook>>,
    pub(crate) started_at: Instant,
    pub(crate) opened_at: Instant,
    pub(crate) sliced_at: Instant,
    /// Whether there may be transactions whose turn it is.
    pub(crate) has_more: bool,
    /// Transactions whose nonces the last block has used up, with the nonce of the account.
    pub(crate) stale: Vec<(PooledTx, u64)>,
}

/// Another part has ended, and with it the producer: that one knows why.
#[derive(Debug, thiserror::Error)]
#[error("ended")]
struct PartEnded;

/// GatheredEvents that came together.
#[derive(Debug, Default)]
struct GatheredEvents {
    submissions: Vec<Submission>,
    control: Option<ProducerCommand>,
}

impl Producer {
    /// Makes blocks until told to stop.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        match self.produce() {
            // They know why.
            Err(error) if error.is::<PartEnded>() => Ok(()),
            ended => ended,
        }
    }

    fn produce(&mut self) -> anyhow::Result<()> {
        loop {
            let GatheredEvents { submissions, control } = self.gather(self.next_look())?;
            let mut intake = IntakeBatch::default();
            self.take_in_at_rest(submissions, &mut intake);
            self.expire(&mut intake);
            let control = match control {
                None => self.make_block(intake, false)?,
                #[cfg(test)]
                Some(ProducerCommand::Seal(done)) => {
                    let control = self.make_block(intake, true)?;
                    let _ = done.send(());
                    control
                }
                Some(other) => {
                    self.commit(intake, None)?;
                    Some(other)
                }
            };
            match control {
                Some(ProducerCommand::Stop) => return Ok(()),
                Some(ProducerCommand::Halt(reply)) => self.halt(reply, None)?,
                // Whoever asked may be gone.
                Some(ProducerCommand::Complete(done)) => drop(done.send(())),
                #[cfg(test)]
                Some(ProducerCommand::Seal(done)) => drop(done.send(())),
                None => {}
            }
        }
    }

    /// Makes a block, if there is anything to put into one, or if it is time for one in any case. Returns the event that it
    /// did not deal with.
    fn make_block(
        &mut self,
        mut intake: IntakeBatch,
        is_demanded: bool,
    ) -> anyhow::Result<Option<ProducerCommand>> {
        let is_due = is_demanded || self.opened_at.elapsed() >= self.config.heartbeat;
        let plan = if is_due || self.has_work() { self.plan() } else { None };
        let Some(plan) = plan else {
            // What there may be has to wait: it is looked at again before long.
            self.has_more = false;
            self.commit(intake, None)?;
            return Ok(None);
        };
        let deadline = if is_demanded { Instant::now() } else { self.deadline() };
        let shared = Arc::clone(&self.shared);
        // No hold on the chain: the block before gets its roots while this one runs.
        let next = shared.chain.blocking_read().next_block();
        let mut open = OpenBlock::new(&next, plan)?;
        // Whatever is logged on the way names the block.
        let _span = info_span!("block", number = open.number()).entered();
        let mut control = None;
        loop {
            let rest = self.run_slice(&mut open, &mut intake)?;
            self.has_more = rest != PoolRemainder::Empty;
            let is_full = rest == PoolRemainder::TooLarge;
            let is_last = is_full || control.is_some() || Instant::now() >= deadline;
            if is_last && !is_due && open.is_empty() {
                // Only transactions that were refused, or that wait for a lower base fee.
                self.commit(intake, None)?;
                return Ok(control);
            }
            let part =
                if open.is_empty() && !is_last { None } else { Some(open.take_part(is_last)) };
            if is_last {
                let durable = self.commit_last(intake, part)?;
                let ended = open.finish()?;
                drop(next);
                self.close(ended, durable)?;
                return Ok(control);
            }
            self.commit(intake, part)?;
            let until = if self.has_more { Instant::now() } else { deadline };
            let gathered = self.gather(until)?;
            intake = IntakeBatch::default();
            self.take_in(gathered.submissions, &mut open, &mut intake);
            control = gathered.control;
            if let Some(ProducerCommand::Halt(reply)) = control {
                self.commit(intake, None)?;
                let void = open.into_void();
                drop(next);
                self.halt(reply, void)?;
                return Ok(None);
            }
        }
    }

    /// Runs what is ready, as far as it fits.
    fn run_slice(
        &self,
        open: &mut OpenBlock<'_>,
        intake: &mut IntakeBatch,
    ) -> anyhow::Result<PoolRemainder> {
        let (some, rest) = {
            let mut pool = self.shared.pool_mut();
            let some = builder::pop_fitting(&mut pool, open.base_fee(), open.room());
            // Before anybody can look into the pool again.
            self.shared.preconfirmations.run(&some.0);
            some
        };
        if some.is_empty() && !open.is_new() {
            return Ok(rest);
        }
        let refused = open.run(some)?;
        let mut pool = self.shared.pool_mut();
        for (tx, reason) in refused {
            let hash = tx.tx.hash();
            intake.refuse(hash, reason);
            // Those after it wait for another in its place.
            let nonce = open.account(&tx.sender).unwrap_or_default().nonce;
            intake.refuse_stale(pool.set_nonce(tx.sender, nonce), nonce);
        }
        Ok(rest)
    }

    /// Has a slice made durable and told.
    fn commit(&self, intake: IntakeBatch, part: Option<OpenBlockPart>) -> Result<(), PartEnded> {
        self.send(intake, part, None)
    }

    /// The same for a block's last slice; what comes back is told when it is durable.
    fn commit_last(
        &self,
        intake: IntakeBatch,
        part: Option<OpenBlockPart>,
    ) -> Result<oneshot::Receiver<DurableRows>, PartEnded> {
        let (done, durable) = oneshot::channel();
        self.send(intake, part, Some(done))?;
        Ok(durable)
    }

    fn send(
        &self,
        intake: IntakeBatch,
        part: Option<OpenBlockPart>,
        done: Option<oneshot::Sender<DurableRows>>,
    ) -> Result<(), PartEnded> {
        let (answers, accepted, refused) = intake.settle(&self.shared);
        let (part, preconfirmed, received_ms) = match part {
            Some(OpenBlockPart { part, promises, received_ms }) => {
                (Some(part), promises, received_ms)
            }
            None => (None, Vec::new(), Vec::new()),
        };
        let slice = SliceEntry { part, accepted, refused, received_ms };
        let is_nothing = slice == SliceEntry::default();
        if is_nothing && answers.is_empty() && done.is_none() {
            return Ok(());
        }
        let entries = if is_nothing { Vec::new() } else { vec![JournalEntry::Slice(slice)] };
        let commit = JournalCommit { entries, preconfirmed, answers, done, is_durable: None };
        self.commits.blocking_send(commit).map_err(|_| PartEnded)
    }

    /// A block is complete: the state is that after it from now on.
    fn close(
        &mut self,
        ended: ExecutedBlock,
        durable: oneshot::Receiver<DurableRows>,
    ) -> anyhow::Result<()> {
        let ExecutedBlock { mut executed, slices, plan, bytes } = ended;
        if let Some(hook) = &mut self.hook {
            hook.before_state_root(&mut executed);
        }
        let shared = Arc::clone(&self.shared);
        let block = {
            let mut chain = shared.chain.blocking_write();
            let block = chain.close(executed, &plan.origin);
            let mut pool = shared.pool_mut();
            pool.set_base_fee(chain.tip().next_base_fee);
            // Nonces move with transactions, but also with deposits, delegations and creations.
            for change in &block.diff().accounts {
                let nonce = change.account.as_ref().map_or(0, |account| account.nonce);
                self.stale.extend(
                    pool.set_nonce(change.address, nonce).into_iter().map(|tx| (tx, nonce)),
                );
            }
            block
        };
        {
            let mut production = self.production();
            production.deposits_consumed += plan.deposits.len() as u64;
            let (number, deposits) = (block.number(), plan.deposits.len());
            production.backlog.push(number, plan.origin.entry, bytes, deposits);
        }
        self.opened_at = Instant::now();
        let closing = BlockToSeal { block, plan, slices, durable };
        self.closings.blocking_send(closing).map_err(|_| PartEnded)?;
        Ok(())
    }

    /// Stands still until the other side has done what it wants to.
    fn halt(
        &mut self,
        reply: oneshot::Sender<HaltedProducer>,
        open: Option<Vec<Arc<ExecutedTx>>>,
    ) -> anyhow::Result<()> {
        let durable = self.commit_last(IntakeBatch::default(), None)?;
        let durable = durable.blocking_recv().map_err(|_| PartEnded)?;
        let (resume, is_over) = oneshot::channel();
        let told = reply.send(HaltedProducer { open, unindexed: durable.unindexed, resume });
        told.map_err(|_| PartEnded)?;
        is_over.blocking_recv().map_err(|_| PartEnded)?;
        self.has_more = true;
        Ok(())
    }

    /// Waits for events until there were some, and then a little for more, so that slices are worth their commit.
    fn gather(&mut self, until: Instant) -> Result<GatheredEvents, PartEnded> {
        let mut gathered = GatheredEvents::default();
        let (mut count, mut bytes) = (0, 0);
        let mut until = until;
        while count < INTAKE_TRANSACTIONS_MAX
            && bytes < INTAKE_BYTES_MAX
            && gathered.control.is_none()
        {
            let stop = ProducerEvent::Command(ProducerCommand::Stop);
            let event = match self.events.try_recv() {
                Ok(event) => event,
                Err(mpsc::error::TryRecvError::Disconnected) => stop,
                Err(mpsc::error::TryRecvError::Empty) => {
                    let next = timeout_at(until.into(), self.events.recv());
                    match self.runtime.block_on(next) {
                        Ok(event) => event.unwrap_or(stop),
                        Err(_) => break,
                    }
                }
            };
            match event {
                ProducerEvent::Submission(submission) => {
                    count += submission.txs.len();
                    bytes += submission.bytes();
                    gathered.submissions.push(submission);
                    until = until.min(self.sliced_at + self.config.slice_interval);
                }
                ProducerEvent::Command(control) => gathered.control = Some(control),
            }
        }
        self.sliced_at = Instant::now();
        if self.commits.is_closed() { Err(PartEnded) } else { Ok(gathered) }
    }

    /// When there may be work again though no event comes.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        if self.has_more && !self.shared.control.is_paused() {
            now
        } else {
            now + self.config.block_interval.min(LOOK_MAX)
        }
    }

    /// When a block that is opened now is complete: blocks end at whole intervals.
    fn deadline(&self) -> Instant {
        let interval = self.config.block_interval.max(MILLISECOND);
        let passed = self.started_at.elapsed().as_nanos() / interval.as_nanos();
        let next = u32::try_from(passed + 1).unwrap_or(u32::MAX);
        self.started_at + interval.saturating_mul(next)
    }

    fn has_work(&self) -> bool {
        let queued = self.shared.settlement.blocking_read().deposits.len() as u64;
        queued > self.production().deposits_consumed || self.shared.pool().has_runnable()
    }

    /// What the next block starts from; `None` while production is paused, or L1 is too far behind to allow one.
    fn plan(&self) -> Option<BlockPlan> {
        if self.shared.control.is_paused() {
            return None;
        }
        let config = &self.shared.config;
        let production = self.production();
        if production.awaits_l1_recheck {
            return None;
        }
        let waiting = production.backlog.entries(config);
        if waiting >= self.config.backlog_entries_max {
            debug!(entries = waiting, "L1 is behind: no block is opened until it has caught up");
            return None;
        }
        let consumed = usize::try_from(production.deposits_consumed).unwrap_or(usize::MAX);
        drop(production);
        let parent = self.shared.chain.blocking_read().tip().parent.timestamp;
        let settlement = self.shared.settlement.blocking_read();
        let (origin, l1) = settlement.origin.zip(settlement.l1)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let drift = config.time_drift_max;
        let timestamp = builder::timestamp(now, parent, &origin, l1.time, drift);
        if timestamp > l1.time.saturating_add(drift) {
            debug!(timestamp, l1_time = l1.time, "L1's clock is behind the chain's: waiting");
            return None;
        }
        let count = usize::try_from(config.entry_deposits_max).unwrap_or(usize::MAX);
        let queue = settlement.deposits.get(consumed..).unwrap_or_default();
        let deposits = queue.iter().take(count).cloned().collect();
        Some(BlockPlan { timestamp, origin, deposits })
    }

    fn production(&self) -> MutexGuard<'_, ProductionState> {
        self.production.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
