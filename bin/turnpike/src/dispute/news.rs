//! What has happened in disputes, in order, as events.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::Serialize;
use turnpike_l1::{Challenge, ChallengeStatus, Ended, Game, GameEnd, GameStatus, Side};

use super::{
    board::Records,
    words::{self, Range},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct News {
    pub(super) challenge: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) game: Option<u64>,
    /// L1 time, in seconds.
    pub(super) at: u64,
    pub(super) l1_transaction: B256,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub(super) enum What {
    Challenged { output: u64, by: Address, range: Range },
    Defended { by: Address, range: Range },
    Moved { round: usize, side: Side, by: Address, range: Range },
    GameEnded { status: GameStatus, end: Option<GameEnd> },
    ChallengeEnded { output: u64, status: ChallengeStatus },
}

/// All that has happened, the oldest first.
pub(super) fn history(records: &Records<'_>) -> Vec<News> {
    let mut news = Vec::new();
    for challenge in records.disputes.challenges() {
        let of_games = records.disputes.games_of(challenge.index);
        news.push(opening(records, challenge));
        news.extend(of_games.flat_map(|game| of_game(records, challenge, game)));
        news.extend(challenge.ended.map(|ended| end(challenge, ended)));
    }
    // What is of one second stays in its order: nothing happens before what it answers.
    news.sort_by_key(|news| news.at);
    news
}

fn opening(records: &Records<'_>, challenge: &Challenge) -> News {
    let made = &challenge.opening;
    News {
        challenge: challenge.index,
        game: None,
        at: made.at,
        l1_transaction: made.l1_transaction,
        what: What::Challenged {
            output: challenge.output,
            by: challenge.challenger,
            range: Range::new(&records.output_of(challenge), &made.bisection),
        },
    }
}

fn of_game(records: &Records<'_>, challenge: &Challenge, game: &Game) -> Vec<News> {
    let output = records.output_of(challenge);
    let news = |at, l1_transaction, what| News {
        challenge: challenge.index,
        game: Some(game.index),
        at,
        l1_transaction,
        what,
    };
    let moves = game.moves.iter().enumerate().map(|(at, made)| {
        let range = Range::new(&output, &made.bisection);
        let round = at + 2;
        let what = match at {
            0 => What::Defended { by: game.defender, range },
            _ if at % 2 == 0 => {
                What::Moved { round, side: Side::Defender, by: game.defender, range }
            }
            _ => What::Moved { round, side: Side::Challenger, by: challenge.challenger, range },
        };
        news(made.at, made.l1_transaction, what)
    });
    let end = game.ended.map(|Ended { at, l1_transaction }| {
        let what = What::GameEnded { status: game.status, end: game.end };
        news(at, l1_transaction, what)
    });
    moves.chain(end).collect()
}

fn end(challenge: &Challenge, Ended { at, l1_transaction }: Ended) -> News {
    let what = What::ChallengeEnded { output: challenge.output, status: challenge.status };
    News { challenge: challenge.index, game: None, at, l1_transaction, what }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.game {
            None => write!(f, "challenge {}: ", self.challenge)?,
            Some(game) => write!(f, "game {game}: ")?,
        }
        match &self.what {
            What::Challenged { output, by, range } => {
                write!(f, "output {output} is challenged by {by}; round 1: {}", range.text)?;
            }
            What::Defended { by, range } => {
                write!(f, "{by} defends against challenge {}; ", self.challenge)?;
                write!(f, "round 2: {}", range.text)?;
            }
            What::Moved { round, side, range, .. } => {
                write!(f, "round {round}, {}: {}", words::side(*side), range.text)?;
            }
            What::GameEnded { status, end } => {
                write!(f, "{}", words::game_status(*status))?;
                if let Some(end) = end {
                    write!(f, ": {}", words::game_end(end))?;
                }
            }
            What::ChallengeEnded { output, status } => {
                write!(f, "output {output}: {}", words::challenge_status(*status))?;
            }
        }
        write!(f, " (L1 transaction {})", self.l1_transaction)
    }
}
