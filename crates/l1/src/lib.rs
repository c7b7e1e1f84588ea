//! The L1 side: contract bindings, deployment and the readers of inbox, deposits and outputs.
//!
//! ```text
//! L1 node, beacon API ─► L1Client ─► L1View: entries, deposits, outputs, each checked against its accumulator
//!                            └─────► Append, Call: what the tx manager signs
//! ```
//!
//! All roles see L1 through this crate, and none believes more than it checks: entries and deposits must chain to the
//! accumulators that the contracts store. It holds no keys longer than its owner and decides nothing.

mod append;
mod archive;
mod beacon;
mod bindings;
mod blobs;
mod call;
mod client;
mod deploy;
mod dispute;
mod entry;
mod error;
#[cfg(feature = "memory")]
pub mod memory;
mod output;
mod records;
mod sidecar;
mod source;
mod view;

pub use append::{Append, AppendCall, BlobSidecar};
pub use bindings::{
    Dispute, Inbox, L1StandardBridge, L2StandardBridge, L2ToL1MessagePasser, Portal,
    PreimageOracle, RiscvStep, Rollup,
};
pub use call::Call;
pub use client::{L1Client, L1Endpoints, L1Head};
pub use deploy::deploy;
pub use dispute::{
    Answer, Bisection, Challenge, ChallengeStatus, DisputedOutput, Disputes, Ended, Game, GameEnd,
    GameStatus, MACHINE_STEPS, Move, Phase, SEGMENTS_MAX, Segment, Side, positions, rounds,
};
pub use entry::{EntryPayload, EntrySource, PostedEntry};
pub use error::{L1Error, Severity};
pub use output::{OutputStatus, ProposedOutput, is_undisputed};
pub use source::{Counts, L1Block, L1Source};
pub use view::{Advance, L1View, Reorg};
