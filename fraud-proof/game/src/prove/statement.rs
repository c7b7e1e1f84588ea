//! What there is to prove of a block: its position, the node's output root and the witness.

use alloy_primitives::B256;
use serde::Serialize;
use tokio::task::block_in_place;
use turnpike_derivation::{DerivedChain, FollowedBlock, Follower, RecoveredEntry};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_l1::{L1Source, PostedEntry};
use turnpike_protocol::{BatchFault, BlockInput, DataKind, EntryData, Preimages};

use super::{InboxData, ProveError, witness, witness::entry_at};

/// The position of a block: its inbox entry and its index in the entry, from 0. If the entry has no
/// block there, the output root stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BlockPosition {
    /// The entry.
    pub entry: u64,
    /// The block's index in the entry.
    pub index: u64,
}

/// What there is to prove: given this witness, the program computes this output root.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The block's position.
    pub position: BlockPosition,
    /// Where L1 holds the entry's batch.
    pub data_kind: DataKind,
    /// Why the batch was skipped, if it was.
    pub fault: Option<BatchFault>,
    /// The block; `None` if the entry has no block at the index.
    pub block: Option<StatedBlock>,
    /// The node's output root after the block.
    pub output_root: B256,
    /// Everything that the program may read, from [`witness()`](super::witness()).
    pub witness: Preimages,
}

/// The block of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedBlock {
    /// Block number.
    pub number: u64,
    /// Block hash that the node derived.
    pub hash: B256,
    /// Number of transactions, deposits included.
    pub transactions: usize,
    /// Number of deposits, the attributes transaction included.
    pub deposits: usize,
    /// Number of batch transactions that were skipped.
    pub skipped: usize,
    /// Gas that its transactions used.
    pub gas_used: u64,
}

impl Statement {
    /// States what there is to prove of block `index` of `follower`'s next entry, and applies the
    /// entry. `entries` are L1's, by index.
    pub fn of_next_entry(
        follower: &mut Follower,
        entries: &[PostedEntry],
        data: &EntryData<'_>,
        index: u64,
    ) -> Result<Self, ProveError> {
        let posted = entry_at(entries, data.entry.index)?;
        let recovered = follower.derivation().recover(posted, data)?;
        Self::of_recovered(follower, entries, data, recovered, index)
    }

    /// Like [`Self::of_next_entry`], of an entry whose signers were recovered from `data`.
    pub fn of_recovered(
        follower: &mut Follower,
        entries: &[PostedEntry],
        data: &EntryData<'_>,
        recovered: RecoveredEntry,
        index: u64,
    ) -> Result<Self, ProveError> {
        let mut stated = Self::of_blocks(follower, entries, data, recovered, &[index])?;
        stated.pop().expect("invariant: one statement per index")
    }

    /// States what there is to prove of several blocks of `follower`'s next entry, and applies the
    /// entry once. The statements are in the order of `indexes`.
    ///
    /// # Errors
    ///
    /// If the entry cannot be applied. Collecting the witness of a block may fail by itself.
    pub fn of_blocks(
        follower: &mut Follower,
        entries: &[PostedEntry],
        data: &EntryData<'_>,
        recovered: RecoveredEntry,
        indexes: &[u64],
    ) -> Result<Vec<Result<Self, ProveError>>, ProveError> {
        let genesis = follower.output(0).expect("invariant: the genesis block has an output");
        let inbox = InboxData { genesis_hash: genesis.output.block_hash, entries, source: data };
        let fault = recovered.fault.clone();
        let mut stated: Vec<_> =
            indexes.iter().map(|index| StatedIndex::new(*index, &recovered)).collect();
        stated.iter_mut().for_each(|it| it.before_next(0, follower.chain(), &inbox));
        let mut shown = 0;
        follower.apply_recovered(recovered, |FollowedBlock { chain, outcome, .. }| {
            stated.iter_mut().for_each(|it| it.after_block(shown, &outcome));
            shown += 1;
            stated.iter_mut().for_each(|it| it.before_next(shown, chain, &inbox));
        })?;
        let head = follower.head().output.hash();
        let state = |it: StatedIndex| {
            let (block, output_root) =
                it.block.map_or((None, head), |(block, root)| (Some(block), root));
            Ok(Self {
                position: BlockPosition { entry: data.entry.index, index: it.index },
                data_kind: data.entry.data_kind,
                fault: fault.clone(),
                block,
                output_root,
                witness: it
                    .witness
                    .expect("invariant: an entry derives as many blocks as were seen")?,
            })
        };
        Ok(stated.into_iter().map(state).collect())
    }
}

