//! Restores chain, index and pool from the journal at a start.
//!
//! ```text
//! checkpoint ─► state after its block ─► later journal rows ─► state and index at the end
//!                                        log of waiting transactions ─► pool
//! ```
//!
//! # Job
//!
//! The journal is the ground truth. A checkpoint saves the execution of its blocks. It is used only
//! if the index holds its block with the same state root; otherwise the whole journal is executed.
//!
//! # Recovery
//!
//! Blocks that the index lacks are indexed. A block whose last part is missing is completed with
//! the parts that exist, because clients hold preconfirmations from it. A complete block without a
//! `Sealed` row gets one.
//!
//! # Durability
//!
//! A crash during the restore is harmless: the next start does it again.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::Path,
};

use alloy_primitives::{B256, keccak256};
use anyhow::{Context as _, ensure};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::{BlockOutcome, Chain, Engine, EngineConfig};
use turnpike_state::checkpoint::{CheckpointStore, Loaded};
use turnpike_storage::{
    AcceptedTx, Assembled, BlockAssembler, BlockPart, Database, IndexBatch, IndexRewind,
    JournalBlock, JournalEntry, JournalRow, ReorgEntry, SealedBlock, SealedEntry, SliceEntry,
    unix_milliseconds,
};

use crate::{
    checkpoints::Checkpoints,
    replay::{Senders, check_sealed, run_block},
    sealed::sealed_block_of,
    unindexed::UnindexedTxs,
};

/// Journal rows read at a time.
const ROWS_STEP: u32 = 256;

/// What a restore yields.
#[derive(Debug)]
pub struct Restored {
    /// The chain at the end of the journal.
    pub chain: Chain,
    /// The checkpoints to go on with.
    pub checkpoints: Checkpoints,
    /// Waiting transactions by arrival.
    pub pending: Vec<AcceptedTx>,
    /// Outcomes in journal rows that the index does not hold yet.
    pub unindexed: UnindexedTxs,
    /// Blocks without a `Sealed` row.
    pub unsealed: Vec<SealedEntry>,
    /// Number of executed blocks.
    #[cfg(test)]
    pub blocks_run: u64,
}

/// What to do with an incomplete block at the journal's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailPolicy {
    /// Complete it: this node writes the journal.
    Complete,
    /// Keep it: another node writes the journal.
    Keep,
}

/// Brings `genesis`, which is at its genesis block, and the index to the end of the journal.
/// `execution` configures the engine, also for later blocks.
pub async fn restore(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
) -> anyhow::Result<Restored> {
    restore_with(genesis, database, directory, execution, TailPolicy::Complete).await
}

/// [`restore`], with a choice about the journal's end.
pub async fn restore_with(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
    tail: TailPolicy,
) -> anyhow::Result<Restored> {
    let (chain, checkpoints, is_resumed) =
        begin(genesis, database, directory, execution, u64::MAX).await?;
    let mut restoring = Restorer::new(chain, checkpoints, database).await?;
    restoring.run(tail).await?;
    let Restorer { chain, mut checkpoints, unindexed, unsealed, blocks_run, .. } = restoring;
    let unsealed = unsealed.into_values().collect();
    if blocks_run > 0 {
        info!(
            head = chain.head().header.number,
            blocks = blocks_run,
            "chain rebuilt from the journal"
        );
    }
    if !is_resumed {
        checkpoints.begin(&chain);
    }
    Ok(Restored {
        chain,
        checkpoints,
        pending: database.waiting().await?,
        unindexed,
        unsealed,
        #[cfg(test)]
        blocks_run,
    })
}

/// The chain after `block`, which the index holds and whose state is no longer in memory.
pub async fn restore_to(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
    block: u64,
) -> anyhow::Result<(Chain, Checkpoints)> {
    let (mut chain, mut checkpoints, is_resumed) =
        begin(genesis, database, directory, execution, block).await?;
    while chain.head().header.number < block {
        let next = chain.head().header.number + 1;
        let rows = database.rows_of(next).await?;
        let rows = rows.with_context(|| format!("the index does not hold block {next}"))?;
        let block = journal_block(database, next, rows).await?;
        let outcome = block_in_place(|| run_block(&mut chain, &block, Senders::Known))?;
        checkpoints.push(&chain, outcome).await;
    }
    if !is_resumed {
        checkpoints.begin(&chain);
    }
    Ok((chain, checkpoints))
}

