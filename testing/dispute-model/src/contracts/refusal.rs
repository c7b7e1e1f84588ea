//! Why a call is refused.

/// Why a call is refused. A refused call changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The parent is of an older generation, rejected or void.
    #[error("parent takes no children")]
    Parent,
    /// The entry is not the range's.
    #[error("entry is not the range's last one")]
    Entry,
    /// The call comes before its time.
    #[error("too early")]
    TooEarly,
    /// The call comes after its time.
    #[error("too late")]
    TooLate,
    /// The same claim, accusation, reveal or answer was made before.
    #[error("made before")]
    Duplicate,
    /// The output, the accusation or the stake does not stand.
    #[error("does not stand")]
    NotStanding,
    /// The output is not its parent's winner.
    #[error("not the winner")]
    NotWinner,
    /// The two outputs are not x and y of one group.
    #[error("not x and y of one group")]
    NotRivals,
    /// The path does not lead to the first difference at a depth that counts.
    #[error("path does not show the first difference")]
    Path,
    /// The number of children revealed is not a power of two from 2 to 64.
    #[error("wrong number of children")]
    Children,
    /// Reveals are missing, or nobody failed.
    #[error("match is still open")]
    MatchOpen,
    /// The leaf is on the other side of the range's end.
    #[error("leaf is on the wrong side of the range's end")]
    Padding,
    /// The group is incomplete, or more than one member stands.
    #[error("group is not decided")]
    GroupOpen,
    /// The tournament already has a winner.
    #[error("tournament is decided")]
    Decided,
    /// The account accuses itself.
    #[error("accuser and defender are the same account")]
    Self_,
    /// The game is over, or one of its accounts fell.
    #[error("game is over")]
    GameOver,
    /// The other side has the turn.
    #[error("not the turn of this account")]
    Turn,
    /// The claim cannot be proven, or not yet.
    #[error("nothing can be proven")]
    Proof,
    /// The account has an open game.
    #[error("open games")]
    OpenGames,
}
