//! Runs of the proof program on disputed blocks, on threads of their own.
//!
//! # Job
//!
//! A move about states of the machine takes seconds to minutes to find. The challenger's loop asks
//! for it again and again, and looks at L1 in between; the threads find it.
//!
//! ```text
//! loop ── ask(block, question, deadline) ─► questions ─► thread: the earliest deadline first ─► answer
//!                                              │              ▲
//!                                              └─► wanted ─► WitnessPass: witness of the block
//! ```
//!
//! # State
//!
//! Blocks with their witness, the questions about each with their answers, and the machines that ran
//! on them, most recently asked last. One thread at a time works on a block.
//!
//! # Recovery
//!
//! Nothing is stored: a new challenger asks again. A question is dropped once its deadline is over,
//! or if it is not asked any more. An answer stays right after a reorg, because a block is identified
//! by its local inputs and a question by the hash of what it answers.
//!
//! # Limits
//!
//! `MACHINES_MAX` machines besides those that run, and `BLOCKS_MAX` blocks without open questions.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, available_parallelism},
};

use alloy_primitives::B256;
use tokio::sync::Notify;
use tracing::info;
use turnpike_game::{
    ClaimError, ClaimProvider, NextMove, Trace, TraceError,
    prove::{BlockPosition, PROGRAM, ProveError, Statement},
};
use turnpike_l1::DisputedOutput;
use turnpike_protocol::{LocalInputs, Preimages};

use crate::{
    program_run::{RunError, Unprovable, confirmed_run},
    question::Question,
};

/// Maximum number of kept machines that do not run.
const MACHINES_MAX: usize = 4;

/// Maximum number of blocks that are kept although no question about them is open. Their witnesses
/// are far smaller than machines.
const BLOCKS_MAX: usize = 64;

/// Rounds after which a question that is not asked any more is dropped. The loop may leave out some
/// in a round.
const UNASKED_ROUNDS_MAX: u64 = 64;

/// A block to run the program on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DisputedBlock {
    pub(crate) position: BlockPosition,
    /// What identifies it, also across reorgs.
    pub(crate) local: LocalInputs,
    /// The output root that the node derived.
    pub(crate) root: B256,
}

