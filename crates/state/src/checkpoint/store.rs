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
/// Keeps the newest generation and the one before it, whose segments are intact as far as they
/// were written or loaded here.
#[derive(Debug)]
pub struct CheckpointStore {
    directory: PathBuf,
    /// The newest generation, base first; each segment with its length in bytes.
    chain: Vec<(Segment, u64)>,
    /// Segments to delete once there is a newer one.
    stale: Vec<Segment>,
}

impl CheckpointStore {
    /// Loads what `directory` holds, with all processors, and readies it for more. Creates the
    /// directory if there is none, and deletes what unfinished writes left behind.
    pub fn open(directory: &Path) -> Result<(Self, LoadReport), CheckpointError> {
        fs::create_dir_all(directory).map_err(CheckpointError::io(directory))?;
        for name in names(directory)?.iter().filter(|name| is_temporary(name)) {
            let path = directory.join(name);
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
        // A segment may have been renamed just before a crash.
        sync_directory(directory)?;
        // Whoever opens it waits for it, and has nothing else to do.
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

    /// Whether the next checkpoint should be a base: there is none, or the deltas have outgrown
    /// it.
    #[must_use]
    pub fn needs_base(&self) -> bool {
        let Some(((_, base), deltas)) = self.chain.split_first() else { return true };
        deltas.iter().map(|(_, bytes)| bytes).sum::<u64>() > *base
    }

    /// Writes the whole state after `block`, whose root is `state_root`, and begins a generation.
    /// It is durable on return, and only the generation before is kept beside it.
    ///
    /// Fails if `block` is before the last checkpoint, or has a base already.
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

    /// Writes what changed since the last checkpoint, which is at block `from`: the state after
    /// `to` has the root `state_root`. It is durable on return.
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

    /// Deletes what is not needed. What cannot be deleted does no harm and is tried again.
    fn delete_stale(&mut self) {
        let directory = &self.directory;
        self.stale.retain(|segment| {
            let result = fs::remove_file(segment.path(directory));
            result.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
    }
}
