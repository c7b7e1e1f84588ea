//! What the challenger knows: L1 as read so far, the chain derived from it, and runs on disputed
//! blocks.
//!
//! # State
//!
//! The view of L1, the reader that is one entry ahead, the verifier that follows them, and the runs
//! of the proof program, which go on beside. If witnesses are wanted for them, a pass collects them
//! on a copy of the chain.
//!
//! # Recovery
//!
//! Nothing is stored. A new challenger reads L1 from the start, and a reorg rewinds the verifier to
//! the last common entry.

use std::{num::NonZeroUsize, time::Duration};

use tokio::task::block_in_place;
use turnpike_derivation::{EntryReader, FollowError, NextEntry};
use turnpike_game::{ClaimError, NextMove, prove::BlockPosition};
use turnpike_l1::{Bisection, DisputedOutput, GameMove, L1View, ProposedOutput, Reorg};
use turnpike_protocol::{ChainConfig, OutputRoot};

use crate::{
    Verdict, Verifier,
    question::{Question, RootsOnly},
    runs::{DisputedBlock, Runs},
    witness_pass::WitnessPass,
};

/// Time after which deriving entries or deciding on moves pauses for the next read of L1.
pub(crate) const TURN_TIME_MAX: Duration = Duration::from_secs(2);

/// L1, the chain derived from it, and proofs of disputed blocks.
#[derive(Debug)]
pub(crate) struct HonestChain {
    config: ChainConfig,
    view: L1View,
    reader: EntryReader,
    verifier: Verifier,
    runs: Runs,
    /// The latest collection of witnesses for them.
    pass: Option<WitnessPass>,
}

impl HonestChain {
    pub(crate) fn new(
        config: ChainConfig,
        view: L1View,
        verifier: Verifier,
        run_threads: Option<NonZeroUsize>,
    ) -> Self {
        let (reader, runs) = (EntryReader::default(), Runs::start(run_threads));
        Self { config, view, reader, verifier, runs, pass: None }
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

    pub(crate) const fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Reads what L1 has added, and rewinds the verifier to the last common entry. Returns the
    /// reorg, if there was one.
    pub(crate) async fn advance(&mut self) -> anyhow::Result<Option<Reorg>> {
        let reorg = self.view.advance().await?.reorg;
        block_in_place(|| {
            self.verifier.keep_states_of(self.view.outputs());
            self.verifier.rewind_to_common(self.view.entries());
        });
        if reorg.is_some() {
            self.pass = None;
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

    /// The honest answer to a bisection of an output's claims, or to the output itself. `None` if it
    /// is right. An answer about states of the machine is found by a run: ask again.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] if the answer is not certain, or not yet: an entry is not derived or
    /// confirmed, a run is under way, or a block cannot be proven.
    pub(crate) fn ask(
        &mut self,
        output: u64,
        answered: Option<Bisection>,
        deadline: u64,
    ) -> Result<Option<NextMove>, ClaimError> {
        let Some(disputed) = self.disputed_output(output) else { return Ok(None) };
        self.confirm(output)?;
        let question = Question { output: disputed, answered };
        let mut roots = RootsOnly::new(&self.verifier);
        match question.answer(&mut roots) {
            Err(ClaimError::NotPrepared { entry, index }) => {
                let asked = roots.asked;
                let block = self.disputed_block(BlockPosition { entry, index })?;
                self.runs.ask(block, question, asked, deadline)
            }
            answer => answer,
        }
    }

    /// Collects the witnesses that runs want, in one pass over the entries, unless one is under way.
    pub(crate) fn collect_witnesses(&mut self) {
        let wanted = self.runs.wanted();
        let is_there = |block: &DisputedBlock| {
            self.disputed_block(block.position).is_ok_and(|known| known == *block)
        };
        let (blocks, gone): (Vec<_>, Vec<_>) = wanted.blocks().into_iter().partition(is_there);
        gone.iter().for_each(|block| wanted.forget(block));
        let first = blocks.iter().map(|block| block.position.entry).min();
        let is_under_way = self.pass.as_ref().is_some_and(|pass| !pass.is_over());
        if let Some(first) = first.filter(|_| !is_under_way) {
            let follower = block_in_place(|| self.verifier.copy_before(first));
            self.pass = Some(WitnessPass::start(self.view.clone(), follower, wanted));
        }
    }

    /// Derives the next entry, if L1 has one.
    pub(crate) async fn derive_next(&mut self) -> anyhow::Result<bool> {
        let next = self.reader.next(&self.view, self.verifier.derivation()).await;
        let next = next.map_err(of_follow)?;
        let Some((_, recovered)) = next.map(NextEntry::into_parts) else { return Ok(false) };
        block_in_place(|| self.verifier.feed_recovered(recovered))?;
        Ok(true)
    }

    /// A block to run the program on, as it is derived now.
    fn disputed_block(&self, position: BlockPosition) -> Result<DisputedBlock, ClaimError> {
        let BlockPosition { entry, index } = position;
        let missing = || ClaimError::NotDerived(entry);
        let local = self.verifier.local_inputs(entry, index).ok_or_else(missing)?;
        let root = self.verifier.root_after(entry, index + 1).ok_or_else(missing)?;
        Ok(DisputedBlock { position, local, root })
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
}

/// The error of L1 or of the derivation by itself: callers recognize it by its type.
pub(crate) fn of_follow(error: FollowError) -> anyhow::Error {
    match error {
        FollowError::L1(error) => error.into(),
        FollowError::Derivation(error) => error.into(),
        other => other.into(),
    }
}
