//! Errors of the run, and of single files.

use std::path::PathBuf;

/// Why the suites could not be run. A failing test is not an error but part of the
/// [`Report`](crate::Report).
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// A file or directory could not be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds no suite.
    #[error("no test suite found in {}", .0.display())]
    NothingFound(PathBuf),
    /// A file is not in the format that its path or its fields demand.
    #[error("{path}: {reason}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A block cannot be run.
    #[error("block {path}: {reason}", path = path.display())]
    Block {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a file of tests cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// The file could not be read or inflated.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not JSON, or lacks fields of its kind.
    #[error("not in the format: {0}")]
    Json(#[from] serde_json::Error),
    /// A number does not fit its field.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The file contradicts itself or lacks something.
    #[error("{0}")]
    Content(String),
}

/// A number that is malformed or does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range: {value}")]
pub(crate) struct OutOfRange {
    /// Name of the field.
    pub(crate) field: &'static str,
    /// The text in the file.
    pub(crate) value: String,
}
