//! Whose turn it is: whether an account may defend or move, and what anyone may do to end a
//! challenge or a game.

use alloy_primitives::Address;
use turnpike_l1::{Challenge, ChallengeStatus, Game, GameStatus, Side};

use super::{ChallengeWait, DisputeRecords, words};
use crate::Action;

/// Why an account may not defend or move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// The challenge is decided.
    #[error("challenge {challenge} is over: {}", words::challenge_status(*.status))]
    ChallengeOver {
        /// Number of the challenge.
        challenge: u64,
        /// The result.
        status: ChallengeStatus,
    },
    /// The time to defend is over.
    #[error("challenge {0} cannot be defended any more")]
    DefenceOver(u64),
    /// The challenger cannot defend against itself.
    #[error("account {0} has challenged the output itself")]
    OwnChallenge(Address),
    /// The account plays a game of this challenge already.
    #[error("account {account} defends the output already, in game {game}")]
    DefendsAlready {
        /// The account.
        account: Address,
        /// Number of its game.
        game: u64,
    },
    /// The game is decided.
    #[error("game {game} is over: {}", words::game_status(*.status))]
    GameOver {
        /// Number of the game.
        game: u64,
        /// The result.
        status: GameStatus,
    },
    /// Another game has decided the challenge.
    #[error("game {0} was decided elsewhere: `resolve --game {0}` returns its bond")]
    DecidedElsewhere(u64),
    /// The other side moves.
    #[error("game {game}: it is the {}'s move, {mover}; the key is that of {account}", words::side(*.side))]
    OtherSide {
        /// Number of the game.
        game: u64,
        /// The side to move.
        side: Side,
        /// Its account.
        mover: Address,
        /// The account that asked.
        account: Address,
    },
    /// The clock of the side to move has run out.
    #[error("game {0}: the clock has run out; `resolve --game {0}` ends it")]
    ClockRunOut(u64),
}

impl DisputeRecords<'_> {
    /// Checks that `account`, or anybody if `None`, may defend the challenged output.
    pub fn check_defence(
        &self,
        challenge: &Challenge,
        account: Option<Address>,
    ) -> Result<(), TurnError> {
        let Challenge { index, challenger, status, .. } = *challenge;
        match self.next(challenge) {
            ChallengeWait::Defenders { .. } => {}
            ChallengeWait::Nothing => {
                return Err(TurnError::ChallengeOver { challenge: index, status });
            }
            _ => return Err(TurnError::DefenceOver(index)),
        }
        let Some(account) = account else { return Ok(()) };
        if account == challenger {
            return Err(TurnError::OwnChallenge(account));
        }
        match self.disputes.games_of(index).find(|game| game.defender == account) {
            Some(game) => Err(TurnError::DefendsAlready { account, game: game.index }),
            None => Ok(()),
        }
    }

    /// Checks that `account`, or the side to move if `None`, may move in a game.
    pub fn check_move(
        &self,
        challenge: &Challenge,
        game: &Game,
        account: Option<Address>,
    ) -> Result<(), TurnError> {
        let index = game.index;
        let Some(side) = game.status.to_move() else {
            return Err(TurnError::GameOver { game: index, status: game.status });
        };
        if !self.disputes.is_playable(challenge, self.outputs) {
            return Err(TurnError::DecidedElsewhere(index));
        }
        let mover = match side {
            Side::Challenger => challenge.challenger,
            Side::Defender => game.defender,
        };
        if let Some(account) = account.filter(|account| *account != mover) {
            return Err(TurnError::OtherSide { game: index, side, mover, account });
        }
        if game.ends_at().is_some_and(|ends_at| self.now > ends_at) {
            return Err(TurnError::ClockRunOut(index));
        }
        Ok(())
    }

    /// The next action that anyone may take to end `only`, or a challenge and its games: games come
    /// first.
    pub fn ending_action(&self, challenge: &Challenge, only: Option<&Game>) -> Option<Action> {
        let is_playable = self.disputes.is_playable(challenge, self.outputs);
        let of_game = |game: &Game| {
            let is_open = game.status.to_move().is_some();
            let is_late = game.ends_at().is_some_and(|ends_at| self.now > ends_at);
            match (is_open, is_playable) {
                (true, true) => is_late.then_some(Action::TimeOut { game: game.index }),
                (true, false) => Some(Action::ReturnBond { game: game.index }),
                (false, _) => None,
            }
        };
        if let Some(game) = only {
            return of_game(game);
        }
        let mut games = self.disputes.games_of(challenge.index);
        games.find_map(of_game).or_else(|| {
            let can_resolve = self.next(challenge) == ChallengeWait::Resolution;
            can_resolve.then_some(Action::Resolve { challenge: challenge.index })
        })
    }

    /// Why [`ending_action`](Self::ending_action) gives none, as text.
    pub fn waiting_text(&self, challenge: &Challenge, game: Option<&Game>) -> String {
        let text = |text: &str| format!("challenge {} {text}", challenge.index);
        match (game, self.next(challenge)) {
            (Some(game), _) => {
                let status = words::game_status(game.status);
                match game.ends_at() {
                    Some(ends_at) => {
                        let seconds = (ends_at + 1).saturating_sub(self.now);
                        format!("game {}: {status}, for another {seconds} s", game.index)
                    }
                    None => format!("game {}: {status}", game.index),
                }
            }
            (None, ChallengeWait::Defenders { seconds_left }) => {
                text(&format!("can be defended for another {seconds_left} s"))
            }
            (None, ChallengeWait::Games) => text("waits for its games"),
            (None, _) => text(words::challenge_status(challenge.status)),
        }
    }
}
