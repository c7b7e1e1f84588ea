//! What has happened in disputes, as events in order.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::Serialize;
use turnpike_l1::{Challenge, ChallengeStatus, EndedAt, Game, GameEnd, GameStatus, Side};

use super::{
    records::DisputeRecords,
    words::{self, ClaimRange},
};

/// An event in a dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisputeEvent {
    /// Number of the challenge.
    pub challenge: u64,
    /// Number of the game, if the event is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game: Option<u64>,
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
    /// What happened.
    #[serde(flatten)]
    pub what: DisputeEventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum DisputeEventKind {
    /// An output was challenged.
    Challenged {
        /// Index of the output.
        output: u64,
        /// The challenger.
        by: Address,
        /// Range of the opening.
        range: ClaimRange,
    },
    /// A defender opened a game against the challenge.
    Defended {
        /// The defender.
        by: Address,
        /// Range of the defender's first bisection.
        range: ClaimRange,
    },
    /// A side divided a segment further.
    Moved {
        /// Number of the bisection, from 1.
        round: usize,
        /// The side that moved.
        side: Side,
        /// Its account.
        by: Address,
        /// Range of the bisection.
        range: ClaimRange,
    },
    /// A game was decided.
    GameEnded {
        /// The winner, or that the bonds were returned.
        status: GameStatus,
        /// How it ended.
        end: Option<GameEnd>,
    },
    /// A challenge was decided.
    ChallengeEnded {
        /// Index of the output.
        output: u64,
        /// The result.
        status: ChallengeStatus,
    },
}

/// Every event, the oldest first.
pub fn events(records: &DisputeRecords<'_>) -> Vec<DisputeEvent> {
    let mut events = Vec::new();
    for challenge in records.disputes.challenges() {
        let of_games = records.disputes.games_of(challenge.index);
        events.push(opening(records, challenge));
        events.extend(of_games.flat_map(|game| of_game(records, challenge, game)));
        events.extend(challenge.ended.map(|ended| end(challenge, ended)));
    }
    // The sort is stable: events of the same second keep their order, so none comes before the
    // event that it answers.
    events.sort_by_key(|event| event.at);
    events
}

/// How the events of two reads of L1 differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventChanges<'a> {
    /// Events that L1 has dropped in a reorg.
    pub dropped: Vec<&'a DisputeEvent>,
    /// Events that are new.
    pub new: Vec<&'a DisputeEvent>,
}

/// The changes from the events `before` to the events `now`.
pub fn changes<'a>(before: &'a [DisputeEvent], now: &'a [DisputeEvent]) -> EventChanges<'a> {
    let kept = before.iter().zip(now).take_while(|(before, now)| before == now).count();
    let (before, now) = (&before[kept..], &now[kept..]);
    EventChanges {
        dropped: before.iter().filter(|event| !now.contains(event)).collect(),
        new: now.iter().filter(|event| !before.contains(event)).collect(),
    }
}

fn opening(records: &DisputeRecords<'_>, challenge: &Challenge) -> DisputeEvent {
    let made = &challenge.opening;
    DisputeEvent {
        challenge: challenge.index,
        game: None,
        at: made.at,
        l1_transaction: made.l1_transaction,
        what: DisputeEventKind::Challenged {
            output: challenge.output,
            by: challenge.challenger,
            range: ClaimRange::new(&records.output_of(challenge), &made.bisection),
        },
    }
}

fn of_game(records: &DisputeRecords<'_>, challenge: &Challenge, game: &Game) -> Vec<DisputeEvent> {
    let output = records.output_of(challenge);
    let event = |at, l1_transaction, what| DisputeEvent {
        challenge: challenge.index,
        game: Some(game.index),
        at,
        l1_transaction,
        what,
    };
    let moves = game.moves.iter().enumerate().map(|(at, made)| {
        let range = ClaimRange::new(&output, &made.bisection);
        let round = at + 2;
        let what = match at {
            0 => DisputeEventKind::Defended { by: game.defender, range },
            _ if at % 2 == 0 => {
                DisputeEventKind::Moved { round, side: Side::Defender, by: game.defender, range }
            }
            _ => DisputeEventKind::Moved {
                round,
                side: Side::Challenger,
                by: challenge.challenger,
                range,
            },
        };
        event(made.at, made.l1_transaction, what)
    });
    let end = game.ended.map(|EndedAt { at, l1_transaction }| {
        let what = DisputeEventKind::GameEnded { status: game.status, end: game.end };
        event(at, l1_transaction, what)
    });
    moves.chain(end).collect()
}

fn end(challenge: &Challenge, EndedAt { at, l1_transaction }: EndedAt) -> DisputeEvent {
    let what =
        DisputeEventKind::ChallengeEnded { output: challenge.output, status: challenge.status };
    DisputeEvent { challenge: challenge.index, game: None, at, l1_transaction, what }
}

impl fmt::Display for DisputeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.game {
            None => write!(f, "challenge {}: ", self.challenge)?,
            Some(game) => write!(f, "game {game}: ")?,
        }
        match &self.what {
            DisputeEventKind::Challenged { output, by, range } => {
                write!(f, "output {output} is challenged by {by}; round 1: {}", range.text)?;
            }
            DisputeEventKind::Defended { by, range } => {
                write!(f, "{by} defends against challenge {}; ", self.challenge)?;
                write!(f, "round 2: {}", range.text)?;
            }
            DisputeEventKind::Moved { round, side, range, .. } => {
                write!(f, "round {round}, {}: {}", words::side(*side), range.text)?;
            }
            DisputeEventKind::GameEnded { status, end } => {
                write!(f, "{}", words::game_status(*status))?;
                if let Some(end) = end {
                    write!(f, ": {}", words::game_end(end))?;
                }
            }
            DisputeEventKind::ChallengeEnded { output, status } => {
                write!(f, "output {output}: {}", words::challenge_status(*status))?;
            }
        }
        write!(f, " (L1 transaction {})", self.l1_transaction)
    }
}
