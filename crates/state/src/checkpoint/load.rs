//! Finds the newest state that a directory holds.

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
    /// Newest usable state, if any.
    pub loaded: Option<Loaded>,
    /// Segments that should have given a newer state, and why they did not.
    pub discarded: Vec<Discarded>,
}

/// A state loaded from disk.
#[derive(Debug)]
pub struct Loaded {
    /// Block after which this is the state.
    pub block: u64,
    /// Its state root, as recorded and as computed.
    pub state_root: B256,
    /// The state.
    pub state: NodeState,
    /// The base and the deltas it was read from, each with its length in bytes.
    pub(crate) chain: Vec<(Segment, u64)>,
}

/// A segment that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// The segment.
    pub segment: Segment,
    /// Why.
    pub reason: SegmentError,
}

/// Loads the newest base that is intact and all intact deltas that follow it. Changes nothing on
/// disk; a directory that does not exist is empty.
///
/// Fails only if the file system does. Damage is no failure: it is reported, and what is before
/// it is used.
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
    // Deltas that begin before the base belong to a generation before it.
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
    /// Applies deltas as long as there is one, and removes them from `deltas`.
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

/// The names of all files in a directory that are text; none if there is no directory.
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

/// Passes on what was read, or why it was refused; fails if the file system did.
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
