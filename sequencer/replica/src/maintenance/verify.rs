//! Verifies a database: the journal is complete, its execution yields the recorded results, and the
//! index agrees.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::task::block_in_place;
use tracing::info;
use turnpike_executor::{Chain, Engine, EngineConfig};
use turnpike_protocol::Genesis;
use turnpike_state::checkpoint::load;
use turnpike_storage::{
    Assembled, BlockAssembler, Database, DatabaseLocation, JournalBlock, SealedEntry, StorageError,
    genesis_id,
};

use super::{
    index::{check_block, check_genesis, check_outcomes, check_unexecuted, check_waiting},
    scan::{JournalScan, damage_as_divergence},
};
use turnpike_sequencer::{
    Divergence,
    replay::{Senders, check_sealed, run_block},
    sealed::{genesis_record, sealed_block_of},
};

/// Rows read at a time.
const ROWS_STEP: u32 = 256;

/// Divergences of the index after which verification stops comparing it.
const WRONG_MAX: usize = 100;

/// What to verify.
#[derive(Clone, Debug)]
pub struct VerifyConfig {
    /// The database.
    pub database: DatabaseLocation,
    /// The directory of state checkpoints, if any.
    pub checkpoints: Option<PathBuf>,
    /// Which blocks to execute.
    pub scope: VerifyScope,
    /// Whether to compare the checkpoint with the executed state.
    pub state: bool,
    /// The engine that executes blocks.
    pub execution: EngineConfig,
}

/// Which blocks to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyScope {
    /// All blocks.
    Genesis,
    /// Blocks after the newest checkpoint, or all blocks without one. Earlier blocks are compared
    /// by roots and hashes.
    Checkpoint,
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Rows of the journal.
    pub rows: u64,
    /// Number of the newest complete block.
    pub head: u64,
    /// Executed blocks.
    pub blocks_run: u64,
    /// User transactions in them.
    pub transactions_run: u64,
    /// The newest indexed block.
    pub indexed: u64,
    /// Whether the database changed during the verification. If so, data that changes all the time
    /// was not compared.
    pub is_in_use: bool,
    /// Divergences in the order of discovery. Nothing after the first wrong row or block is
    /// checked.
    pub wrong: Vec<Divergence>,
}

/// A verification in progress.
struct Verification<'a> {
    database: &'a Database,
    chain: Chain,
    /// The first row that the index does not hold.
    indexed_to: u64,
    /// The block and root of the checkpoint to compare.
    checkpoint: Option<SealedEntry>,
    /// Executed blocks whose `Sealed` row has not come yet.
    unsealed: VecDeque<SealedEntry>,
    found: Verified,
}

/// Verifies a database. The result lists its divergences. An error means that it could not be read.
pub async fn verify(genesis: &Genesis, config: VerifyConfig) -> anyhow::Result<Verified> {
    let database = Database::open_read_only(&config.database, genesis_id(genesis)).await?;
    let verified = verify_open(genesis, &config, &database).await;
    database.close().await;
    verified
}

async fn verify_open(
    genesis: &Genesis,
    config: &VerifyConfig,
    database: &Database,
) -> anyhow::Result<Verified> {
    let chain = block_in_place(|| Chain::from_genesis(genesis));
    let mut found = Verified::default();
    let indexed_to = database.indexed_to().await?;
    let end = database.journal_end().await?;
    if end < indexed_to {
        let reason =
            format!("rows from {end} on are missing: the index covers those up to {indexed_to}");
        found.wrong.push(Divergence::Row { sequence: end, reason });
    }
    let genesis_block = genesis_record(&chain);
    if let Err(wrong) = check_genesis(database, &genesis_block).await? {
        found.wrong.push(wrong);
    }
    let scan = match JournalScan::of(database, indexed_to).await? {
        Ok(scan) => scan,
        Err(wrong) => {
            found.wrong.push(wrong);
            return Ok(found);
        }
    };
    found.rows = scan.rows;
    let mut verifying = Verification {
        database,
        chain,
        indexed_to,
        checkpoint: None,
        unsealed: VecDeque::new(),
        found,
    };
    verifying.load_checkpoint(config).await?;
    verifying.chain.set_engine(Engine::new(config.execution));
    if let Err(wrong) = verifying.run(&scan).await? {
        verifying.found.wrong.push(wrong);
        return Ok(verifying.found);
    }
    verifying.finish(&scan).await
}

