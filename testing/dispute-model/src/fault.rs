//! Wrong rules, one at a time, for tests of the tests.

/// A wrong rule. [`crate::Contracts`] without a fault follows the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `settle` (a) ignores the accuser's open games.
    SettleIgnoresOpenGames,
    /// The time to answer ignores the clock of x.
    AnswerTimeIgnoresClock,
    /// `settle` (b) puts y out though an accusation stands.
    SettleIgnoresAccusations,
    /// `promote` does not wait until the group is complete.
    PromoteIncompleteGroup,
    /// y fails, whichever side was late.
    AlwaysFailsY,
    /// Reveals have only the increment, no clock.
    IncrementAlone,
    /// A match takes one accusation.
    OneAccuserPerMatch,
    /// An accusation takes one defender.
    OneDefenderPerAccusation,
    /// A commitment that is out can still put others out.
    FallenWinner,
    /// Accusations need no reveals.
    AccuseBeforeReveals,
    /// Late seats get a full clock, which delays the end.
    FullClockForLateSeats,
    /// An accusation stands until it is struck, though its accuser fell.
    StandingUntilStruck,
    /// `promote` takes a child that is out.
    PromoteFallen,
    /// Games end with their commitments, while an account answers an accuser only once.
    GamesEndWithCommitments,
    /// An account that fell accuses on.
    FallenAccuses,
    /// Padding is ignored: y is out at every leaf past the blocks.
    PaddingPutsYOut,
}
