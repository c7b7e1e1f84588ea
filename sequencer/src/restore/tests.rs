//! Restarts: with and without checkpoints, after a stop, a crash or damage.

use std::fs;

use alloy_primitives::Address;
use tempfile::TempDir;
use turnpike_executor::{ChainHead, Mode, RECENT_STATES};
use turnpike_protocol::{BlockInput, Genesis, Origin};
use turnpike_storage::{AcceptedBytes, genesis_id};

use super::*;
use crate::{
    derived_block::{ExecutedDerivedBlock, execute_derived},
    tracker::DerivedBlock,
};

/// Blocks that every restore executes, to keep their states.
const KEPT: u64 = RECENT_STATES.blocks_max as u64;

/// A node's folder, which survives its restarts.
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
        let database = Database::open(&path.into(), genesis_id(&self.genesis)).await;
        let database = database.expect("opens");
        let chain = Chain::from_genesis(&self.genesis);
        let execution = EngineConfig { mode: Mode::Shadow, ..EngineConfig::default() };
        let restored = restore(chain, &database, &self.directory(), execution).await;
        let restored = restored.expect("restores");
        assert_eq!(restored.chain.engine().mode(), Mode::Shadow);
        let shadowed = restored.chain.engine().counters().shadowed;
        assert_eq!(shadowed, restored.blocks_run);
        (database, restored)
    }

    fn directory(&self) -> std::path::PathBuf {
        self.folder.path().join("sequencer.state")
    }

    /// Starts, seals blocks, and stops or crashes. Returns the head.
    async fn run(&self, blocks: u64, is_killed: bool) -> ChainHead {
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

    /// The head after a start, and the number of blocks that it executed.
    async fn look(&self) -> (ChainHead, u64) {
        let (database, restored) = self.start().await;
        database.close().await;
        assert_eq!(restored.chain.state().roots().state_root, root(&restored.chain));
        let head = restored.chain.head().clone();
        let kept = head.header.number.min(KEPT);
        assert_eq!(restored.chain.oldest_state(), head.header.number - kept);
        (head, restored.blocks_run)
    }

    fn segments(&self) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.directory()).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

fn root(chain: &Chain) -> alloy_primitives::B256 {
    chain.head().header.state_root
}

/// The chain's next block.
fn next_block(chain: &mut Chain) -> ExecutedDerivedBlock {
    let number = chain.head().header.number + 1;
    let origin = Origin { entry: number - 1, l1_time: 1_800_000_000, ..Origin::default() };
    let time_ms = 1_000 * (origin.l1_time + number);
    let parent = chain.head().parent;
    let input = BlockInput::new(chain.config(), parent, origin, time_ms, &[], Vec::new());
    let block = DerivedBlock { input: input.expect("valid"), queued: Vec::new() };
    execute_derived(chain, vec![block]).expect("runs").remove(0)
}

