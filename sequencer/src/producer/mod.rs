//! The producer: one thread that takes transactions in, executes them in slices and completes
//! blocks.
//!
//! ```text
//! events ─► intake: check against the state so far, pool ─► slice: execute what fits it ─► committer
//!                                                              │ block complete
//!                                                              └─► next state ─► sealer
//! ```
//!
//! # Job
//!
//! It is the only writer of the pool and, except during reorgs, of the state. It never waits for
//! the disk: the committer persists a slice while the next one is executed.
//!
//! # State
//!
//! The open block and the pool, in memory. Every accepted transaction is in the journal before its
//! client gets the reply.
//!
//! # Recovery
//!
//! [`restore`](crate::restore) fills the pool and completes the last open block from the journal.
//!
//! # Limits
//!
//! `INTAKE_TRANSACTIONS_MAX` and `INTAKE_BYTES_MAX` bound the intake between two slices.
//! [`BacklogLimits`] bounds the blocks that L1 does not hold yet; beyond it no block is opened and
//! the pool fills up.

mod intake;
mod open;
#[cfg(test)]
mod tests;

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout_at,
};
use tracing::{debug, info_span};
use turnpike_executor::ExecutionHook;
use turnpike_storage::{JournalEntry, SliceEntry, unix_milliseconds};

use self::{
    intake::IntakeBatch,
    open::{ExecutedBlock, OpenBlock, OpenBlockPart},
};
use crate::{
    BacklogLimits, NodeHandles, PooledTx,
    backlog::Backlog,
    builder::{self, BlockPlan},
    committer::{DurableRows, JournalCommit},
    pool::{ARRIVAL_FIRST, TxTotals},
    producer_event::{HaltedProducer, ProducerCommand, ProducerEvent, VoidBlock},
    sealer::BlockToSeal,
    slice::{PoolRemainder, SlicePace, pop_slice},
    submission::Submission,
};

/// Transactions taken in before the next slice is executed.
const INTAKE_TRANSACTIONS_MAX: usize = 2_048;

/// Bytes of transactions taken in before the next slice is executed; the last request may exceed
/// it. One journal row may hold all of them.
const INTAKE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest wait for an event before the producer checks for work that no event announces.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(1);

const MILLISECOND: Duration = Duration::from_millis(1);

/// The producer's state besides the pool, shared with the driver.
#[derive(Debug)]
pub(crate) struct ProductionState {
    /// Whether L1 may have dropped data that unposted blocks depend on. No block is opened until
    /// the driver has checked.
    pub(crate) awaits_l1_recheck: bool,
    /// Number of the queue's deposits that blocks hold.
    pub(crate) deposits_consumed: u64,
    /// Complete blocks that L1 does not hold yet.
    pub(crate) backlog: Backlog,
    /// Arrivals in use: of the first transaction in the order, and the next free one.
    pub(crate) arrivals: Range<u64>,
}

impl ProductionState {
    /// The state of a new chain. L1 has to report first, so no block is opened.
    pub(crate) fn new() -> Self {
        let arrivals = ARRIVAL_FIRST..ARRIVAL_FIRST;
        Self {
            awaits_l1_recheck: true,
            deposits_consumed: 0,
            backlog: Backlog::default(),
            arrivals,
        }
    }

    /// Reserves the arrival of a known transaction.
    pub(crate) fn note_arrival(&mut self, arrival: u64) {
        let Range { start, end } = self.arrivals;
        self.arrivals = start.min(arrival)..end.max(arrival + 1);
    }
}

/// Intervals and limits of block production.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerConfig {
    /// Interval between blocks while there are transactions.
    pub(crate) block_interval: Duration,
    /// Shortest interval between slices.
    pub(crate) slice_interval: Duration,
    /// Interval after which an empty block is made.
    pub(crate) heartbeat: Duration,
    pub(crate) backlog: BacklogLimits,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) handles: Arc<NodeHandles>,
    pub(crate) production: Arc<Mutex<ProductionState>>,
    pub(crate) config: ProducerConfig,
    pub(crate) runtime: Handle,
    pub(crate) events: mpsc::Receiver<ProducerEvent>,
    pub(crate) commits: mpsc::Sender<JournalCommit>,
    pub(crate) blocks_to_seal: mpsc::Sender<BlockToSeal>,
    /// May change a block before its state root is computed. Honest nodes have none.
    pub(crate) hook: Option<Box<dyn ExecutionHook>>,
    pub(crate) started_at: Instant,
    pub(crate) opened_at: Instant,
    pub(crate) sliced_at: Instant,
    pub(crate) pace: SlicePace,
    /// Whether transactions may be ready.
    pub(crate) has_more: bool,
    /// Transactions whose nonce the last block passed, with the account's nonce.
    pub(crate) stale: Vec<(PooledTx, u64)>,
}

