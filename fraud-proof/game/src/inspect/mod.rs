//! Shows disputes to people and tools: status, timeline, events, and the first wrong claim of each
//! side.
//!
//! Everything is computed from L1's records and, for [`check_all`] and [`DisputedStep`], from a
//! claim provider. Each type prints as text and serializes as JSON.

mod claim_check;
mod disputed_step;
mod events;
mod preimage_name;
mod records;
mod timeline;
mod turn;
mod words;

pub use claim_check::{CheckedRound, ClaimFinding, FalseClaim, check_all};
pub use disputed_step::DisputedStep;
pub use events::{DisputeEvent, DisputeEventKind, EventChanges, changes, events};
pub use records::{ChallengeRow, ChallengeWait, DisputeRecords, GameRow, UnknownRecord};
pub use timeline::{ChallengeTimeline, GameTimeline, MoveReceipt, Round};
pub use turn::TurnError;
pub use words::ClaimRange;
