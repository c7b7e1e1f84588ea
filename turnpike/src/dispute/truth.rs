use std::collections::BTreeMap;

use alloy_primitives::B256;
use anyhow::Context as _;
use tokio::task::block_in_place;
use turnpike_derivation::{FollowError, FollowedBlock, Node};
use turnpike_fraud_proof::{
    Verdict, Verifier,
    game::{Belief, Trace, Unsure},
    prove::{PROGRAM, Position, ProveError, StatedBlock, run_native, statement_at},
};
use turnpike_l1::{DisputedOutput, L1Error, ProposedOutput};

use crate::{cli::ChainArgs, execution::ExecutionArgs, follow};

/// What derivation from L1 gives, as far as an output reaches.
#[derive(Debug)]
pub(super) struct Truth {
    node: Node,
    belief: Derived,
}

/// Roots and runs that were derived.
#[derive(Debug)]
pub(super) struct Derived {
    output: DisputedOutput,
    parent_root: B256,
    /// Output roots after each block of each entry.
    roots: BTreeMap<u64, Vec<B256>>,
    runs: BTreeMap<u64, Run>,
}

/// The machine's run on a block.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) trace: Trace,
    /// `None` past the entry's last block.
    pub(super) block: Option<StatedBlock>,
}

impl Truth {
    /// Derives the chain up to an output.
    pub(super) async fn derive(
        chain: &ChainArgs,
        execution: ExecutionArgs,
        output: DisputedOutput,
    ) -> anyhow::Result<Self> {
        let mut node = follow::open(chain, execution.into()).await?;
        let look = async |node: &mut Node| roots(node, &output).await;
        let roots = follow::look(&mut node, chain, look, FollowError::severity).await?;
        let parent = node.follower().output(output.parent_entry);
        let parent_root = parent.context("the parent output is not derived yet")?.output.hash();
        let belief = Derived { output, parent_root, roots, runs: BTreeMap::new() };
        Ok(Self { node, belief })
    }

    /// What a question about the truth is answered with. Runs that it needs are made.
    pub(super) async fn ask<T>(
        &mut self,
        chain: &ChainArgs,
        mut question: impl FnMut(&mut Derived) -> Result<T, Unsure>,
    ) -> anyhow::Result<T> {
        loop {
            match block_in_place(|| question(&mut self.belief)) {
                Err(Unsure::NotPrepared { entry, index }) => {
                    self.prepare(chain, Position { entry, index }).await?;
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// The machine's run on the block between a position and the next.
    pub(super) async fn run(
        &mut self,
        chain: &ChainArgs,
        position: u64,
    ) -> anyhow::Result<&mut Run> {
        let output = self.belief.output;
        self.ask(chain, |belief| belief.trace(&output, position).map(drop)).await?;
        Ok(self.belief.runs.get_mut(&position).expect("invariant: it was asked for"))
    }

    /// What L1 holds.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    async fn prepare(&mut self, chain: &ChainArgs, position: Position) -> anyhow::Result<()> {
        let look = async |node: &mut Node| statement_at(node, position).await;
        let statement = follow::look(&mut self.node, chain, look, ProveError::severity).await?;
        let trace = block_in_place(|| Trace::new(PROGRAM, run_native(&statement.witness).read))?;
        let entries = position.entry - self.belief.output.parent_entry - 1;
        let at = entries * self.belief.output.blocks_per_entry + position.index;
        self.belief.runs.insert(at, Run { trace, block: statement.block });
        Ok(())
    }
}

/// Follows L1 to an output's entry, and notes the roots of the entries since its parent's.
async fn roots(
    node: &mut Node,
    output: &DisputedOutput,
) -> Result<BTreeMap<u64, Vec<B256>>, FollowError> {
    let mut roots = BTreeMap::new();
    node.advance().await?;
    node.parts_mut().1.rewind(output.parent_entry + 1);
    while node.follower().next_entry() <= output.entry {
        let entry = node.follower().next_entry();
        let Some(next) = node.next_entry().await? else { break };
        let (view, follower) = node.parts_mut();
        let Some(posted) = usize::try_from(entry).ok().and_then(|at| view.entries().get(at)) else {
            break;
        };
        let mut of_entry = Vec::new();
        let note = |block: FollowedBlock<'_>| of_entry.push(block.outcome.output.hash());
        block_in_place(|| follower.feed_with(posted, &next.source().as_data(), note).map(drop))?;
        if entry > output.parent_entry {
            roots.insert(entry, of_entry);
        }
    }
    Ok(roots)
}

impl Belief for Derived {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, Unsure> {
        let Some(before) = position.checked_sub(1) else { return Ok(self.parent_root) };
        let (entry, block) = output.block_at(before);
        let roots = self.roots.get(&entry).ok_or(Unsure::NotDerived(entry))?;
        let block = usize::try_from(block).unwrap_or(usize::MAX);
        let root = roots.get(block).or_else(|| roots.last());
        Ok(*root.expect("invariant: every entry derives a block"))
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, Unsure> {
        let (entry, index) = output.block_at(position);
        let run = self.runs.get_mut(&position);
        run.map(|run| &mut run.trace).ok_or(Unsure::NotPrepared { entry, index })
    }
}

/// What the verifier makes of an output: it remembers what a report of differences takes.
pub(super) async fn judge(
    chain: &ChainArgs,
    execution: ExecutionArgs,
    output: &ProposedOutput,
    node: &Node,
) -> anyhow::Result<(Verifier, Verdict)> {
    let genesis = crate::roles::read_genesis(&chain.genesis)?;
    let mut verifier = block_in_place(|| Verifier::new_with(&genesis, execution.into()));
    let view = node.view();
    while verifier.next_entry() <= output.entry {
        let next = verifier.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| view.entries().get(at));
        let source = view.source(next).await?;
        let (Some(posted), Some(source)) = (posted, source) else {
            return Err(L1Error::NotYet(format!("inbox entry {next} is missing")).into());
        };
        block_in_place(|| verifier.feed(posted, &source.as_data()).map(drop))?;
    }
    let verdict = block_in_place(|| verifier.judge(output, view.outputs()));
    Ok((verifier, verdict))
}