impl Verification<'_> {
    /// Loads the newest checkpoint, if requested. The chain starts there or passes it.
    async fn load_checkpoint(&mut self, config: &VerifyConfig) -> anyhow::Result<()> {
        let is_start = config.scope == VerifyScope::Checkpoint;
        let Some(directory) = config.checkpoints.as_ref().filter(|_| is_start || config.state)
        else {
            return Ok(());
        };
        let recovery = block_in_place(|| load(directory)).context("cannot read the checkpoints")?;
        for discarded in recovery.discarded {
            self.report(Divergence::Index {
                table: "checkpoints",
                key: discarded.segment.to_string(),
                reason: discarded.reason.to_string(),
            });
        }
        let Some(loaded) = recovery.loaded else { return Ok(()) };
        let (block, state_root) = (loaded.block, loaded.state_root);
        let record = match block {
            0 => None,
            _ => self.database.block(block).await?,
        };
        let header = match &record {
            Some(record) => &record.header,
            None if block == 0 => &self.chain.head().header,
            None => {
                let reason = format!("the index does not hold block {block}");
                let (table, key) = ("checkpoints", block.to_string());
                self.report(Divergence::Index { table, key, reason });
                return Ok(());
            }
        };
        let (hash, expected) = (header.hash_slow(), header.state_root);
        if expected != state_root {
            let reason =
                format!("expected state root {expected} after block {block}, found {state_root}");
            let (table, key) = ("checkpoints", block.to_string());
            self.report(Divergence::Index { table, key, reason });
            return Ok(());
        }
        if is_start && block > 0 {
            let origin = record.as_ref().map(|record| record.origin.entry);
            let (rules, header) = (self.chain.config().clone(), header.clone());
            let resumed = block_in_place(|| Chain::resume(rules, loaded.state, header, origin));
            self.chain = resumed.context("invariant: the state has that root")?;
            info!(block, "executing blocks from a checkpoint");
        }
        self.checkpoint = Some(SealedEntry { number: block, hash, state_root });
        Ok(())
    }

    /// Executes the journal's rows, without those that were voided.
    async fn run(&mut self, scan: &JournalScan) -> Result<Result<(), Divergence>, StorageError> {
        let mut assembler = BlockAssembler::new(1);
        // Blocks before the checkpoint whose `Sealed` row has not come yet.
        let mut unexecuted = BTreeMap::<u64, JournalBlock>::new();
        let mut next = 0;
        while next < scan.rows {
            let rows = match damage_as_divergence(self.database.rows(next, ROWS_STEP).await)? {
                Ok(rows) => rows,
                Err(wrong) => return Ok(Err(wrong)),
            };
            for row in rows.into_iter().take_while(|row| row.sequence < scan.rows) {
                next = row.sequence + 1;
                let row = scan.without_void_parts(row);
                let assembled = match damage_as_divergence(assembler.push(&row))? {
                    Ok(assembled) => assembled,
                    Err(wrong) => return Ok(Err(wrong)),
                };
                let checked = match assembled {
                    Some(Assembled::Block(block)) => {
                        if block.number <= self.chain.head().header.number {
                            unexecuted.insert(block.number, block);
                            Ok(())
                        } else {
                            self.run_block(block).await?
                        }
                    }
                    Some(Assembled::Sealed(sealed)) => match unexecuted.remove(&sealed.number) {
                        Some(block) => self.check_unexecuted_block(&block, &sealed).await?,
                        None => self.seal(&sealed),
                    },
                    Some(Assembled::Reorg(_)) | None => Ok(()),
                };
                if let Err(wrong) = checked {
                    return Ok(Err(wrong));
                }
            }
        }
        Ok(Ok(()))
    }

    async fn run_block(
        &mut self,
        block: JournalBlock,
    ) -> Result<Result<(), Divergence>, StorageError> {
        let outcome =
            match block_in_place(|| run_block(&mut self.chain, &block, Senders::Recovered)) {
                Ok(outcome) => outcome,
                Err(wrong) => return Ok(Err(wrong)),
            };
        let number = block.number;
        let (hash, state_root) = (outcome.hash(), outcome.header.state_root);
        let found = SealedEntry { number, hash, state_root };
        if let Some(checkpoint) = self.checkpoint.take_if(|checkpoint| checkpoint.number == number)
            && let Err(wrong) = check_sealed(&checkpoint, &found)
        {
            self.report(wrong);
        }
        self.unsealed.push_back(found);
        self.found.head = number;
        self.found.blocks_run += 1;
        self.found.transactions_run += block.transactions.len() as u64;
        if self.is_indexed(&block) {
            self.found.indexed = number;
            let expected = sealed_block_of(&self.chain, &outcome, block);
            if self.compares_index()
                && let Err(wrong) = check_block(self.database, &expected).await?
            {
                self.report(wrong);
            }
        }
        Ok(Ok(()))
    }

    fn seal(&mut self, sealed: &SealedEntry) -> Result<(), Divergence> {
        // Blocks before a checkpoint may be sealed after it.
        let Some(front) = self.unsealed.front() else { return Ok(()) };
        if front.number != sealed.number {
            return Ok(());
        }
        let found = self.unsealed.pop_front().expect("invariant: the front exists");
        check_sealed(sealed, &found)
    }

    /// Compares a block before the checkpoint with its `Sealed` row.
    async fn check_unexecuted_block(
        &mut self,
        block: &JournalBlock,
        sealed: &SealedEntry,
    ) -> Result<Result<(), Divergence>, StorageError> {
        self.found.head = block.number;
        if self.is_indexed(block) {
            self.found.indexed = block.number;
            if self.compares_index()
                && let Err(wrong) = check_unexecuted(self.database, block, sealed).await?
            {
                self.report(wrong);
            }
        }
        Ok(Ok(()))
    }

    /// Makes the comparisons that need the whole journal.
    async fn finish(mut self, scan: &JournalScan) -> anyhow::Result<Verified> {
        let waiting = check_waiting(self.database, scan).await?;
        // The log belongs to the journal's end.
        let has_grown = self.database.journal_end().await? != scan.rows;
        self.found.is_in_use = self.database.indexed_to().await? != self.indexed_to;
        if self.found.is_in_use {
            return Ok(self.found);
        }
        let head = self.database.head_block().await?.unwrap_or(0);
        if head > self.found.indexed {
            let reason = format!("the journal holds no such block before row {}", self.indexed_to);
            self.report(Divergence::Index { table: "blocks", key: head.to_string(), reason });
        }
        if let Err(wrong) = check_outcomes(self.database, scan).await? {
            self.report(wrong);
        }
        if let Err(wrong) = waiting
            && !has_grown
        {
            self.report(wrong);
        }
        if let Some(checkpoint) = self.checkpoint.take()
            && checkpoint.number > self.found.head
        {
            let (table, key) = ("checkpoints", checkpoint.number.to_string());
            let reason = "the journal ends before this block".into();
            self.report(Divergence::Index { table, key, reason });
        }
        Ok(self.found)
    }

    const fn is_indexed(&self, block: &JournalBlock) -> bool {
        block.rows.end <= self.indexed_to
    }

    const fn compares_index(&self) -> bool {
        self.found.wrong.len() < WRONG_MAX
    }

    fn report(&mut self, wrong: Divergence) {
        if self.compares_index() {
            self.found.wrong.push(wrong);
        }
    }
}