/// Reads a block from its journal rows.
pub async fn journal_block(
    database: &Database,
    number: u64,
    rows: Range<u64>,
) -> anyhow::Result<JournalBlock> {
    let mut assembler = BlockAssembler::new(number);
    let limit = u32::try_from(rows.end - rows.start)?;
    for row in database.rows(rows.start, limit).await? {
        if let Some(Assembled::Block(block)) = assembler.push(&row)? {
            return Ok(block);
        }
    }
    anyhow::bail!("rows {} to {} of the journal do not hold block {number}", rows.start, rows.end)
}

/// The chain to execute the journal on, its checkpoints, and whether it was loaded from them.
async fn begin(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
    last: u64,
) -> anyhow::Result<(Chain, Checkpoints, bool)> {
    let resumed = resume(&genesis, database, directory, last).await.unwrap_or_else(|doubt| {
        let doubt = format!("{doubt:#}");
        warn!(doubt, "state checkpoint not used: the whole journal is run");
        None
    });
    let is_resumed = resumed.is_some();
    let (mut chain, checkpoints) = match resumed {
        Some((chain, store)) => {
            info!(block = chain.head().header.number, "state loaded from a checkpoint");
            let checkpoints = Checkpoints::after(directory, store, &chain);
            (chain, checkpoints)
        }
        None => {
            let checkpoints = Checkpoints::none(directory, &genesis);
            (genesis, checkpoints)
        }
    };
    chain.set_engine(Engine::new(execution));
    Ok((chain, checkpoints, is_resumed))
}

/// The chain at its newest checkpoint; `None` without one. An error says why the checkpoint cannot
/// be trusted.
async fn resume(
    genesis: &Chain,
    database: &Database,
    directory: &Path,
    last: u64,
) -> anyhow::Result<Option<(Chain, CheckpointStore)>> {
    let (store, recovery) = block_in_place(|| CheckpointStore::open(directory))?;
    for discarded in &recovery.discarded {
        warn!(segment = %discarded.segment, reason = %discarded.reason, "state checkpoint damaged");
    }
    let Some(Loaded { block, state_root, state, .. }) = recovery.loaded else {
        ensure!(recovery.discarded.is_empty(), "no segment is usable");
        return Ok(None);
    };
    ensure!(block <= last, "the checkpoint is of block {block}, expected at most block {last}");
    if block == 0 {
        // A checkpoint of the genesis block has no journal row that confirms it.
        ensure!(
            state_root == genesis.head().header.state_root,
            "the checkpoint belongs to another genesis"
        );
        let header = genesis.head().header.clone();
        let chain = Chain::resume(genesis.config().clone(), state, header, None);
        return Ok(chain.map(|chain| (chain, store)));
    }
    let record = database.block(block).await?;
    let record = record.with_context(|| format!("the index does not hold block {block}"))?;
    ensure!(
        record.header.state_root == state_root,
        "block {block}: the checkpoint has state root {state_root}, the index has {}",
        record.header.state_root
    );
    let is_void = is_rewound(database, block).await?;
    ensure!(!is_void, "block {block} was rewound");
    let origin = Some(record.origin.entry);
    let chain = Chain::resume(genesis.config().clone(), state, record.header, origin);
    let chain =
        chain.with_context(|| format!("the checkpoint is not the state after block {block}"))?;
    Ok(Some((chain, store)))
}

/// Whether a journal row that the index does not hold voids a block.
async fn is_rewound(database: &Database, block: u64) -> anyhow::Result<bool> {
    let reorg = database.reorg_entries_from(database.indexed_to().await?).await?;
    Ok(reorg.iter().any(|(_, reorg)| reorg.first_block <= block))
}

/// A journal that is being executed.
struct Restorer<'a> {
    database: &'a Database,
    chain: Chain,
    checkpoints: Checkpoints,
    assembler: BlockAssembler,
    /// The first row that the index does not hold.
    indexed_to: u64,
    /// Later rows that rewind the chain, each with its first block.
    voids: Vec<(u64, u64)>,
    /// Outcomes since the newest block. The next block's batch indexes them.
    unindexed: UnindexedTxs,
    /// Transactions in void parts, with their blocks, until the row that voids them.
    void: Vec<(B256, u64)>,
    /// Executed blocks whose `Sealed` row has not come yet.
    unsealed: BTreeMap<u64, SealedEntry>,
    blocks_run: u64,
}

