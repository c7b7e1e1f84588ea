//! Writes checkpoints of the state while the chain grows.
//!
//! # Job
//!
//! Merges the state diffs of blocks. Every `interval` blocks a blocking task appends them to the
//! checkpoint directory. Nothing waits for the disk: while a write is under way, diffs are merged
//! for the next one.
//!
//! # State
//!
//! The diffs since the last checkpoint, in memory. Blocks arrive once the journal holds them, so no
//! checkpoint is ahead of the journal. No checkpoint is newer than the oldest state in memory, so a
//! restart executes the blocks since and has their states again.
//!
//! # Recovery
//!
//! If a write fails, no more checkpoints are written. The only consequence is a longer replay at
//! the next start.
//!
//! # Limits
//!
//! `ITEMS_BETWEEN` changes bring the next checkpoint forward.

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

/// Changed accounts and slots after which a checkpoint is written early. Until then they stay in
/// memory, and the next start would have to execute their blocks again.
const ITEMS_BETWEEN: usize = 100_000;

/// See the module documentation.
#[derive(Debug)]
pub struct Checkpoints {
    directory: PathBuf,
    writer: CheckpointWriter,
    /// The newest blocks, which a rewind may remove.
    recent: VecDeque<UnmergedBlock>,
    /// The block of the last checkpoint, written or being written.
    from: u64,
    /// The newest merged block, and its state root.
    to: u64,
    state_root: B256,
    /// The merged diffs since the last checkpoint.
    changes: MergedDiff,
    /// Number of merged changes, repeated ones included.
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
    /// Continues after the last checkpoint of `store`, which is the head of `chain`.
    pub fn after(directory: &Path, store: CheckpointStore, chain: &Chain) -> Self {
        Self::new(directory, CheckpointWriter::Idle(store), chain)
    }

    /// Writes nothing until [`Self::begin`].
    pub fn none(directory: &Path, chain: &Chain) -> Self {
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

    /// Sets the number of blocks between checkpoints.
    pub fn set_interval(&mut self, blocks: u64) {
        self.interval = blocks;
    }

    /// Starts over with the whole state of `chain`, all of whose blocks were pushed.
    pub fn begin(&mut self, chain: &Chain) {
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

    /// Adds the head of `chain`, which the journal holds.
    pub async fn push(&mut self, chain: &Chain, block: BlockOutcome) {
        self.reclaim_writer().await;
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

    /// Drops the blocks after `block`, to which the chain was rewound.
    pub fn rewind(&mut self, block: u64) {
        assert!(self.to <= block, "invariant: no checkpoint is newer than the oldest state kept");
        while self.recent.pop_back_if(|recent| recent.number > block).is_some() {}
    }

    /// Waits for the write under way and writes nothing afterwards.
    pub async fn stop(&mut self) {
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

    /// Writes the pending changes and waits for it.
    pub async fn finish(mut self) {
        self.wait().await;
        self.write();
        self.wait().await;
    }

    /// Starts a write, unless one is under way.
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

    /// Takes the store back if the write has ended.
    async fn reclaim_writer(&mut self) {
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

/// Merges all segments into one base. Reads them back from disk, so that the state in use needs no
/// copy.
fn compact(store: &mut CheckpointStore, directory: &Path) -> Result<(), CheckpointError> {
    match load(directory)?.loaded.filter(|loaded| store.block() == Some(loaded.block)) {
        Some(loaded) => store.write_base(loaded.block, loaded.state_root, loaded.state.flat()),
        None => Ok(()),
    }
}

/// Deletes all checkpoints in a directory, and nothing else.
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
