//! A verifier that follows L1 as far as one disputed output reaches, and prepares the proofs of its
//! blocks on request.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use tokio::task::block_in_place;
use turnpike_derivation::EntryReader;
use turnpike_executor::EngineConfig;
use turnpike_game::{
    ClaimError, ClaimProvider as _, Trace,
    prove::{ProveError, StatedBlock},
};
use turnpike_l1::{DisputedOutput, L1Error, L1View, PostedEntry};

use turnpike_protocol::Genesis;

use crate::{HonestClaims, TraceCache, Verdict, Verifier, VerifierError, chain::of_follow};

/// The chain derived from L1 up to an output, and the proofs prepared so far.
#[derive(Debug)]
pub struct DisputeVerifier<'a> {
    view: &'a L1View,
    output: DisputedOutput,
    reader: EntryReader,
    verifier: Verifier,
    traces: TraceCache,
    /// Blocks whose proof was prepared, by entry and index; `None` past the entry's last block.
    blocks: BTreeMap<(u64, u64), Option<StatedBlock>>,
}

impl<'a> DisputeVerifier<'a> {
    /// Derives the chain up to an output.
    pub async fn derive(
        genesis: &Genesis,
        execution: EngineConfig,
        view: &'a L1View,
        output: DisputedOutput,
    ) -> anyhow::Result<Self> {
        let verifier = block_in_place(|| Verifier::new_with(genesis, execution));
        let (reader, traces) = (EntryReader::default(), TraceCache::default());
        let blocks = BTreeMap::new();
        let mut derived = Self { view, output, reader, verifier, traces, blocks };
        derived.derive_until(output.entry).await?;
        Ok(derived)
    }

    /// Asks the honest claims, and prepares the proofs that the answer needs.
    pub async fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut HonestClaims<'_>) -> Result<T, ClaimError>,
    ) -> anyhow::Result<T> {
        loop {
            let mut claims = HonestClaims::new(&self.verifier, &mut self.traces);
            match block_in_place(|| question(&mut claims)) {
                Err(ClaimError::NotPrepared { entry, index }) => self.prepare(entry, index).await?,
                answer => return Ok(answer?),
            }
        }
    }

    /// The block between a position and the next, and what `read` finds in the machine's run on it.
    pub async fn run<T, E: Into<anyhow::Error>>(
        &mut self,
        position: u64,
        mut read: impl FnMut(&mut Trace) -> Result<T, E>,
    ) -> anyhow::Result<(Option<StatedBlock>, T)> {
        let output = self.output;
        let found = self.ask(|claims| Ok(read(claims.trace(&output, position)?))).await?;
        let block = self.blocks.get(&output.block_at(position)).cloned().flatten();
        Ok((block, found.map_err(Into::into)?))
    }

    /// Judges the output.
    pub fn judge(&self) -> anyhow::Result<Verdict> {
        let outputs = self.view.outputs();
        let at = usize::try_from(self.output.index).ok();
        let output = at.and_then(|at| outputs.get(at)).context("the output is missing")?;
        Ok(block_in_place(|| self.verifier.judge(output, outputs)))
    }

    /// The verifier that derived the chain.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The disputed output.
    pub const fn output(&self) -> DisputedOutput {
        self.output
    }

    /// Inbox entries, by index.
    pub fn entries(&self) -> &'a [PostedEntry] {
        self.view.entries()
    }

    async fn derive_until(&mut self, last: u64) -> anyhow::Result<()> {
        while self.verifier.next_entry() <= last {
            let index = self.verifier.next_entry();
            let next = self.reader.next(self.view, self.verifier.derivation()).await;
            let next = next.map_err(of_follow)?.ok_or_else(|| missing(index))?;
            let (_, recovered) = next.into_parts();
            let feed = || self.verifier.feed_recovered(recovered).map(drop);
            block_in_place(feed).map_err(|error: VerifierError| anyhow!(error))?;
        }
        Ok(())
    }

    async fn prepare(&mut self, entry: u64, index: u64) -> anyhow::Result<()> {
        self.verifier.rewind(entry);
        self.derive_until(entry - 1).await?;
        let next = self.reader.next(self.view, self.verifier.derivation()).await;
        let next = next.map_err(of_follow)?.ok_or_else(|| missing(entry))?;
        let (source, recovered) = next.into_parts();
        let (verifier, entries) = (&mut self.verifier, self.view.entries());
        let state = || verifier.statement_of(entries, &source.as_data(), recovered, index);
        let statement = block_in_place(state).map_err(|error: ProveError| anyhow!(error))?;
        self.derive_until(self.output.entry).await?;
        let mut claims = HonestClaims::new(&self.verifier, &mut self.traces);
        block_in_place(|| claims.prepare(&statement))?;
        self.blocks.insert((entry, index), statement.block);
        Ok(())
    }
}

fn missing(entry: u64) -> L1Error {
    L1Error::NotYet(format!("inbox entry {entry} is missing"))
}
