//! The chain as it was at the last stop.
//!
//! The journal is the ground truth. A checkpoint only says what running its first blocks comes to, and is used if the
//! journal holds its block with that state root, and the look-ups the header that goes with it. On any doubt all of the
//! journal is run.

use std::path::Path;

use alloy_primitives::Bytes;
use anyhow::{Context as _, bail, ensure};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::{BlockOutcome, Chain, Engine, EngineConfig};
use turnpike_protocol::{BlockInput, SignedTx, decode_transaction};
use turnpike_state::checkpoint::{CheckpointStore, Loaded};
use turnpike_storage::{Database, JournalRecord};

use crate::{backlog::Backlog, checkpoints::Checkpoints};

/// Journal records read at a time when the chain is rebuilt.
const REPLAY_BLOCKS: u32 = 1_000;

/// What journal and checkpoints gave back.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) chain: Chain,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) replayed: Replayed,
}

/// What the journal holds.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Deposits that its blocks hold.
    pub(crate) deposits: u64,
    /// Its blocks, until L1 says which of them it holds.
    pub(crate) backlog: Backlog,
    /// Those of them that were run.
    blocks_run: u64,
}

/// Brings the chain, which is at its genesis block, to the end of the journal. `execution` says what runs its blocks, now
/// and later.
pub(crate) async fn restore(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
) -> anyhow::Result<Restored> {
    restore_to(genesis, database, directory, execution, u64::MAX).await
}

/// [`restore`], to block `last` of the journal if that goes further.
pub(crate) async fn restore_to(
    genesis: Chain,
    database: &Database,
    directory: &Path,
    execution: EngineConfig,
    last: u64,
) -> anyhow::Result<Restored> {
    let resumed = resume(&genesis, database, directory, last).await.unwrap_or_else(|doubt| {
        let doubt = format!("{doubt:#}");
        warn!(doubt, "state checkpoint not used: the whole journal is run");
        None
    });
    let is_resumed = resumed.is_some();
    let (mut chain, mut checkpoints) = match resumed {
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
    let replayed = replay(&mut chain, database, &mut checkpoints, last).await?;
    if !is_resumed {
        checkpoints.begin(&chain);
    }
    Ok(Restored { chain, checkpoints, replayed })
}

/// The chain at its newest checkpoint; `None` if there is none. An error says why one cannot be trusted.
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
    ensure!(block <= last, "it is of block {block}, block {last} is needed");
    if block == 0 {
        // Nothing is saved by it, and no journal record speaks for it.
        ensure!(state_root == genesis.head().header.state_root, "it is of another genesis");
        let header = genesis.head().header.clone();
        let chain = Chain::resume(genesis.config().clone(), state, header, None);
        return Ok(chain.map(|chain| (chain, store)));
    }
    let record = database.journal(block, 1).await?.pop().filter(|record| record.number == block);
    let record = record.with_context(|| format!("the journal does not hold block {block}"))?;
    ensure!(
        record.state_root == state_root,
        "it has state root {state_root} after block {block}, the journal {}",
        record.state_root
    );
    let header = database.block(block).await?.map(|found| found.header);
    let header = header.filter(|header| header.hash_slow() == record.hash);
    let header = header.with_context(|| format!("the look-ups do not hold block {block}"))?;
    let chain = Chain::resume(genesis.config().clone(), state, header, Some(record.origin.entry));
    let chain = chain.with_context(|| format!("it is not the state after block {block}"))?;
    Ok(Some((chain, store)))
}

/// Runs the journal's blocks after the chain's head, and reads those before.
async fn replay(
    chain: &mut Chain,
    database: &Database,
    checkpoints: &mut Checkpoints,
    last: u64,
) -> anyhow::Result<Replayed> {
    let start = chain.head().header.number;
    let mut replayed = Replayed::default();
    let mut next = 1;
    loop {
        let mut records = database.journal(next, REPLAY_BLOCKS).await?;
        records.retain(|record| record.number <= last);
        if records.is_empty() {
            if replayed.blocks_run > 0 {
                let (head, blocks) = (chain.head().header.number, replayed.blocks_run);
                info!(head, blocks, "chain rebuilt from the journal");
            }
            return Ok(replayed);
        }
        for record in records {
            if record.number > start {
                let outcome = block_in_place(|| replay_block(chain, &record))?;
                checkpoints.push(chain, outcome).await;
                replayed.blocks_run += 1;
            }
            replayed.deposits += record.deposits.len() as u64;
            replayed.backlog.push(&record);
            next = record.number + 1;
        }
    }
}

