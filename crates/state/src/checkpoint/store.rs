//! The writer of a directory of checkpoints.

use alloy_primitives::B256;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    CheckpointError, LoadReport, Segment,
    load::{load_with, names, segments},
    segment::is_temporary,
    write::{sync_directory, write_diff, write_state},
};
use crate::{FlatState, StateDiff, workers::Workers};

/// Appends segments to a directory and deletes those that are no longer needed.
///
/// Keeps the newest generation and the previous one. It knows a segment as intact if it wrote or
/// loaded that segment itself.
#[derive(Debug)]
pub struct CheckpointStore {
    directory: PathBuf,
    /// The newest generation, base first; each segment with its length in bytes.
    chain: Vec<(Segment, u64)>,
    /// Segments to delete once a newer segment is durable.
    stale: Vec<Segment>,
}

impl CheckpointStore {
    /// Loads the state in `directory` on all processors and prepares the directory for writing.
    /// Creates the directory if it does not exist, and deletes the files of interrupted writes.
    pub fn open(directory: &Path) -> Result<(Self, LoadReport), CheckpointError> {
        fs::create_dir_all(directory).map_err(CheckpointError::io(directory))?;
        for name in names(directory)?.iter().filter(|name| is_temporary(name)) {
            let path = directory.join(name);
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
        // A segment may have been renamed just before a crash.
        sync_directory(directory)?;
        // The caller waits for this and does nothing else, so use all processors.
        let pool = rayon::ThreadPoolBuilder::new().build().ok();
        let recovery =
            load_with(directory, pool.as_ref().map_or_else(Workers::default, Workers::pool))?;
        let chain = recovery.loaded.as_ref().map_or_else(Vec::new, |loaded| loaded.chain.clone());
        let stale = recovery.discarded.iter().map(|discarded| discarded.segment).collect();
        Ok((Self { directory: directory.to_owned(), chain, stale }, recovery))
    }

    /// The block of the last checkpoint; `None` if there is no base.
    #[must_use]
    pub fn block(&self) -> Option<u64> {
        self.chain.last().map(|(segment, _)| segment.to())
    }

    /// Whether the next checkpoint should be a base: there is no base, or the deltas have grown
    /// larger than it.
    #[must_use]
    pub fn needs_base(&self) -> bool {
        let Some(((_, base), deltas)) = self.chain.split_first() else { return true };
        deltas.iter().map(|(_, bytes)| bytes).sum::<u64>() > *base
    }

    /// Writes the whole state after `block`, whose root is `state_root`, and begins a generation.
    /// The base is durable on return, and of the older generations only the previous one is kept.
    ///
    /// Fails if `block` is before the last checkpoint or already has a base.
    pub fn write_base(
        &mut self,
        block: u64,
        state_root: B256,
        state: &FlatState,
    ) -> Result<(), CheckpointError> {
        let segment = Segment::Base { block };
        let is_newer = self.block().is_none_or(|last| block >= last)
            && self.chain.first().is_none_or(|(base, _)| *base != segment);
        if !is_newer {
            return Err(self.not_consecutive(segment));
        }
        let bytes = write_state(&self.directory, segment, state_root, state)?;
        let previous = core::mem::replace(&mut self.chain, vec![(segment, bytes)]);
        let kept = |other: &Segment| {
            *other == segment || previous.iter().any(|(segment, _)| segment == other)
        };
        self.stale = segments(&self.directory)?;
        self.stale.retain(|segment| !kept(segment));
        self.delete_stale();
        Ok(())
    }

    /// Writes the changes between block `from`, the last checkpoint, and block `to`, after which
    /// the state has the root `state_root`. The delta is durable on return.
    ///
    /// Fails if `from` is not the block of the last checkpoint, or `to` is not after it.
    pub fn write_delta(
        &mut self,
        from: u64,
        to: u64,
        state_root: B256,
        diff: &StateDiff,
    ) -> Result<(), CheckpointError> {
        let segment = Segment::Delta { from, to };
        if self.block() != Some(from) || to <= from {
            return Err(self.not_consecutive(segment));
        }
        let bytes = write_diff(&self.directory, segment, state_root, diff)?;
        self.chain.push((segment, bytes));
        self.stale.retain(|stale| *stale != segment);
        self.delete_stale();
        Ok(())
    }

    fn not_consecutive(&self, segment: Segment) -> CheckpointError {
        CheckpointError::NotConsecutive { last: self.block(), found: segment.to_string() }
    }

    /// Deletes the stale segments. If a deletion fails, it is tried again next time; the file does
    /// no harm.
    fn delete_stale(&mut self) {
        let directory = &self.directory;
        self.stale.retain(|segment| {
            let result = fs::remove_file(segment.path(directory));
            result.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
    }
}
