//! Errors of checkpoints and defects of segments.

use alloy_primitives::B256;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why checkpoints could not be written or read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file system failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The segment does not follow the last one.
    #[error("segment {found} does not follow the last checkpoint, which is at block {last:?}")]
    NotConsecutive {
        /// The block of the last checkpoint; `None` if there is no base.
        last: Option<u64>,
        /// The name of the refused segment.
        found: String,
    },
    /// A code does not fit into a record.
    #[error("code of {bytes} bytes does not fit into a record")]
    CodeTooLong {
        /// Its length.
        bytes: usize,
    },
}

impl CheckpointError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }

    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// Why a segment is not used. Offsets are in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The file ends within a frame, or without a footer.
    #[error("torn at {offset}")]
    Torn {
        /// Where the frame begins.
        offset: u64,
    },
    /// A frame claims to be longer than any is.
    #[error("frame at {offset} claims {bytes} bytes")]
    TooLong {
        /// Where the frame begins.
        offset: u64,
        /// The length that it claims.
        bytes: u32,
    },
    /// A frame, or all of them, do not match their checksum.
    #[error("checksum mismatch at {offset}")]
    Checksum {
        /// Where the frame begins.
        offset: u64,
    },
    /// A record is not what the format allows.
    #[error("{what} at {offset}")]
    Malformed {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The records amount to another state than the header says.
    #[error("expected state root {expected}, found {found}")]
    StateRoot {
        /// What the header says.
        expected: B256,
        /// What was computed.
        found: B256,
    },
    /// No usable segment ends where this one begins.
    #[error("no usable segment ends at block {from}")]
    Unreachable {
        /// Where this one begins.
        from: u64,
    },
}

/// Why reading a segment ended.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file system failed, which says nothing about the segment.
    Io(io::Error),
    /// The segment is no good.
    Refused(SegmentError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SegmentError> for ReadError {
    fn from(error: SegmentError) -> Self {
        Self::Refused(error)
    }
}
