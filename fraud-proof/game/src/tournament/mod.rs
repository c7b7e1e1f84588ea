//! Playing the next version of disputes: what an honest account has to do, from L1's records and the
//! histories that it derived.
//!
//! ```text
//! Tournaments (L1's logs), truths (own histories) ─► PlayerView::duties ─► ScheduledDuty, by deadline
//!                                  Descent: the first difference of two histories, as far as L1 shows it
//! Bisection, own run of the machine ─► machine_move ─► MachineMove
//! ```
//!
//! No I/O and no state.

mod descent;
mod duties;
mod duty;
mod group;
mod machine;

pub use descent::{Descent, LeafBefore};
pub use duties::PlayerView;
pub use duty::{Duty, ScheduledDuty};
pub use machine::{MachineMove, machine_move};