/// The questions and the threads that answer them. Dropping it stops the threads.
#[derive(Debug)]
pub(crate) struct Runs {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Where witnesses that were collected are handed in.
#[derive(Clone, Debug)]
pub(crate) struct WantedWitnesses(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    blocks: Mutex<Blocks>,
    /// There is something to run, or threads should stop.
    work: Condvar,
    /// A run or a witness has finished.
    finished: Notify,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Blocks {
    /// The most recently asked last.
    blocks: Vec<Block>,
    /// Counts the loop's rounds of questions.
    round: u64,
}

#[derive(Debug)]
struct Block {
    block: DisputedBlock,
    witness: Witness,
    machine: Option<Trace>,
    /// Whether a thread works on it.
    is_running: bool,
    /// By what they answer.
    questions: BTreeMap<B256, OpenQuestion>,
}

#[derive(Debug)]
enum Witness {
    /// To be collected.
    Wanted,
    Collected(Collected),
    /// No move about the block is certain.
    Unprovable(Unprovable),
}

#[derive(Clone, Debug)]
enum Collected {
    /// The program has not run on it yet.
    Stated(Arc<Statement>),
    /// The program has computed the node's output root from these preimages.
    Confirmed(Arc<Preimages>),
}

#[derive(Debug)]
struct OpenQuestion {
    question: Arc<Question>,
    /// Output roots that the answer depends on, by position.
    roots: Arc<BTreeMap<u64, B256>>,
    deadline: u64,
    /// The last round in which it was asked.
    round: u64,
    /// `None` until it is found.
    answer: Option<Option<NextMove>>,
    /// Whether the loop has got the answer.
    is_told: bool,
}

/// What a thread works on.
#[derive(Debug)]
struct Job {
    block: DisputedBlock,
    witness: Collected,
    machine: Option<Trace>,
    key: B256,
    question: Arc<Question>,
    roots: Arc<BTreeMap<u64, B256>>,
}

/// The machine and what it has found.
type Found = (Trace, Option<NextMove>);

impl Runs {
    /// Starts this many threads, by default one per processor.
    pub(crate) fn start(threads: Option<NonZeroUsize>) -> Self {
        let shared = Arc::new(Shared::default());
        let count = threads.or_else(|| available_parallelism().ok()).map_or(1, usize::from);
        let threads = (0..count).map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.work())
        });
        let threads = threads.collect();
        Self { shared, threads }
    }

    /// Where collected witnesses go.
    pub(crate) fn wanted(&self) -> WantedWitnesses {
        WantedWitnesses(Arc::clone(&self.shared))
    }

    /// Begins a round of questions. Those of earlier rounds that are not asked again will not be
    /// waited for. Drops those whose deadline is before this L1 time.
    pub(crate) fn begin_round(&self, l1_time: u64) {
        self.shared.lock().begin_round(l1_time);
    }

    /// The answer to a question about a block. `roots` are all output roots that it depends on.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Running`] until it is found; another one if no move about the block is certain.
    pub(crate) fn ask(
        &self,
        block: DisputedBlock,
        question: Question,
        roots: BTreeMap<u64, B256>,
        deadline: u64,
    ) -> Result<Option<NextMove>, ClaimError> {
        assert!(!self.threads.iter().any(JoinHandle::is_finished), "a run of the program panicked");
        let answer = self.shared.lock().ask(block, question, roots, deadline);
        if let Err(ClaimError::Running { .. }) = answer {
            self.shared.work.notify_one();
        }
        answer
    }

    /// Number of questions of this round whose answer the loop does not know.
    pub(crate) fn open(&self) -> usize {
        self.shared.lock().open()
    }

    /// Waits until a run or a witness has finished since the last call.
    pub(crate) async fn finished(&self) {
        self.shared.finished.notified().await;
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        // Under the lock, so that no thread misses it between its look and its wait.
        let blocks = self.shared.lock();
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(blocks);
        self.shared.work.notify_all();
    }
}

impl WantedWitnesses {
    /// Blocks whose witness is wanted.
    pub(crate) fn blocks(&self) -> Vec<DisputedBlock> {
        let blocks = self.0.lock();
        let wanted = blocks.blocks.iter().filter(|it| matches!(it.witness, Witness::Wanted));
        wanted.map(|it| it.block).collect()
    }

    /// Drops a block that L1 holds no more.
    pub(crate) fn forget(&self, block: &DisputedBlock) {
        self.0.lock().blocks.retain(|it| it.block != *block);
    }

    /// Hands in a statement of a block, or why there is none.
    pub(crate) fn hand_in(&self, block: &DisputedBlock, stated: Result<Statement, ProveError>) {
        let mut blocks = self.0.lock();
        if let Some(found) = blocks.blocks.iter_mut().find(|it| it.block == *block) {
            match stated {
                Ok(statement) if statement.witness.local == block.local => {
                    found.witness = Witness::Collected(Collected::Stated(Arc::new(statement)));
                }
                // Of another L1 fork.
                Ok(_) => {}
                Err(reason) => found.refuse(Unprovable::no_statement(block.position, &reason)),
            }
        }
        drop(blocks);
        self.0.work.notify_one();
        self.0.finished.notify_one();
    }

