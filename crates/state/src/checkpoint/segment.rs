//! The names of segments.

use core::fmt;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".ckpt";
const TEMPORARY_SUFFIX: &str = ".ckpt.tmp";

/// The kind of a segment and its blocks. Its `Display` form is the file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// The whole state after `block`.
    Base {
        /// The block.
        block: u64,
    },
    /// What changed from the state after `from` to the state after `to`, which is greater.
    Delta {
        /// The block before the first that is included.
        from: u64,
        /// The last block that is included.
        to: u64,
    },
}

impl Segment {
    /// The block whose state the segment leads to.
    #[must_use]
    pub fn to(self) -> u64 {
        match self {
            Self::Base { block: to } | Self::Delta { to, .. } => to,
        }
    }

    /// Parses a file name. Returns `None` if it does not name a segment.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(SUFFIX)?;
        let segment = if let Some(block) = stem.strip_prefix("base-") {
            Self::Base { block: block.parse().ok()? }
        } else {
            let (from, to) = stem.strip_prefix("delta-")?.split_once('-')?;
            Self::Delta { from: from.parse().ok()?, to: to.parse().ok()? }
        };
        let forward = !matches!(segment, Self::Delta { from, to } if from >= to);
        (forward && segment.to_string() == name).then_some(segment)
    }

    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(self.to_string())
    }

    /// The path that the segment is written to until it is complete.
    pub(crate) fn temporary_path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{self}.tmp"))
    }
}

/// Whether an interrupted write left this file behind.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.ends_with(TEMPORARY_SUFFIX)
}

/// The file name.
impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base { block } => write!(formatter, "base-{block}{SUFFIX}"),
            Self::Delta { from, to } => write!(formatter, "delta-{from}-{to}{SUFFIX}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_parse_back_to_segments() {
        for segment in [Segment::Base { block: 0 }, Segment::Delta { from: 7, to: u64::MAX }] {
            assert_eq!(Segment::parse(&segment.to_string()), Some(segment));
        }
    }

    #[test]
    fn other_file_names_are_not_segments() {
        let names = ["base-.ckpt", "base-01.ckpt", "base-+1.ckpt", "base-1.ckpt.tmp", "base-1"];
        let deltas = ["delta-5-5.ckpt", "delta-6-5.ckpt", "delta-5.ckpt", "delta-1-2-3.ckpt"];
        for name in names.into_iter().chain(deltas) {
            assert_eq!(Segment::parse(name), None, "{name}");
        }
    }
}