impl<'a> Restorer<'a> {
    async fn new(
        chain: Chain,
        checkpoints: Checkpoints,
        database: &'a Database,
    ) -> anyhow::Result<Self> {
        let head = chain.head().header.number;
        Ok(Self {
            database,
            chain,
            checkpoints,
            assembler: BlockAssembler::new(head + 1),
            indexed_to: database.indexed_to().await?,
            voids: Vec::new(),
            unindexed: UnindexedTxs::default(),
            void: Vec::new(),
            unsealed: BTreeMap::new(),
            blocks_run: 0,
        })
    }

    async fn run(&mut self, tail: TailPolicy) -> anyhow::Result<()> {
        let mut next = match self.chain.head().header.number {
            0 => 0,
            block => {
                let rows = self.database.rows_of(block).await?;
                rows.with_context(|| format!("the index does not hold block {block}"))?.end
            }
        };
        let voids = self.database.reorg_entries_from(next).await?;
        self.voids = voids.iter().map(|(row, reorg)| (*row, reorg.first_block)).collect();
        loop {
            let rows = self.database.rows(next, ROWS_STEP).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                next = row.sequence + 1;
                self.apply(row).await?;
            }
        }
        if tail == TailPolicy::Complete {
            self.complete_open_block(next).await?;
            self.seal_unsealed().await?;
        }
        Ok(())
    }

    fn is_new(&self, sequence: u64) -> bool {
        sequence >= self.indexed_to
    }

    async fn apply(&mut self, mut row: JournalRow) -> anyhow::Result<()> {
        let (sequence, is_new) = (row.sequence, self.is_new(row.sequence));
        if let JournalEntry::Slice(slice) = &mut row.entry {
            if let Some(part) =
                slice.part.take_if(|part| is_void(&self.voids, sequence, part.block))
                && is_new
            {
                let hashes: Vec<_> =
                    part.transactions.iter().map(|tx| keccak256(&tx.raw)).collect();
                self.unindexed.include(hashes.iter().copied());
                self.void.extend(hashes.into_iter().map(|hash| (hash, part.block)));
            }
            if is_new {
                self.unindexed.accept(&slice.accepted);
                self.unindexed.refuse(std::mem::take(&mut slice.refused));
            }
        }
        let first = match &row.entry {
            JournalEntry::Slice(_) => None,
            JournalEntry::Sealed(sealed) => Some(sealed.number),
            JournalEntry::Reorg(reorg) => {
                let is_known = self.voids.iter().any(|(at, _)| *at == sequence);
                ensure!(
                    is_known,
                    "row {sequence} rewinds the chain and was appended during the restore"
                );
                Some(reorg.first_block)
            }
        };
        if first.is_some_and(|block| is_void(&self.voids, sequence, block)) {
            let empty = JournalEntry::Slice(SliceEntry::default());
            if let JournalEntry::Reorg(reorg) = std::mem::replace(&mut row.entry, empty)
                && is_new
            {
                // A later row rewinds further: only the waiting transactions of this one count.
                self.unindexed.accept(&reorg.waiting);
                self.unindexed.refuse(reorg.refused);
            }
        }
        match self.assembler.push(&row)? {
            Some(Assembled::Block(block)) => self.run_block(block).await,
            Some(Assembled::Sealed(sealed)) => {
                self.unsealed.remove(&sealed.number);
                if is_new {
                    self.database.note_sealed(sealed.number, row.written_at_ms).await?;
                }
                if let Some(head) = self.chain.head_at(sealed.number) {
                    let (hash, state_root) = (head.hash(), head.header.state_root);
                    check_sealed(&sealed, &SealedEntry { hash, state_root, ..sealed.clone() })?;
                }
                Ok(())
            }
            Some(Assembled::Reorg(reorg)) if is_new => self.rewind(sequence, reorg).await,
            _ => Ok(()),
        }
    }

    async fn run_block(&mut self, block: JournalBlock) -> anyhow::Result<()> {
        let outcome: BlockOutcome =
            block_in_place(|| run_block(&mut self.chain, &block, Senders::Known))?;
        self.blocks_run += 1;
        let number = block.number;
        let (hash, state_root) = (outcome.hash(), outcome.header.state_root);
        self.unsealed.insert(number, SealedEntry { number, hash, state_root });
        if self.is_new(block.rows.start) {
            let hashes = outcome.transactions.iter().map(|tx| tx.envelope().tx_hash());
            self.unindexed.include(hashes);
            let to = block.rows.end;
            let sealed = sealed_block_of(&self.chain, &outcome, block);
            self.index(to, None, vec![sealed]).await?;
        }
        self.checkpoints.push(&self.chain, outcome).await;
        Ok(())
    }

    /// Indexed blocks are void, and so are the outcomes after them.
    async fn rewind(&mut self, sequence: u64, reorg: ReorgEntry) -> anyhow::Result<()> {
        let ReorgEntry { first_block, reason, waiting, refused } = reorg;
        let mut reorged = std::mem::take(&mut self.void);
        let known: HashSet<_> = reorged.iter().map(|(hash, _)| *hash).collect();
        for (hash, block) in reorged_from(self.database, first_block).await? {
            if !known.contains(&hash) {
                reorged.push((hash, block));
            }
        }
        self.unindexed.accept(&waiting);
        self.unindexed.refuse(refused);
        self.unsealed.retain(|number, _| *number < first_block);
        let rewind = IndexRewind { first_block, reason, reorged };
        self.index(sequence + 1, Some(rewind), Vec::new()).await
    }

    /// Completes a block whose last part is missing. `end` is the journal's end.
    async fn complete_open_block(&mut self, end: u64) -> anyhow::Result<()> {
        let Some(open) = self.assembler.open() else { return Ok(()) };
        let block = open.number;
        info!(block, transactions = open.transactions.len(), "completing the last block");
        let part = BlockPart {
            block,
            opening: None,
            transactions: Vec::new(),
            outcomes: Vec::new(),
            is_last: true,
        };
        let entry = JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() });
        let written_at_ms = unix_milliseconds();
        let written = self.database.append_at(std::slice::from_ref(&entry), written_at_ms).await;
        let rows = written?;
        ensure!(rows.start == end, "another process appended to the journal");
        let row = JournalRow { sequence: end, epoch: 0, written_at_ms, entry };
        self.apply(row).await
    }

    /// Appends the missing `Sealed` rows.
    async fn seal_unsealed(&mut self) -> anyhow::Result<()> {
        let sealed: Vec<_> = std::mem::take(&mut self.unsealed).into_values().collect();
        let numbers: Vec<_> = sealed.iter().map(|sealed| sealed.number).collect();
        let entries: Vec<_> = sealed.into_iter().map(JournalEntry::Sealed).collect();
        if !entries.is_empty() {
            let at_ms = unix_milliseconds();
            self.database.append_at(&entries, at_ms).await?;
            for number in numbers {
                self.database.note_sealed(number, at_ms).await?;
            }
        }
        Ok(())
    }

    /// Brings the index to row `to`.
    async fn index(
        &mut self,
        to: u64,
        rewind: Option<IndexRewind>,
        blocks: Vec<SealedBlock>,
    ) -> anyhow::Result<()> {
        let (accepted, refused) = std::mem::take(&mut self.unindexed).into_parts();
        let batch = IndexBatch { to, rewind, accepted, blocks, refused };
        Ok(self.database.index(&batch).await?)
    }
}

/// Whether a later row voids the block that a row belongs to.
fn is_void(voids: &[(u64, u64)], sequence: u64, block: u64) -> bool {
    voids.iter().any(|(at, first)| *at > sequence && block >= *first)
}

/// Indexed transactions of the blocks from `first` on, deposits included, each with its block.
pub async fn reorged_from(database: &Database, first: u64) -> anyhow::Result<Vec<(B256, u64)>> {
    /// Blocks read at a time.
    const STEP: u64 = 100;
    let (mut found, mut next) = (Vec::new(), first);
    loop {
        let blocks = database.blocks(next, next + STEP - 1).await?;
        if blocks.is_empty() {
            return Ok(found);
        }
        for block in blocks {
            let number = block.header.number;
            let hashes = block.receipts.iter().map(|receipt| keccak256(&receipt.transaction));
            found.extend(hashes.map(|hash| (hash, number)));
            next = number + 1;
        }
    }
}
