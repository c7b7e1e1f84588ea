//! The state on disk, so that a node starts without executing all blocks again.
//!
//! # Job
//!
//! Write the flat state to a directory of segment files and read it back. A *base* holds all
//! accounts, slots and codes after a block; a *delta* holds what changed since the segment before
//! it. A base and the deltas that follow it, each from where the last one ends, are a generation.
//!
//! ```text
//! base-100.ckpt ─▶ delta-100-150.ckpt ─▶ delta-150-200.ckpt     the generation before, spare
//! base-210.ckpt ─▶ delta-210-260.ckpt                           the newest
//! ```
//!
//! # Format
//!
//! A segment is a sequence of frames: length (`u32`), payload, CRC-32 of both (`u32`). Integers
//! are little-endian. A payload is a tag byte and a record: a header (magic, version, kind, block
//! range, state root after), codes, then accounts, then slots, and a footer (number of records
//! between header and footer, CRC-32 of all frames before it). Nothing follows the footer.
//!
//! # Invariants
//!
//! - A segment gets its name after it is durable: the writer writes it under a temporary name,
//!   syncs it and renames it.
//! - A loaded state has the state root that its segments record: loading builds the trie. So a
//!   checkpoint holds a wrong state only if its writer received a wrong state.
//! - Writing a base deletes only generations older than the previous one, and only once the base is
//!   durable.
//! - No bytes on disk make loading panic or allocate more than a multiple of the file's length.
//!
//! # Recovery
//!
//! Checkpoints are derived data. A lost or damaged checkpoint costs a longer replay of the journal.
//! The directory has one writer at a time; this module does not enforce that. Blocks are L2 blocks,
//! and this module knows only their numbers.

mod codec;
mod error;
mod frame;
mod load;
mod read;
mod segment;
mod store;
mod write;

pub use error::{CheckpointError, SegmentError};
pub use load::{Discarded, LoadReport, Loaded, load};
pub use segment::Segment;
pub use store::CheckpointStore;
