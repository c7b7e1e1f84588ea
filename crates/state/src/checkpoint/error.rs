//! Errors of checkpoints and defects of segments.

use alloy_primitives::B256;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why checkpoints could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file system failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The segment does not follow the last one.
    #[error("segment {found} does not follow the last checkpoint, which is at block {last:?}")]
    NotConsecutive {
        /// The block of the last checkpoint; `None` if there is no base.
        last: Option<u64>,
        /// The name of the rejected segment.
        found: String,
    },
    /// A code does not fit into a record.
    #[error("code of {bytes} bytes does not fit into a record")]
    CodeTooLong {
        /// The code's length.
        bytes: usize,
    },
}

impl CheckpointError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }

    /// Whether a retry of the same call can succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// Why a segment is rejected. Offsets are in bytes from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The file ends within a frame, or without a footer.
    #[error("torn at {offset}")]
    Torn {
        /// Where the incomplete frame begins.
        offset: u64,
    },
    /// A frame claims more bytes than the longest frame has.
    #[error("frame at {offset} claims {bytes} bytes")]
    TooLong {
        /// Where the frame begins.
        offset: u64,
        /// The length that the frame claims.
        bytes: u32,
    },
    /// The checksum of a frame, or of all frames, does not match.
    #[error("checksum mismatch at {offset}")]
    Checksum {
        /// Where the frame begins.
        offset: u64,
    },
    /// A record violates the format.
    #[error("{what} at {offset}")]
    Malformed {
        /// Where the frame begins.
        offset: u64,
        /// The violated rule.
        what: &'static str,
    },
    /// The records give another state root than the header.
    #[error("expected state root {expected}, found {found}")]
    StateRoot {
        /// The state root in the header.
        expected: B256,
        /// The computed state root.
        found: B256,
    },
    /// No usable segment ends where this one begins.
    #[error("no usable segment ends at block {from}")]
    Unreachable {
        /// The block where the segment begins.
        from: u64,
    },
}

/// Why a segment could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file system failed. The segment may be intact.
    Io(io::Error),
    /// The segment is defective.
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
