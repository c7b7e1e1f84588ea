//! What the challenger knows: L1 as read so far, the chain derived from it, and proofs of disputed
//! blocks.
//!
//! # State
//!
//! The view of L1, the reader that is one entry ahead, the verifier that follows them, and the cache of prepared runs. One block at most
//! is being prepared: the verifier goes back to its entry and states the proof when it derives the
//! entry again, which may take several steps.
//!
//! # Recovery
//!
//! Nothing is stored. A new challenger reads L1 from the start, and a reorg rewinds the verifier to
//! the last common entry.

use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tracing::warn;
use turnpike_derivation::{EntryReader, FollowError, NextEntry};
use turnpike_game::{
    ClaimError,
    prove::{BlockPosition, ProveError, Statement},
};
use turnpike_l1::{DisputedOutput, GameMove, L1View, ProposedOutput, Reorg};
use turnpike_protocol::{ChainConfig, OutputRoot};

use crate::{HonestClaims, TraceCache, Verdict, Verifier};

/// Time after which deriving entries or deciding on moves pauses for the next read of L1.
pub(crate) const TURN_TIME_MAX: Duration = Duration::from_secs(2);

/// Maximum number of runs that one move may need: the disputed block's, prepared once and again
/// after a rewind.
const RUNS_MAX: usize = 2;

/// L1, the chain derived from it, and proofs of disputed blocks.
#[derive(Debug)]
pub(crate) struct HonestChain {
    config: ChainConfig,
    view: L1View,
    reader: EntryReader,
    verifier: Verifier,
    /// Runs of the proof program on disputed blocks.
    traces: TraceCache,
    /// The block whose run is prepared when the verifier derives its entry again.
    preparing: Option<BlockPosition>,
}

impl HonestChain {
    pub(crate) fn new(config: ChainConfig, view: L1View, verifier: Verifier) -> Self {
        let (reader, traces) = (EntryReader::default(), TraceCache::default());
        Self { config, view, reader, verifier, traces, preparing: None }
    }

    pub(crate) const fn config(&self) -> &ChainConfig {
        &self.config
    }

    pub(crate) const fn view(&self) -> &L1View {
        &self.view
    }

    pub(crate) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Reads what L1 has added, and rewinds the verifier to the last common entry. Returns the
    /// reorg, if there was one.
    pub(crate) async fn advance(&mut self) -> anyhow::Result<Option<Reorg>> {
        let reorg = self.view.advance().await?.reorg;
        block_in_place(|| self.verifier.rewind_to_common(self.view.entries()));
        if reorg.is_some() {
            self.preparing = None;
        }
        Ok(reorg)
    }

    /// Whether every entry on L1 is derived.
    pub(crate) fn is_derived(&self) -> bool {
        self.verifier.next_entry() >= self.view.entries().len() as u64
    }

    /// The derived output after each entry, by index.
    pub(crate) fn derived_outputs(&self) -> Vec<OutputRoot> {
        let entries = (0..).map_while(|index| self.verifier.entry(index));
        entries.map(|entry| entry.output).collect()
    }

    /// The output `index`, as games dispute it.
    pub(crate) fn disputed_output(&self, index: u64) -> Option<DisputedOutput> {
        DisputedOutput::of(self.view.outputs(), index, self.config.blocks_per_entry_max())
    }

    /// The newest bisection of a game.
    pub(crate) fn newest_move(&self, game: u64) -> Option<&GameMove> {
        let disputes = self.view.disputes();
        let game = disputes.game(game)?;
        Some(game.newest(disputes.challenge(game.challenge)?))
    }

    /// The verdict on an output. `None` if its entry is not derived, or if the reference executor
    /// still has to confirm that the output is wrong.
    pub(crate) fn verdict(&mut self, output: &ProposedOutput) -> Option<Verdict> {
        let outputs = self.view.outputs();
        let verdict = block_in_place(|| self.verifier.judge(output, outputs));
        match verdict {
            Verdict::Unknown => None,
            Verdict::Ok => Some(verdict),
            Verdict::Wrong { .. } => self.verifier.confirm(output, outputs).then_some(verdict),
        }
    }