    /// Says that no more witnesses come without another pass.
    pub(crate) fn end_pass(&self) {
        self.0.finished.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's loop.
    fn work(&self) {
        let mut blocks = self.lock();
        while !self.stop.load(Ordering::Relaxed) {
            let Some(job) = blocks.take() else {
                blocks = self.work.wait(blocks).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(blocks);
            let (block, key) = (job.block, job.key);
            let ended = job.run(&self.stop);
            blocks = self.lock();
            blocks.put(&block, key, ended);
            self.finished.notify_one();
        }
    }
}

impl Blocks {
    fn ask(
        &mut self,
        block: DisputedBlock,
        question: Question,
        roots: BTreeMap<u64, B256>,
        deadline: u64,
    ) -> Result<Option<NextMove>, ClaimError> {
        let at = self.blocks.iter().position(|it| it.block == block);
        let asked = at.map_or_else(|| Block::new(block), |at| self.blocks.remove(at));
        self.blocks.push(asked);
        let asked = self.blocks.last_mut().expect("invariant: just pushed");
        if let Witness::Unprovable(error) = &asked.witness {
            return Err(error.clone().into());
        }
        let open = asked.questions.entry(question.key()).or_insert_with(|| OpenQuestion {
            question: Arc::new(question),
            roots: Arc::new(roots),
            deadline,
            round: self.round,
            answer: None,
            is_told: false,
        });
        (open.deadline, open.round) = (deadline, self.round);
        open.is_told = open.answer.is_some();
        let BlockPosition { entry, index } = block.position;
        open.answer.clone().ok_or(ClaimError::Running { entry, index })
    }

    fn begin_round(&mut self, l1_time: u64) {
        self.round += 1;
        let oldest = self.round.saturating_sub(UNASKED_ROUNDS_MAX);
        for block in &mut self.blocks {
            block.questions.retain(|_, open| open.deadline >= l1_time && open.round >= oldest);
        }
        let mut unasked = self.blocks.iter().filter(|it| it.questions.is_empty()).count();
        self.blocks.retain(|it| {
            let is_kept = it.is_running || !it.questions.is_empty() || unasked <= BLOCKS_MAX;
            unasked -= usize::from(!is_kept);
            is_kept
        });
    }

    fn open(&self) -> usize {
        let is_open = |open: &&OpenQuestion| open.round == self.round && !open.is_told;
        self.blocks.iter().flat_map(|it| it.questions.values()).filter(is_open).count()
    }

    /// Takes the most urgent question about a block that no thread works on.
    fn take(&mut self) -> Option<Job> {
        let (_, block, key, witness) = self
            .blocks
            .iter_mut()
            .filter(|it| !it.is_running)
            .filter_map(|block| {
                let Witness::Collected(witness) = &block.witness else { return None };
                let witness = witness.clone();
                let open = block.questions.iter().filter(|(_, open)| open.answer.is_none());
                let (key, deadline) =
                    open.map(|(key, open)| (*key, open.deadline)).min_by_key(|(_, by)| *by)?;
                Some((deadline, block, key, witness))
            })
            .min_by_key(|(deadline, ..)| *deadline)?;
        block.is_running = true;
        let OpenQuestion { question, roots, .. } = &block.questions[&key];
        Some(Job {
            block: block.block,
            witness,
            machine: block.machine.take(),
            key,
            question: Arc::clone(question),
            roots: Arc::clone(roots),
        })
    }

    /// Puts a block back with what a thread has found.
    fn put(&mut self, block: &DisputedBlock, key: B256, found: Result<Found, RunError>) {
        let Some(block) = self.blocks.iter_mut().find(|it| it.block == *block) else { return };
        block.is_running = false;
        match found {
            Ok((machine, answer)) => {
                if let Witness::Collected(Collected::Stated(_)) = block.witness {
                    let read = Arc::new(machine.preimages().clone());
                    block.witness = Witness::Collected(Collected::Confirmed(read));
                }
                block.machine = Some(machine);
                if let Some(open) = block.questions.get_mut(&key) {
                    open.answer = Some(answer);
                }
            }
            Err(RunError::Stopped) => {}
            Err(RunError::Unprovable(error)) => block.refuse(error),
        }
        let mut machines = self.blocks.iter().filter(|it| it.machine.is_some()).count();
        for oldest in self.blocks.iter_mut().filter(|it| it.machine.is_some()) {
            if machines <= MACHINES_MAX {
                break;
            }
            oldest.machine = None;
            machines -= 1;
        }
    }
}

impl Block {
    fn new(block: DisputedBlock) -> Self {
        let (witness, questions) = (Witness::Wanted, BTreeMap::new());
        Self { block, witness, machine: None, is_running: false, questions }
    }

    /// Answers no question any more.
    fn refuse(&mut self, error: Unprovable) {
        self.questions.clear();
        self.witness = Witness::Unprovable(error);
    }
}

impl Job {
    fn run(self, stop: &Arc<AtomicBool>) -> Result<Found, RunError> {
        let BlockPosition { entry, index } = self.block.position;
        let unprovable = |error| Unprovable::no_statement(self.block.position, &error);
        let mut machine = match (self.machine, &self.witness) {
            (Some(machine), _) => machine,
            (None, Collected::Stated(statement)) => {
                confirmed_run(statement, self.block.root, stop)?
            }
            (None, Collected::Confirmed(read)) => {
                let machine = Trace::new(PROGRAM, Preimages::clone(read));
                let machine = machine.map_err(|error| unprovable(error.into()))?;
                machine.stopping_with(Arc::clone(stop))
            }
        };
        let before = machine.steps_taken();
        let mut claims = KnownClaims { roots: &self.roots, machine: &mut machine };
        let answer = match self.question.answer(&mut claims) {
            Err(ClaimError::Trace(TraceError::Stopped)) => return Err(RunError::Stopped),
            answer => answer.map_err(unprovable)?,
        };
        info!(entry, index, steps = machine.steps_taken() - before, "found a move");
        Ok((machine, answer))
    }
}

/// What a question's answer depends on: output roots and one machine.
struct KnownClaims<'a> {
    roots: &'a BTreeMap<u64, B256>,
    machine: &'a mut Trace,
}

impl ClaimProvider for KnownClaims<'_> {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        let missing = || ClaimError::NotDerived(output.block_at(position).0);
        self.roots.get(&position).copied().ok_or_else(missing)
    }

    fn trace(&mut self, _: &DisputedOutput, _: u64) -> Result<&mut Trace, ClaimError> {
        Ok(self.machine)
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;

    fn block(entry: u64) -> DisputedBlock {
        let local = LocalInputs { block_index: entry, ..LocalInputs::default() };
        DisputedBlock { position: BlockPosition { entry, index: 0 }, local, root: B256::ZERO }
    }

    /// Answers a claim of its own.
    fn question(number: u8) -> Question {
        let claim = B256::repeat_byte(number);
        let (parent_root, root) = (B256::ZERO, B256::ZERO);
        let output = DisputedOutput {
            index: 1,
            claim,
            parent_entry: 0,
            entry: 1,
            parent_root,
            root,
            blocks_per_entry: 1,
        };
        Question { output, answered: None }
    }

    /// Asks and has the witness collected.
    fn ask(blocks: &mut Blocks, entry: u64, number: u8, deadline: u64) {
        let asked = blocks.ask(block(entry), question(number), BTreeMap::new(), deadline);
        assert!(matches!(asked, Err(ClaimError::Running { index: 0, .. })));
        let collected = Collected::Confirmed(Arc::default());
        let last = blocks.blocks.last_mut().expect("asked");
        last.witness = Witness::Collected(collected);
    }

    fn answered(blocks: &mut Blocks, job: &Job) {
        let machine = Trace::new(PROGRAM, Preimages::default()).expect("loads");
        blocks.put(&job.block, job.key, Ok((machine, None)));
    }

    #[test]
    fn most_urgent_question_is_answered_first() {
        let mut blocks = Blocks::default();
        ask(&mut blocks, 1, 1, 300);
        ask(&mut blocks, 2, 2, 100);
        ask(&mut blocks, 3, 3, 200);
        ask(&mut blocks, 3, 4, 50);
        let order = std::iter::from_fn(|| blocks.take()).map(|job| job.block.position.entry);
        assert_eq!(order.collect::<Vec<_>>(), [3, 2, 1], "one thread at a time works on a block");
        let job = Job { key: question(4).key(), ..job_of(&blocks, 3) };
        answered(&mut blocks, &job);
        let next = blocks.take().expect("the other question about block 3");
        assert_eq!((next.block.position.entry, next.key), (3, question(3).key()));
        assert!(next.machine.is_some(), "the machine goes on");
        assert!(blocks.take().is_none());
    }

    /// What a thread works on.
    fn job_of(blocks: &Blocks, entry: u64) -> Job {
        let found = blocks.blocks.iter().find(|it| it.block == block(entry)).expect("asked");
        assert!(found.is_running);
        Job {
            block: found.block,
            witness: Collected::Confirmed(Arc::default()),
            machine: None,
            key: B256::ZERO,
            question: Arc::new(question(0)),
            roots: Arc::default(),
        }
    }

    #[test]
    fn answer_stays_until_the_deadline() {
        let mut blocks = Blocks::default();
        ask(&mut blocks, 1, 1, 100);
        assert_eq!(blocks.open(), 1);
        let job = blocks.take().expect("collected");
        answered(&mut blocks, &job);
        assert_eq!(blocks.open(), 1, "the loop does not know the answer");
        for _ in 0..2 {
            let answer = blocks.ask(block(1), question(1), BTreeMap::new(), 100);
            assert!(matches!(answer, Ok(None)));
            assert_eq!(blocks.open(), 0);
        }
        blocks.begin_round(100);
        assert!(blocks.ask(block(1), question(1), BTreeMap::new(), 100).is_ok());
        blocks.begin_round(101);
        let again = blocks.ask(block(1), question(1), BTreeMap::new(), 200);
        assert!(matches!(again, Err(ClaimError::Running { entry: 1, index: 0 })));
    }

    #[test]
    fn question_that_is_not_asked_any_more_is_dropped() {
        let mut blocks = Blocks::default();
        ask(&mut blocks, 1, 1, 100);
        blocks.begin_round(0);
        assert_eq!(blocks.open(), 0, "nobody waits for it");
        for _ in 1..UNASKED_ROUNDS_MAX {
            blocks.begin_round(0);
        }
        assert_eq!(blocks.blocks[0].questions.len(), 1);
        blocks.begin_round(0);
        assert!(blocks.take().is_none());
    }

    #[test]
    fn unprovable_block_answers_nothing() {
        let mut blocks = Blocks::default();
        ask(&mut blocks, 1, 1, 100);
        let job = blocks.take().expect("collected");
        let error = Unprovable::no_statement(job.block.position, &"no data");
        blocks.put(&job.block, job.key, Err(error.into()));
        assert_eq!(blocks.open(), 0);
        for number in [1, 2] {
            let asked = blocks.ask(block(1), question(number), BTreeMap::new(), 100);
            assert!(matches!(asked, Err(ClaimError::NoStatement { entry: 1, index: 0, .. })));
        }
    }

    #[test]
    fn machines_and_unasked_blocks_are_bounded() {
        let mut blocks = Blocks::default();
        let count = BLOCKS_MAX as u64 + 10;
        for entry in 1..=count {
            ask(&mut blocks, entry, 1, entry);
        }
        while let Some(job) = blocks.take() {
            answered(&mut blocks, &job);
            assert!(blocks.blocks.iter().filter(|it| it.machine.is_some()).count() <= MACHINES_MAX);
        }
        blocks.begin_round(count);
        assert_eq!(blocks.blocks.len(), BLOCKS_MAX + 1, "one question is not over");
        assert_eq!(blocks.blocks[0].block.position.entry, 10, "the blocks asked first are dropped");
    }

    #[test]
    fn dropping_runs_stops_their_threads() {
        let mut runs = Runs::start(NonZeroUsize::new(2));
        let threads = mem::take(&mut runs.threads);
        drop(runs);
        for thread in threads {
            thread.join().expect("ends");
        }
    }
}
