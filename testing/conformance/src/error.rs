use std::path::PathBuf;

/// Why the suites could not be run at all. A test that fails is no error: it is part of the [`Report`](crate::Report).
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
    /// Nothing that looks like a suite is there.
    #[error("no test suite found in {}", .0.display())]
    NothingFound(PathBuf),
    /// A file is not what its place or its shape promises.
    #[error("{path}: {reason}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A block is none that can be run.
    #[error("block {path}: {reason}", path = path.display())]
    Block {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a file says nothing: it is not in a format that its place or its shape promises.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// The file could not be read or inflated.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not JSON, or not of its kind's shape.
    #[error("not in the format: {0}")]
    Json(#[from] serde_json::Error),
    /// A number does not fit where the format has a smaller one.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The file contradicts itself or lacks something.
    #[error("{0}")]
    Content(String),
}

/// A number that is none, or that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range: {value}")]
pub(crate) struct OutOfRange {
    /// Name of the field.
    pub(crate) field: &'static str,
    /// What is written there.
    pub(crate) value: String,
}
