//! Loads the newest intact state from a directory of segments.

use alloy_primitives::B256;
use core::cmp::Reverse;
use std::{fs, io, path::Path};

use super::{
    CheckpointError, Segment, SegmentError,
    error::ReadError,
    read::{read_base, read_delta},
};
use crate::{NodeState, workers::Workers};

/// Result of loading a directory of checkpoints.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The newest usable state, if any.
    pub loaded: Option<Loaded>,
    /// Segments that would give a newer state but are defective, with the defect.
    pub discarded: Vec<Discarded>,
}

/// A state loaded from disk.
#[derive(Debug)]
pub struct Loaded {
    /// The block whose execution leads to the state.
    pub block: u64,
    /// The state root, which is the recorded and the computed one.
    pub state_root: B256,
    /// The state.
    pub state: NodeState,
    /// The base and the deltas that make up the state, each with its length in bytes.
    pub(crate) chain: Vec<(Segment, u64)>,
}

/// A segment that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// The segment.
    pub segment: Segment,
    /// Why the segment was not used.
    pub reason: SegmentError,
}

/// Loads the newest intact base and all intact deltas that follow it. Changes nothing on disk. A
/// directory that does not exist counts as empty.
///
/// Fails only if the file system fails. A damaged segment is not an error: the report lists it, and
/// the state ends before it.
pub fn load(directory: &Path) -> Result<LoadReport, CheckpointError> {
    load_with(directory, Workers::default())
}

/// [`load`] on the threads of a pool.
pub(crate) fn load_with(
    directory: &Path,
    workers: Workers<'_>,
) -> Result<LoadReport, CheckpointError> {
    let mut discarded = Vec::new();
    let segments = segments(directory)?;
    let (mut bases, mut deltas): (Vec<_>, Vec<_>) =
        segments.into_iter().partition(|segment| matches!(segment, Segment::Base { .. }));
    bases.sort_by_key(|segment| Reverse(segment.to()));
    deltas.sort_by_key(|segment| Reverse(segment.to()));
    let mut loaded = None;
    for base in bases {
        match refusal(directory, base, read_base(directory, base, workers))? {
            Ok((state, state_root, bytes)) => {
                let chain = vec![(base, bytes)];
                loaded = Some(Loaded { block: base.to(), state_root, state, chain });
                break;
            }
            Err(reason) => discarded.push(Discarded { segment: base, reason }),
        }
    }
    // Deltas that begin before the base belong to an older generation.
    let oldest = loaded.as_ref().map_or(0, |loaded| loaded.block);
    deltas.retain(|segment| from(*segment) >= oldest);
    if let Some(loaded) = &mut loaded {
        loaded.follow(directory, workers, &mut deltas, &mut discarded)?;
    }
    for segment in deltas {
        let reason = SegmentError::Unreachable { from: from(segment) };
        discarded.push(Discarded { segment, reason });
    }
    Ok(LoadReport { loaded, discarded })
}

impl Loaded {
    /// Applies the deltas that follow the state, one after the other, and removes them from
    /// `deltas`.
    fn follow(
        &mut self,
        directory: &Path,
        workers: Workers<'_>,
        deltas: &mut Vec<Segment>,
        discarded: &mut Vec<Discarded>,
    ) -> Result<(), CheckpointError> {
        while let Some(next) = deltas.iter().position(|segment| from(*segment) == self.block) {
            let segment = deltas.remove(next);
            let result = read_delta(directory, segment, workers, &mut self.state);
            match refusal(directory, segment, result)? {
                Ok((state_root, bytes)) => {
                    self.block = segment.to();
                    self.state_root = state_root;
                    self.chain.push((segment, bytes));
                }
                Err(reason) => discarded.push(Discarded { segment, reason }),
            }
        }
        Ok(())
    }
}

/// All segments in a directory, in any order.
pub(crate) fn segments(directory: &Path) -> Result<Vec<Segment>, CheckpointError> {
    let names = names(directory)?;
    Ok(names.iter().filter_map(|name| Segment::parse(name)).collect())
}

/// The names of all files in a directory, except names that are not UTF-8. Empty if there is no
/// directory.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, CheckpointError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(CheckpointError::io(directory))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(CheckpointError::io(directory))?;
    Ok(names.into_iter().flatten().collect())
}

fn from(segment: Segment) -> u64 {
    match segment {
        Segment::Base { block: from } | Segment::Delta { from, .. } => from,
    }
}

/// Returns what was read, or why the segment is rejected. Fails if the file system failed.
fn refusal<T>(
    directory: &Path,
    segment: Segment,
    result: Result<T, ReadError>,
) -> Result<Result<T, SegmentError>, CheckpointError> {
    match result.map_err(ReadError::refused) {
        Ok(value) => Ok(Ok(value)),
        Err(Ok(reason)) => Ok(Err(reason)),
        Err(Err(error)) => Err(CheckpointError::io(&segment.path(directory))(error)),
    }
}