/// What a statement needs of its block, collected while the entry is applied.
#[derive(Debug)]
struct StatedIndex {
    index: u64,
    /// Number of the entry's blocks before it; all of them if it is past the last one.
    before: usize,
    input: Option<BlockInput>,
    witness: Option<Result<Preimages, ProveError>>,
    /// The block and the output root after it.
    block: Option<(StatedBlock, B256)>,
}

impl StatedIndex {
    fn new(index: u64, entry: &RecoveredEntry) -> Self {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let (before, input) = (at.min(entry.blocks.len()), entry.blocks.get(at).cloned());
        Self { index, before, input, witness: None, block: None }
    }

    /// Collects the witness, if this is the state before the block.
    fn before_next(&mut self, blocks: usize, chain: &Chain, inbox: &InboxData<'_>) {
        if blocks == self.before {
            self.witness = Some(witness(chain, inbox, self.index, self.input.as_ref()));
        }
    }

    /// Keeps the outcome, if it is the block's.
    fn after_block(&mut self, at: usize, outcome: &BlockOutcome) {
        if at == self.before
            && let Some(input) = &self.input
        {
            self.block = Some((StatedBlock::new(input, outcome), outcome.output.hash()));
        }
    }
}

impl StatedBlock {
    fn new(input: &BlockInput, outcome: &BlockOutcome) -> Self {
        Self {
            number: outcome.header.number,
            hash: outcome.hash(),
            transactions: outcome.transactions.len(),
            deposits: input.deposits.len(),
            skipped: outcome.skipped.len(),
            gas_used: outcome.header.gas_used,
        }
    }
}

/// Follows L1 up to block `number` and returns its position.
pub async fn position_of<S: L1Source>(
    node: &mut DerivedChain<S>,
    number: u64,
) -> Result<BlockPosition, ProveError> {
    if number == 0 {
        return Err(ProveError::GenesisBlock);
    }
    while node.safe() < number {
        if !feed_next(node).await? {
            return Err(ProveError::BlockNotOnL1 { block: number, head: node.safe() });
        }
    }
    let entry = node.follower().derivation().entry_of_block(number);
    let entry = entry.expect("invariant: every block up to the head has its entry");
    Ok(BlockPosition { entry: entry.posted.entry.index, index: number - entry.first_block })
}

/// States what there is to prove at a position. The node follows L1 up to its entry, or rewinds to
/// it.
pub async fn statement_at<S: L1Source>(
    node: &mut DerivedChain<S>,
    position: BlockPosition,
) -> Result<Statement, ProveError> {
    let BlockPosition { entry, index } = position;
    let newest = (node.view().entries().len() as u64).saturating_sub(1);
    let blocks_max = node.follower().chain().config().blocks_per_entry_max();
    if entry == 0 {
        return Err(ProveError::FirstEntry);
    } else if entry > newest {
        return Err(ProveError::EntryNotOnL1 { entry, newest });
    } else if index >= blocks_max {
        return Err(ProveError::Index { index, blocks_max });
    }
    node.parts_mut().1.rewind(entry);
    while node.follower().next_entry() < entry {
        if !feed_next(node).await? {
            return Err(ProveError::EntryMissing(node.follower().next_entry()));
        }
    }
    let next = node.next_entry().await?.ok_or(ProveError::EntryMissing(entry))?;
    let (view, follower) = node.parts_mut();
    let (source, recovered) = next.into_parts();
    let data = source.as_data();
    block_in_place(|| Statement::of_recovered(follower, view.entries(), &data, recovered, index))
}

async fn feed_next<S: L1Source>(node: &mut DerivedChain<S>) -> Result<bool, ProveError> {
    let Some(next) = node.next_entry().await? else { return Ok(false) };
    block_in_place(|| node.apply(next))?;
    Ok(true)
}
