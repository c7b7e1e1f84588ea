//! Checkpoints of the state, written beside the chain's life.
//!
//! Job: merge what blocks change, and every so often have a blocking task append it to the directory of checkpoints.
//! Nobody waits for the disk: while a write is under way, changes go on being merged for the next one. A write that
//! fails ends the checkpoints, which costs the next start a longer replay and nothing else.
//!
//! Invariants: blocks come here once they are in the journal, so that no checkpoint is ahead of it. No checkpoint is
//! newer than the oldest state that the chain keeps, so that a restart, which runs the blocks since, keeps them again.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::B256;
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tracing::{info, warn};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_state::{
    MergedDiff, StateDiff,
    checkpoint::{CheckpointError, CheckpointStore, load},
};

use crate::config::CHECKPOINT_BLOCKS;

/// Changes of accounts and slots after which a checkpoint is due earlier: they are held in memory until then, and the next start
/// makes them again.
const ITEMS_BETWEEN: usize = 100_000;

/// The writer of a node's checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    directory: PathBuf,
    writer: CheckpointWriter,
    /// The newest blocks, as far back as the chain can undo them.
    recent: VecDeque<UnmergedBlock>,
    /// The block of the last checkpoint, written or being written.
    from: u64,
    /// The block before `recent`, and its state root.
    to: u64,
    state_root: B256,
    /// What changed between the two.
    changes: MergedDiff,
    /// Changes that were merged, the same ones counted again.
    items: usize,
    /// Blocks from one checkpoint to the next.
    interval: u64,
}

#[derive(Debug)]
struct UnmergedBlock {
    number: u64,
    state_root: B256,
    diff: StateDiff,
}

#[derive(Debug)]
enum CheckpointWriter {
    Idle(CheckpointStore),
    Busy(JoinHandle<Result<CheckpointStore, CheckpointError>>),
    Off,
}

impl Checkpoints {
    /// Goes on after the last checkpoint of `store`, which is the head of `chain`.
    pub(crate) fn after(directory: &Path, store: CheckpointStore, chain: &Chain) -> Self {
        Self::new(directory, CheckpointWriter::Idle(store), chain)
    }

    /// Nothing is written until [`Self::begin`].
    pub(crate) fn none(directory: &Path, chain: &Chain) -> Self {
        Self::new(directory, CheckpointWriter::Off, chain)
    }

    fn new(directory: &Path, writer: CheckpointWriter, chain: &Chain) -> Self {
        let head = &chain.head().header;
        Self {
            directory: directory.to_owned(),
            writer,
            recent: VecDeque::new(),
            from: head.number,
            to: head.number,
            state_root: head.state_root,
            changes: MergedDiff::default(),
            items: 0,
            interval: CHECKPOINT_BLOCKS,
        }
    }

    /// Has checkpoints follow each other after so many blocks.
    pub(crate) fn set_interval(&mut self, blocks: u64) {
        self.interval = blocks;
    }

    /// Starts over with a whole state of `chain`, whose blocks were all pushed.
    pub(crate) fn begin(&mut self, chain: &Chain) {
        let oldest = chain.oldest_state();
        let root = chain.head_at(oldest).map(|head| head.header.state_root);
        let (undo, root) =
            chain.undo_to(oldest).zip(root).expect("invariant: the oldest state is kept");
        self.writer = CheckpointWriter::of(block_in_place(|| {
            let mut state = chain.state().flat().clone();
            state.apply(&undo);
            delete(&self.directory)?;
            let (mut store, _) = CheckpointStore::open(&self.directory)?;
            store.write_base(oldest, root, &state)?;
            Ok(store)
        }));
        (self.from, self.to, self.state_root) = (oldest, oldest, root);
    }

    /// Takes up the head of `chain`, which the journal holds.
    pub(crate) async fn push(&mut self, chain: &Chain, block: BlockOutcome) {
        self.settle().await;
        let BlockOutcome { header, diff, .. } = block;
        let (number, state_root) = (header.number, header.state_root);
        self.recent.push_back(UnmergedBlock { number, state_root, diff });
        let oldest = chain.oldest_state();
        while let Some(block) = self.recent.pop_front_if(|block| block.number <= oldest) {
            self.merge(&block);
        }
        if self.to - self.from >= self.interval || self.items >= ITEMS_BETWEEN {
            self.write();
        }
    }

    /// Forgets the blocks after `block`, to which the chain was taken back.
    pub(crate) fn rewind(&mut self, block: u64) {
        assert!(self.to <= block, "invariant: no checkpoint is newer than the oldest state kept");
        while self.recent.pop_back_if(|recent| recent.number > block).is_some() {}
    }

    /// Lets a write that is under way end. Nothing is written any more.
    pub(crate) async fn stop(&mut self) {
        self.wait().await;
        self.writer = CheckpointWriter::Off;
        self.changes = MergedDiff::default();
    }

    fn merge(&mut self, block: &UnmergedBlock) {
        if matches!(self.writer, CheckpointWriter::Off) {
            return;
        }
        self.changes.push(&block.diff);
        let accounts = block.diff.accounts.iter();
        self.items += accounts.map(|change| 1 + change.storage.len()).sum::<usize>();
        (self.to, self.state_root) = (block.number, block.state_root);
    }

    /// Writes what there is, and waits for it.
    pub(crate) async fn finish(mut self) {
        self.wait().await;
        self.write();
        self.wait().await;
    }

    /// Has the changes written, unless a write is under way.
    fn write(&mut self) {
        let mut store = match std::mem::replace(&mut self.writer, CheckpointWriter::Off) {
            CheckpointWriter::Idle(store) if self.to > self.from => store,
            other => return self.writer = other,
        };
        let changes = std::mem::take(&mut self.changes);
        let (from, to, state_root) = (self.from, self.to, self.state_root);
        let directory = self.directory.clone();
        self.writer = CheckpointWriter::Busy(spawn_blocking(move || {
            store.write_delta(from, to, state_root, &changes.into_diff())?;
            if store.needs_base() {
                compact(&mut store, &directory)?;
            }
            info!(block = to, "state checkpoint written");
            Ok(store)
        }));
        self.from = to;
        self.items = 0;
    }

    /// Takes note of a write that has ended.
    async fn settle(&mut self) {
        if matches!(&self.writer, CheckpointWriter::Busy(task) if task.is_finished()) {
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        if let CheckpointWriter::Busy(task) = &mut self.writer {
            self.writer =
                CheckpointWriter::of(task.await.expect("invariant: writing does not panic"));
        }
        if matches!(self.writer, CheckpointWriter::Off) {
            self.changes = MergedDiff::default();
        }
    }
}

impl CheckpointWriter {
    fn of(written: Result<CheckpointStore, CheckpointError>) -> Self {
        match written {
            Ok(store) => Self::Idle(store),
            Err(error) => {
                warn!(%error, "no more state checkpoints: the next start runs more of the journal");
                Self::Off
            }
        }
    }
}

/// Makes one base of all segments. It is read back from disk, so that nobody waits for a copy of the state in use.
fn compact(store: &mut CheckpointStore, directory: &Path) -> Result<(), CheckpointError> {
    match load(directory)?.loaded.filter(|loaded| store.block() == Some(loaded.block)) {
        Some(loaded) => store.write_base(loaded.block, loaded.state_root, loaded.state.flat()),
        None => Ok(()),
    }
}

/// Deletes all checkpoints in a directory, and nothing else there.
fn delete(directory: &Path) -> Result<(), CheckpointError> {
    let failed = |source| CheckpointError::Io { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "ckpt") {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}
