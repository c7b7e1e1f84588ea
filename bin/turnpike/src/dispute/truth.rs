use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use tokio::task::block_in_place;
use turnpike_challenger::{HonestClaims, TraceCache, Verdict, Verifier, VerifierError};
use turnpike_game::{
    ClaimError, ClaimProvider as _, Trace,
    prove::{ProveError, StatedBlock},
};
use turnpike_l1::{DisputedOutput, EntrySource, L1Error, L1View, PostedEntry};

use super::session::Session;
use crate::execution::ExecutionArgs;

/// What derivation from L1 gives, as far as an output reaches.
#[derive(Debug)]
pub(super) struct Truth<'a> {
    view: &'a L1View,
    output: DisputedOutput,
    verifier: Verifier,
    traces: TraceCache,
    /// Blocks whose run was asked for, by entry and place in it; `None` past the entry's last.
    blocks: BTreeMap<(u64, u64), Option<StatedBlock>>,
}

impl<'a> Truth<'a> {
    /// Derives the chain up to an output.
    pub(super) async fn derive(
        session: &'a Session,
        execution: ExecutionArgs,
        output: DisputedOutput,
    ) -> anyhow::Result<Self> {
        let genesis = &session.genesis;
        let verifier = block_in_place(|| Verifier::new_with(genesis, execution.into()));
        let (traces, blocks) = (TraceCache::default(), BTreeMap::new());
        let mut truth = Self { view: &session.view, output, verifier, traces, blocks };
        truth.derive_until(output.entry).await?;
        Ok(truth)
    }

    /// What a question about the truth is answered with. Runs of blocks that it takes are made.
    pub(super) async fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut HonestClaims<'_>) -> Result<T, ClaimError>,
    ) -> anyhow::Result<T> {
        loop {
            let mut truth = HonestClaims::new(&self.verifier, &mut self.traces);
            match block_in_place(|| question(&mut truth)) {
                Err(ClaimError::NotPrepared { entry, index }) => self.prepare(entry, index).await?,
                answer => return Ok(answer?),
            }
        }
    }

    /// The block between a position and the next, and what `look` sees in the machine's run on it.
    pub(super) async fn run<T>(
        &mut self,
        position: u64,
        mut look: impl FnMut(&mut Trace) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Option<StatedBlock>, T)> {
        let output = self.output;
        let seen = self.ask(|truth| Ok(look(truth.trace(&output, position)?))).await??;
        let block = self.blocks.get(&output.block_at(position)).cloned().flatten();
        Ok((block, seen))
    }

    /// What the output is.
    pub(super) fn judge(&self) -> anyhow::Result<Verdict> {
        let outputs = self.view.outputs();
        let at = usize::try_from(self.output.index).ok();
        let output = at.and_then(|at| outputs.get(at)).context("the output is missing")?;
        Ok(block_in_place(|| self.verifier.judge(output, outputs)))
    }

    /// What has derived it.
    pub(super) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    async fn derive_until(&mut self, last: u64) -> anyhow::Result<()> {
        while self.verifier.next_entry() <= last {
            let (posted, source) = self.entry(self.verifier.next_entry()).await?;
            let feed = || self.verifier.feed(posted, &source.as_data()).map(drop);
            block_in_place(feed).map_err(|error: VerifierError| anyhow!(error))?;
        }
        Ok(())
    }

    async fn prepare(&mut self, entry: u64, index: u64) -> anyhow::Result<()> {
        self.verifier.rewind(entry);
        self.derive_until(entry - 1).await?;
        let (_, source) = self.entry(entry).await?;
        let (verifier, entries) = (&mut self.verifier, self.view.entries());
        let statement = block_in_place(|| verifier.statement(entries, &source.as_data(), index))
            .map_err(|error: ProveError| anyhow!(error))?;
        self.derive_until(self.output.entry).await?;
        let mut truth = HonestClaims::new(&self.verifier, &mut self.traces);
        block_in_place(|| truth.prepare(&statement))?;
        self.blocks.insert((entry, index), statement.block);
        Ok(())
    }

    /// An entry as L1 has it, and all that deriving it takes.
    async fn entry(&self, index: u64) -> anyhow::Result<(&'a PostedEntry, EntrySource)> {
        let posted = usize::try_from(index).ok().and_then(|at| self.view.entries().get(at));
        let source = self.view.source(index).await?;
        let missing = || L1Error::NotYet(format!("inbox entry {index} is missing"));
        Ok((posted.ok_or_else(missing)?, source.ok_or_else(missing)?))
    }
}