fn replay_block(chain: &mut Chain, record: &JournalRecord) -> anyhow::Result<BlockOutcome> {
    let decode = |raw: &Bytes| Ok(SignedTx::recover(decode_transaction(raw)?));
    let transactions: anyhow::Result<Vec<_>> = record.transactions.iter().map(decode).collect();
    let input = BlockInput::new(
        chain.config(),
        chain.head().parent,
        record.origin,
        record.timestamp,
        &record.deposits,
        transactions?,
    )?;
    let outcome = chain.execute(&input)?;
    if outcome.hash() != record.hash {
        bail!(
            "journal block {} does not replay: it was {} with state root {}, it is {} with {} now",
            record.number,
            record.hash,
            record.state_root,
            outcome.hash(),
            outcome.header.state_root
        );
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use turnpike_executor::{Head, Mode, RECENT_STATES};
    use turnpike_protocol::{Genesis, Origin};
    use turnpike_storage::genesis_id;

    use super::*;
    use crate::driver::sealed_block;

    /// Blocks that are run again in any case, for their states.
    const KEPT: u64 = RECENT_STATES.blocks_max as u64;

    /// A node's folder: what is left of it between two starts.
    struct Node {
        folder: TempDir,
        genesis: Genesis,
    }

    impl Node {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().expect("a folder"), genesis: Genesis::dev() }
        }

        async fn start(&self) -> (Database, Restored) {
            let path = self.folder.path().join("sequencer.db");
            let database = Database::open(&path, genesis_id(&self.genesis)).await.expect("opens");
            let chain = Chain::from_genesis(&self.genesis);
            let execution = EngineConfig { mode: Mode::Shadow, ..EngineConfig::default() };
            let restored = restore(chain, &database, &self.directory(), execution).await;
            let restored = restored.expect("restores");
            assert_eq!(restored.chain.engine().mode(), Mode::Shadow);
            let shadowed = restored.chain.engine().counters().shadowed;
            assert_eq!(shadowed, restored.replayed.blocks_run);
            (database, restored)
        }

        fn directory(&self) -> std::path::PathBuf {
            self.folder.path().join("sequencer.state")
        }

        /// Starts, seals blocks and stops, politely or not. Returns the head.
        async fn run(&self, blocks: u64, is_killed: bool) -> Head {
            let (database, mut restored) = self.start().await;
            for _ in 0..blocks {
                seal(&database, &mut restored).await;
            }
            if !is_killed {
                restored.checkpoints.finish().await;
            }
            database.close().await;
            restored.chain.head().clone()
        }

        /// The head after a start, and how many blocks were run for it.
        async fn look(&self) -> (Head, u64) {
            let (database, restored) = self.start().await;
            database.close().await;
            assert_eq!(restored.chain.state().roots().state_root, root(&restored.chain));
            let head = restored.chain.head().clone();
            let kept = head.header.number.min(KEPT);
            assert_eq!(restored.chain.oldest_state(), head.header.number - kept);
            (head, restored.replayed.blocks_run)
        }

        fn segments(&self) -> Vec<std::path::PathBuf> {
            let entries = fs::read_dir(self.directory()).expect("a folder");
            entries.map(|entry| entry.expect("an entry").path()).collect()
        }
    }

    fn root(chain: &Chain) -> alloy_primitives::B256 {
        chain.head().header.state_root
    }

    async fn seal(database: &Database, restored: &mut Restored) {
        let chain = &mut restored.chain;
        let number = chain.head().header.number + 1;
        let origin = Origin { entry: number - 1, l1_time: 1_800_000_000, ..Origin::default() };
        let timestamp = origin.l1_time + number;
        let parent = chain.head().parent;
        let input = BlockInput::new(chain.config(), parent, origin, timestamp, &[], Vec::new());
        let outcome = chain.execute(&input.expect("valid")).expect("runs");
        let sealed = sealed_block(chain, &outcome, origin, Vec::new(), Vec::new());
        database.append_block(&sealed, &[]).await.expect("appends");
        restored.checkpoints.push(chain, outcome).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_stop_the_blocks_are_run_whose_states_are_kept() {
        let node = Node::new();
        let head = node.run(KEPT + 5, false).await;
        assert_eq!(node.look().await, (head, KEPT));
        let head = node.run(4, false).await;
        assert_eq!(node.look().await, (head, KEPT));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_crash_the_blocks_since_the_checkpoint_are_run_too() {
        let node = Node::new();
        node.run(KEPT + 5, false).await;
        let head = node.run(4, true).await;
        assert_eq!(node.look().await, (head, KEPT + 4));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn checkpoints_change_nothing_but_how_much_is_run() {
        let node = Node::new();
        let head = node.run(KEPT + 6, false).await;
        fs::remove_dir_all(node.directory()).expect("there is one");
        assert_eq!(node.look().await, (head.clone(), KEPT + 6));
        // That start left one.
        assert_eq!(node.look().await, (head, KEPT));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn damage_is_noticed_wherever_it_is() {
        let node = Node::new();
        let head = node.run(KEPT + 3, false).await;
        let damages: [fn(&mut Vec<u8>); 2] = [
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            },
        ];
        for damage in damages {
            for path in node.segments() {
                let mut bytes = fs::read(&path).expect("reads");
                damage(&mut bytes);
                fs::write(&path, bytes).expect("writes");
            }
            assert_eq!(node.look().await, (head.clone(), KEPT + 3));
            assert_eq!(node.look().await, (head.clone(), KEPT), "a new one was begun");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_checkpoint_that_the_journal_does_not_know_is_not_used() {
        let (node, other) = (Node::new(), Node::new());
        let head = node.run(KEPT + 3, false).await;
        // Ahead of the journal.
        other.run(2 * KEPT + 4, false).await;
        let place = |from: &Node| {
            fs::remove_dir_all(node.directory()).expect("there is one");
            fs::create_dir(node.directory()).expect("creates");
            for path in from.segments() {
                let name = path.file_name().expect("a file");
                fs::copy(&path, node.directory().join(name)).expect("copies");
            }
        };
        place(&other);
        assert_eq!(node.look().await, (head.clone(), KEPT + 3));
        // Of another chain, at a block that the journal holds.
        let mut foreign = Node::new();
        foreign.genesis.timestamp += 1;
        foreign.run(KEPT + 3, false).await;
        place(&foreign);
        assert_eq!(node.look().await, (head, KEPT + 3));
    }
}