    /// Asks the honest claims about an output, and prepares the runs that the answer needs.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] if the answer is not certain: an entry is not derived or confirmed, or a
    /// block cannot be proven.
    pub(crate) async fn ask<T>(
        &mut self,
        output: u64,
        question: impl Fn(&mut HonestClaims<'_>) -> Result<Option<T>, ClaimError>,
    ) -> anyhow::Result<Option<T>> {
        self.confirm(output)?;
        for _ in 0..RUNS_MAX {
            let answer = block_in_place(|| question(&mut self.claims()));
            match answer {
                Err(ClaimError::NotPrepared { entry, index }) => {
                    self.prepare(BlockPosition { entry, index }).await?;
                }
                answer => return Ok(answer?),
            }
        }
        Ok(block_in_place(|| question(&mut self.claims()))?)
    }

    /// Derives the next entry, if L1 has one. If one of its blocks is being prepared, runs the
    /// proof program on it.
    pub(crate) async fn derive_next(&mut self) -> anyhow::Result<bool> {
        let next = self.reader.next(&self.view, self.verifier.derivation()).await;
        let next = next.map_err(of_follow)?;
        let Some((source, recovered)) = next.map(NextEntry::into_parts) else { return Ok(false) };
        let data = source.as_data();
        let position = self.preparing.filter(|position| position.entry == data.entry.index);
        block_in_place(|| {
            let statement = position.map(|position| {
                let (entries, recovered) = (self.view.entries(), recovered.clone());
                let of_index = position.index;
                (position, self.verifier.statement_of(entries, &data, recovered, of_index))
            });
            self.verifier.feed_recovered(recovered)?;
            if let Some((position, statement)) = statement {
                self.preparing = None;
                self.run_program(position, statement);
            }
            Ok(true)
        })
    }

    const fn claims(&mut self) -> HonestClaims<'_> {
        HonestClaims::new(&self.verifier, &mut self.traces)
    }

    /// Checks that the reference executor has confirmed the verdict on an output: the parallel
    /// engine's word alone is not enough to play.
    fn confirm(&mut self, output: u64) -> Result<(), ClaimError> {
        let outputs = self.view.outputs();
        let Some(output) = usize::try_from(output).ok().and_then(|at| outputs.get(at)) else {
            return Ok(());
        };
        let is_derived = self.verifier.entry(output.entry).is_some();
        if is_derived && block_in_place(|| self.verifier.confirm(output, outputs)) {
            return Ok(());
        }
        Err(ClaimError::NotDerived(output.entry))
    }

    /// Prepares the run on a block: rewinds to its entry and derives up to it again. If that takes
    /// longer than [`TURN_TIME_MAX`], the next step continues.
    async fn prepare(&mut self, position: BlockPosition) -> anyhow::Result<()> {
        let entry = position.entry;
        // One block at a time: the verifier has to reach the first one before it goes back for
        // another.
        if self.preparing.is_none() {
            // Fail before the rewind if the entry's data cannot be had.
            self.view.source(entry).await?;
            self.preparing = Some(position);
            block_in_place(|| self.verifier.rewind(entry));
            let started = Instant::now();
            while self.preparing.is_some() && started.elapsed() < TURN_TIME_MAX {
                if !self.derive_next().await? {
                    break;
                }
            }
        }
        if self.preparing.is_some() { Err(ClaimError::NotDerived(entry).into()) } else { Ok(()) }
    }

    /// Runs the proof program on a block. The cache keeps the result, good or bad.
    fn run_program(&mut self, position: BlockPosition, statement: Result<Statement, ProveError>) {
        let mut claims = self.claims();
        match statement {
            Ok(statement) => {
                if let Err(error) = claims.prepare(&statement) {
                    warn!(entry = position.entry, index = position.index, %error, "no run");
                }
            }
            Err(error) => claims.give_up(position, &error),
        }
    }
}

/// The error of L1 or of the derivation by itself: callers recognize it by its type.
pub(crate) fn of_follow(error: FollowError) -> anyhow::Error {
    match error {
        FollowError::L1(error) => error.into(),
        FollowError::Derivation(error) => error.into(),
        other => other.into(),
    }
}