async fn seal(database: &Database, restored: &mut Restored) {
    let ran = next_block(&mut restored.chain);
    let at_ms = 1_000 * ran.outcome.header.number;
    let rows = database.append_at(&ran.entries(), at_ms).await.expect("appends");
    let blocks = vec![ran.sealed(rows.start, at_ms)];
    let batch = IndexBatch { to: rows.end, blocks, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    restored.checkpoints.push(&restored.chain, ran.outcome).await;
}

fn waits(arrival: u64) -> AcceptedTx {
    AcceptedTx {
        arrival,
        received_ms: 0,
        hash: keccak256([1]),
        sender: Address::ZERO,
        raw: AcceptedBytes::Log(Some(vec![1].into())),
    }
}

fn accepted(arrival: u64) -> JournalEntry {
    let accepted = vec![waits(arrival)];
    JournalEntry::Slice(SliceEntry { accepted, ..SliceEntry::default() })
}

fn refused() -> JournalEntry {
    let refused = vec![(keccak256([1]), "late".to_owned())];
    JournalEntry::Slice(SliceEntry { refused, ..SliceEntry::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_outcome_of_a_transaction_wins() {
    let node = Node::new();
    let (database, mut restored) = node.start().await;
    seal(&database, &mut restored).await;
    database.append(&[accepted(7), refused(), accepted(8)]).await.expect("appends");
    database.close().await;

    let (database, mut restored) = node.start().await;
    assert_eq!(restored.pending, [waits(8)]);
    assert_eq!(restored.unindexed.into_parts(), (vec![keccak256([1])], Vec::new()));
    let block = next_block(&mut restored.chain);
    database.append(&block.entries()).await.expect("appends");
    database.close().await;

    let (database, restored) = node.start().await;
    assert_eq!(restored.pending, [waits(8)]);
    assert!(restored.unindexed.is_empty());
    assert_eq!(database.waiting().await.expect("reads"), [waits(8)]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_transaction_waits_no_more() {
    let node = Node::new();
    let (database, mut restored) = node.start().await;
    database.append(&[accepted(7)]).await.expect("appends");
    let block = next_block(&mut restored.chain);
    database.append(&block.entries()).await.expect("appends");
    database.append(&[refused()]).await.expect("appends");
    database.close().await;
    for _ in 0..2 {
        let (database, restored) = node.start().await;
        assert_eq!(restored.pending, []);
        database.close().await;
    }
}

/// A row rewinds blocks that a later row rewinds again.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_in_void_rows_stay_refused() {
    let node = Node::new();
    let (database, mut restored) = node.start().await;
    seal(&database, &mut restored).await;
    let taken_back = |refused| {
        let (reason, waiting) = ("L1".to_owned(), Vec::new());
        JournalEntry::Reorg(ReorgEntry { first_block: 1, reason, waiting, refused })
    };
    let refused = vec![(keccak256([1]), "late".to_owned())];
    let rows = [accepted(7), taken_back(refused.clone()), taken_back(Vec::new())];
    database.append(&rows).await.expect("appends");
    database.close().await;
    let (database, restored) = node.start().await;
    assert_eq!(restored.pending, []);
    assert_eq!(database.waiting().await.expect("reads"), []);
    let reason = database.refusal(&keccak256([1])).await.expect("reads");
    assert_eq!(reason.as_deref(), Some("late"));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_after_stop_executes_recent_blocks_only() {
    let node = Node::new();
    let head = node.run(KEPT + 5, false).await;
    assert_eq!(node.look().await, (head, KEPT));
    let head = node.run(4, false).await;
    assert_eq!(node.look().await, (head, KEPT));
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_after_crash_executes_blocks_since_checkpoint() {
    let node = Node::new();
    node.run(KEPT + 5, false).await;
    let head = node.run(4, true).await;
    assert_eq!(node.look().await, (head, KEPT + 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_only_change_how_many_blocks_are_executed() {
    let node = Node::new();
    let head = node.run(KEPT + 6, false).await;
    fs::remove_dir_all(node.directory()).expect("the directory exists");
    assert_eq!(node.look().await, (head.clone(), KEPT + 6));
    // The start wrote a new checkpoint.
    assert_eq!(node.look().await, (head, KEPT));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_checkpoints_are_detected() {
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
        assert_eq!(node.look().await, (head.clone(), KEPT), "the start wrote a new checkpoint");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoint_unknown_to_the_journal_is_rejected() {
    let (node, other) = (Node::new(), Node::new());
    let head = node.run(KEPT + 3, false).await;
    // A checkpoint ahead of the journal.
    other.run(2 * KEPT + 4, false).await;
    let place = |from: &Node| {
        fs::remove_dir_all(node.directory()).expect("the directory exists");
        fs::create_dir(node.directory()).expect("creates");
        for path in from.segments() {
            let name = path.file_name().expect("a file");
            fs::copy(&path, node.directory().join(name)).expect("copies");
        }
    };
    place(&other);
    assert_eq!(node.look().await, (head.clone(), KEPT + 3));
    // A checkpoint of another chain, at a block that the journal holds.
    let mut foreign = Node::new();
    foreign.genesis.timestamp += 1;
    foreign.run(KEPT + 3, false).await;
    place(&foreign);
    assert_eq!(node.look().await, (head, KEPT + 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_index_has_the_same_times() {
    let node = Node::new();
    node.run(3, false).await;
    let (database, restored) = node.start().await;
    let genesis = Chain::from_genesis(&node.genesis);
    database.clear_index().await.expect("clears");
    let record = crate::sealed::genesis_record(&genesis);
    database.record_genesis(&genesis.head().hash(), &record).await.expect("records");
    restored.checkpoints.finish().await;
    let execution = EngineConfig::default();
    restore(genesis, &database, &node.directory(), execution).await.expect("restores");
    for number in 1..=3 {
        let times = database.block_times(number).await.expect("reads");
        assert_eq!(times.sealed_ms, Some(1_000 * number));
        // The attributes transaction, which no client sent.
        let first = times.parts.of(0);
        assert_eq!((first.received_ms, first.preconfirmed_ms), (None, Some(1_000 * number)));
    }
    database.close().await;
}
