//! L1 as the roles see it: contract bindings, deployment, and a checked view of inbox, deposits,
//! outputs and disputes.
//!
//! ```text
//! L1 node, beacon API ─► L1Client ─► L1View: entries, deposits, outputs, each checked against its accumulator
//!                            └─────► Append, Call: what the tx manager signs
//! ```
//!
//! All roles read L1 through this crate. It does not trust the endpoint: entries and deposits must
//! chain to the accumulators that the contracts store, and batch data must match its commitment.
//! The roles and the tx manager decide what to send and when.
//!
//! [`Kzg`] computes commitments and proofs of blobs and checks them, on threads of its own.
//!
//! With the feature `memory`, the module `memory` is an L1 in memory for tests.

mod amount;
mod append;
mod archive;
mod beacon;
mod bindings;
mod call;
mod check;
mod client;
mod deploy;
mod dispute;
mod entry;
mod error;
mod http;
mod kzg;
mod log;
#[cfg(feature = "memory")]
pub mod memory;
mod output;
mod records;
mod served;
mod source;
pub mod tournament;
mod view;

pub use amount::ether;
pub use append::{Append, AppendCall, AppendItem, BlobSidecar};
pub use archive::Archive;
pub use bindings::{
    Dispute, Inbox, L1StandardBridge, L2StandardBridge, L2ToL1MessagePasser, Portal,
    PreimageOracle, RiscvStep, Rollup,
};
pub use call::Call;
pub use client::{BatcherKeys, L1Client, L1Endpoints};
pub use deploy::deploy;
pub use dispute::{
    Bisection, BisectionAnswer, Challenge, ChallengeStatus, DisputedOutput, Disputes, EndedAt,
    Game, GameEnd, GameMove, GameStatus, MACHINE_STEPS, Phase, SEGMENTS_MAX, Segment, Side,
    positions, rounds,
};
pub use entry::{EntryPayload, EntrySource, PostedEntry};
pub use error::{L1Error, Severity};
pub use kzg::{BlobError, Kzg, ProofTables};
pub use output::{OutputStatus, ProposedOutput, is_undisputed};
pub use source::{ContractCounts, GameHead, L1Block, L1Head, L1Source};
pub use view::{Advance, L1View, Reorg};
