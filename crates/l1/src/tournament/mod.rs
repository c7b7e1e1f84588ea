//! Tournaments of the next version of disputes, as the contracts' logs tell them. The module does no
//! I/O.
//!
//! ```text
//! logs ─► Tournaments: Child (an output), Tournament (the children of one), reveals,
//!                      Stake, Accusation, Game
//! ```
//!
//! Bonds, clocks that follow from reveals, and who failed are not recorded: they follow from this
//! (`turnpike_game::tournament`).

mod bisection;
pub mod contracts;
mod dispute;
mod output;
mod record;
mod tournaments;

pub use bisection::{Bisection, MACHINE_STEPS, SEGMENTS, Segment, claimed_steps};
pub use dispute::{Accusation, Game, GameStatus, Player, Stake, StakeStatus};
pub use output::{Child, ChildStatus, Reveal, Tournament, TournamentId, TournamentSizes};
pub use tournaments::Tournaments;