/// Another part ended, and the producer with it. That part reports why.
#[derive(Debug, thiserror::Error)]
#[error("another part ended")]
struct PartEnded;

/// Events that arrived together.
#[derive(Debug, Default)]
struct GatheredEvents {
    submissions: Vec<Submission>,
    command: Option<ProducerCommand>,
}

impl Producer {
    /// Produces blocks until a stop command.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        match self.produce() {
            // The part that ended first reports why.
            Err(error) if error.is::<PartEnded>() => Ok(()),
            ended => ended,
        }
    }

    fn produce(&mut self) -> anyhow::Result<()> {
        loop {
            let GatheredEvents { submissions, command } = self.gather(self.next_check())?;
            let mut intake = IntakeBatch::default();
            self.take_in_without_block(submissions, &mut intake);
            self.expire(&mut intake);
            let command = match command {
                None => self.make_block(intake, false)?,
                #[cfg(test)]
                Some(ProducerCommand::Seal(done)) => {
                    let command = self.make_block(intake, true)?;
                    let _ = done.send(());
                    command
                }
                Some(other) => {
                    self.commit(intake, None)?;
                    Some(other)
                }
            };
            match command {
                Some(ProducerCommand::Stop) => return Ok(()),
                Some(ProducerCommand::Halt(reply)) => self.halt(reply, None)?,
                // The sender may have gone.
                Some(ProducerCommand::Complete(done)) => drop(done.send(())),
                #[cfg(test)]
                Some(ProducerCommand::Seal(done)) => drop(done.send(())),
                None => {}
            }
        }
    }

    /// Makes a block if there is work or the heartbeat is due. Returns the command that the caller
    /// must handle.
    fn make_block(
        &mut self,
        mut intake: IntakeBatch,
        is_forced: bool,
    ) -> anyhow::Result<Option<ProducerCommand>> {
        let is_due = is_forced || self.opened_at.elapsed() >= self.config.heartbeat;
        let plan = if is_due || self.has_work() { self.plan_block() } else { None };
        let Some(plan) = plan else {
            // The work cannot run yet. The producer checks again within `IDLE_WAIT_MAX`.
            self.has_more = false;
            self.commit(intake, None)?;
            return Ok(None);
        };
        let deadline = if is_forced { Instant::now() } else { self.deadline() };
        let handles = Arc::clone(&self.handles);
        // Takes no lock on the chain: the sealer computes the last block's roots meanwhile.
        let next = handles.chain.blocking_read().next_block();
        let mut open = OpenBlock::new(&next, plan)?;
        // Every log line of this block carries its number.
        let _span = info_span!("block", number = open.number()).entered();
        let mut command = None;
        loop {
            let started = Instant::now();
            let (rest, gas) = self.run_slice(&mut open, &mut intake)?;
            self.pace.note(gas, started.elapsed());
            self.has_more = rest != PoolRemainder::Empty;
            let is_too_large = rest == PoolRemainder::TooLarge;
            // With a backlog, the next block has more room only once time has passed.
            let waits = is_too_large && open.is_backlogged();
            let is_full = is_too_large && !waits;
            let is_last = is_full || command.is_some() || Instant::now() >= deadline;
            if is_last && !is_due && open.is_empty() {
                // Every transaction was refused or waits for a lower base fee.
                self.commit(intake, None)?;
                return Ok(command);
            }
            let part =
                if open.is_empty() && !is_last { None } else { Some(open.take_part(is_last)) };
            if is_last {
                let durable = self.commit_last(intake, part)?;
                let ended = open.finish()?;
                drop(next);
                self.close(ended, durable)?;
                return Ok(command);
            }
            self.commit(intake, part)?;
            let until = if self.has_more && !waits { Instant::now() } else { deadline };
            let gathered = self.gather(until)?;
            intake = IntakeBatch::default();
            self.take_in(gathered.submissions, &mut open, &mut intake);
            command = gathered.command;
            if let Some(ProducerCommand::Halt(reply)) = command {
                self.commit(intake, None)?;
                let void = open.into_void();
                drop(next);
                self.halt(reply, void)?;
                return Ok(None);
            }
        }
    }

    /// Executes the transactions of the next slice. Returns what the pool holds, and the slice's
    /// gas limits in sum.
    fn run_slice(
        &self,
        open: &mut OpenBlock<'_>,
        intake: &mut IntakeBatch,
    ) -> anyhow::Result<(PoolRemainder, u128)> {
        let (some, rest) = {
            let mut pool = self.handles.transactions.pool_mut();
            let some = pop_slice(&mut pool, open.base_fee(), open.room(), self.pace.room());
            // Under the pool's lock, so that no reader finds the transactions in neither place.
            self.handles.transactions.preconfirmations.mark_running(&some.0);
            some
        };
        if some.is_empty() && !open.is_new() {
            return Ok((rest, 0));
        }
        let gas = some.iter().map(|tx| TxTotals::of(tx).gas).sum();
        let refused = open.run(some)?;
        let mut pool = self.handles.transactions.pool_mut();
        for (tx, reason) in refused {
            let hash = tx.tx.hash();
            intake.refuse(hash, reason);
            // Later nonces of the sender wait for a replacement.
            let nonce = open.account(&tx.sender).unwrap_or_default().nonce;
            intake.refuse_stale(pool.set_nonce(tx.sender, nonce), nonce);
        }
        Ok((rest, gas))
    }

    /// Sends a slice to the committer.
    fn commit(&self, intake: IntakeBatch, part: Option<OpenBlockPart>) -> Result<(), PartEnded> {
        self.send(intake, part, None)
    }

    /// Like [`Self::commit`], for a block's last slice. The receiver resolves once it is durable.
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
        let (replies, accepted, refused) = intake.into_outcomes(&self.handles);
        let (part, preconfirmed, received_ms) = match part {
            Some(OpenBlockPart { part, promises, received_ms }) => {
                (Some(part), promises, received_ms)
            }
            None => (None, Vec::new(), Vec::new()),
        };
        let slice = SliceEntry { part, accepted, refused, received_ms };
        let is_nothing = slice == SliceEntry::default();
        if is_nothing && replies.is_empty() && done.is_none() {
            return Ok(());
        }
        let entries = if is_nothing { Vec::new() } else { vec![JournalEntry::Slice(slice)] };
        let commit =
            JournalCommit { entries, preconfirmed, replies, durable: done, journaled_at: None };
        self.commits.blocking_send(commit).map_err(|_| PartEnded)
    }

    /// Makes a complete block's state the current one and passes the block to the sealer.
    fn close(
        &mut self,
        ended: ExecutedBlock,
        durable: oneshot::Receiver<DurableRows>,
    ) -> anyhow::Result<()> {
        let ExecutedBlock { mut executed, slices, plan, bytes } = ended;
        if let Some(hook) = &mut self.hook {
            hook.before_state_root(&mut executed);
        }
        let handles = Arc::clone(&self.handles);
        let block = {
            let mut chain = handles.chain.blocking_write();
            let block = chain.close(executed, &plan.origin);
            let mut pool = handles.transactions.pool_mut();
            pool.set_base_fee(chain.tip().base_fee_at(chain.config(), plan.time_ms));
            // Deposits, delegations and creations change nonces too.
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
            production.backlog.push(block.number(), plan.time_ms, bytes);
        }
        self.opened_at = Instant::now();
        let block_to_seal = BlockToSeal { block, plan, slices, durable };
        self.blocks_to_seal.blocking_send(block_to_seal).map_err(|_| PartEnded)?;
        Ok(())
    }

    /// Halts until the driver resumes the producer.
    fn halt(
        &mut self,
        reply: oneshot::Sender<HaltedProducer>,
        open: Option<VoidBlock>,
    ) -> anyhow::Result<()> {
        let durable = self.commit_last(IntakeBatch::default(), None)?;
        let durable = durable.blocking_recv().map_err(|_| PartEnded)?;
        let (resume, is_over) = oneshot::channel();
        let sent = reply.send(HaltedProducer { open, unindexed: durable.unindexed, resume });
        sent.map_err(|_| PartEnded)?;
        is_over.blocking_recv().map_err(|_| PartEnded)?;
        self.has_more = true;
        Ok(())
    }

    /// Waits for the first event, and then up to the slice interval for more, so that a slice is
    /// worth its commit.
    fn gather(&mut self, until: Instant) -> Result<GatheredEvents, PartEnded> {
        let mut gathered = GatheredEvents::default();
        let (mut count, mut bytes) = (0, 0);
        let mut until = until;
        while count < INTAKE_TRANSACTIONS_MAX
            && bytes < INTAKE_BYTES_MAX
            && gathered.command.is_none()
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
                ProducerEvent::Command(command) => gathered.command = Some(command),
            }
        }
        self.sliced_at = Instant::now();
        if self.commits.is_closed() { Err(PartEnded) } else { Ok(gathered) }
    }

    /// When to check for work if no event arrives.
    fn next_check(&self) -> Instant {
        let now = Instant::now();
        if self.has_more && !self.handles.control.is_paused() {
            now
        } else {
            now + self.config.block_interval.min(IDLE_WAIT_MAX)
        }
    }

    /// When a block that is opened now ends. Blocks end at multiples of the interval.
    fn deadline(&self) -> Instant {
        let interval = self.config.block_interval.max(MILLISECOND);
        let passed = self.started_at.elapsed().as_nanos() / interval.as_nanos();
        let next = u32::try_from(passed + 1).unwrap_or(u32::MAX);
        self.started_at + interval.saturating_mul(next)
    }

    /// Whether deposits wait, or transactions that pay the base fee. It falls with time, so the pool
    /// gets the current one first.
    fn has_work(&self) -> bool {
        let queued = self.handles.settlement.blocking_read().deposits.len() as u64;
        if queued > self.production().deposits_consumed {
            return true;
        }
        let chain = self.handles.chain.blocking_read();
        let base_fee = chain.tip().base_fee_at(chain.config(), unix_milliseconds());
        drop(chain);
        let mut pool = self.handles.transactions.pool_mut();
        pool.set_base_fee(base_fee);
        pool.has_runnable()
    }

    /// The inputs of the next block. `None` while production is paused, or while L1 is too far
    /// behind.
    ///
    /// No block joins others on an origin older than half of `origin_age_max`, so that a batch has
    /// time to land. The first block after the newest entry may: for its batch the age of the
    /// origin does not count.
    fn plan_block(&self) -> Option<BlockPlan> {
        if self.handles.control.is_paused() {
            return None;
        }
        let config = &self.handles.chain.config;
        if self.production().awaits_l1_recheck {
            return None;
        }
        let parent = self.handles.chain.blocking_read().tip().parent.time_ms;
        let settlement = self.handles.settlement.blocking_read();
        let (origin, l1) = settlement.origin.zip(settlement.l1)?;
        let production = self.production();
        let backlog = &production.backlog;
        let is_old = l1.time.saturating_sub(origin.l1_time) > config.origin_age_max / 2;
        if backlog.is_full(&self.config.backlog, l1.time) || (is_old && !backlog.is_empty()) {
            let (bytes, seconds) = (backlog.encoded_bytes(), backlog.age(l1.time));
            debug!(bytes, seconds, "L1 is behind: no block is opened until it has caught up");
            return None;
        }
        let consumed = usize::try_from(production.deposits_consumed).unwrap_or(usize::MAX);
        drop(production);
        let time_ms = builder::time_ms(config, unix_milliseconds(), parent, &origin, l1.time);
        if time_ms > 1_000 * l1.time.saturating_add(config.time_drift_max) {
            debug!(time_ms, l1_time = l1.time, "L1's clock is behind the chain's: waiting");
            return None;
        }
        let queue = settlement.deposits.get(consumed..).unwrap_or_default();
        let deposits = builder::deposits_of_block(config, queue)
            .expect("invariant: the portal checks opaque data");
        Some(BlockPlan { time_ms, origin, deposits })
    }

    fn production(&self) -> MutexGuard<'_, ProductionState> {
        self.production.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
