//! Logs of the `Dispute` contract, decoded and checked.

use alloy::{rpc::types::Log, sol_types::SolEvent as _};
use alloy_primitives::{Address, B256};

use super::{Bisection, Challenge, ChallengeStatus, EndedAt, GameEnd, GameMove, GameStatus, Side};
use crate::{
    Dispute, L1Error,
    log::{decode, malformed, transaction_of},
};

/// A decoded log of the contract.
#[derive(Clone, Debug)]
pub(crate) enum DisputeRecord {
    /// An output was challenged.
    Challenged(Challenge),
    /// A defender answered a challenge. The first move follows.
    GameOpened { game: u64, challenge: u64, defender: Address },
    /// A side moved. `status` contains the side that moves next.
    Moved { game: u64, status: GameStatus, clocks: [u64; 2], made: GameMove },
    /// A game was decided. Its end follows.
    Decided { game: u64, end: GameEnd },
    /// A game is over.
    GameEnded { game: u64, status: GameStatus, ended: EndedAt },
    /// A challenge is over.
    ChallengeEnded { challenge: u64, status: ChallengeStatus, ended: EndedAt },
}

impl DisputeRecord {
    /// Decodes a log of a block with this timestamp. Returns `None` for any other event.
    pub(crate) fn of(log: &Log, time: u64) -> Result<Option<Self>, L1Error> {
        Ok(Some(match log.topic0() {
            Some(&Dispute::ChallengeOpened::SIGNATURE_HASH) => {
                let event = decode::<Dispute::ChallengeOpened>(log)?;
                Self::Challenged(Challenge {
                    index: event.challenge.saturating_to(),
                    output: event.output.saturating_to(),
                    challenger: event.challenger,
                    started_at: time,
                    opening: read_move(&event.bisection, event.bisectionHash, log, time)?,
                    status: ChallengeStatus::Open,
                    ended: None,
                })
            }
            Some(&Dispute::GameOpened::SIGNATURE_HASH) => {
                let event = decode::<Dispute::GameOpened>(log)?;
                let challenge = event.challenge.saturating_to();
                let game = event.game.saturating_to();
                Self::GameOpened { game, challenge, defender: event.defender }
            }
            Some(&Dispute::Moved::SIGNATURE_HASH) => {
                let event = decode::<Dispute::Moved>(log)?;
                Self::Moved {
                    game: event.game.saturating_to(),
                    status: game_status(event.status)?,
                    clocks: [event.challengerClock.to(), event.defenderClock.to()],
                    made: read_move(&event.bisection, event.bisectionHash, log, time)?,
                }
            }
            Some(&Dispute::StepProven::SIGNATURE_HASH) => {
                let event = decode::<Dispute::StepProven>(log)?;
                let end = GameEnd::StepProven { claimed: event.claimed, state: event.state };
                Self::Decided { game: event.game.saturating_to(), end }
            }
            Some(&Dispute::TimedOut::SIGNATURE_HASH) => {
                let event = decode::<Dispute::TimedOut>(log)?;
                Self::Decided { game: event.game.saturating_to(), end: GameEnd::TimedOut }
            }
            Some(&Dispute::GameEnded::SIGNATURE_HASH) => {
                let event = decode::<Dispute::GameEnded>(log)?;
                let status = game_status(event.status)?;
                let ended = ended(log, time)?;
                Self::GameEnded { game: event.game.saturating_to(), status, ended }
            }
            Some(&Dispute::ChallengeEnded::SIGNATURE_HASH) => {
                let event = decode::<Dispute::ChallengeEnded>(log)?;
                let status = challenge_status(event.status)?;
                let ended = ended(log, time)?;
                Self::ChallengeEnded { challenge: event.challenge.saturating_to(), status, ended }
            }
            _ => return Ok(None),
        }))
    }
}

fn read_move(
    bisection: &Dispute::Bisection,
    hash: B256,
    log: &Log,
    at: u64,
) -> Result<GameMove, L1Error> {
    let bisection = Bisection::try_from(bisection)?;
    if bisection.hash() != hash {
        return Err(malformed("a bisection that does not match its hash"));
    }
    Ok(GameMove { bisection, hash, at, l1_transaction: transaction_of(log)? })
}

fn ended(log: &Log, at: u64) -> Result<EndedAt, L1Error> {
    Ok(EndedAt { at, l1_transaction: transaction_of(log)? })
}

/// The status with the contract's number.
pub(crate) fn game_status(number: u8) -> Result<GameStatus, L1Error> {
    Ok(match number {
        1 => GameStatus::ToMove(Side::Challenger),
        2 => GameStatus::ToMove(Side::Defender),
        3 => GameStatus::Won(Side::Challenger),
        4 => GameStatus::Won(Side::Defender),
        5 => GameStatus::Returned,
        _ => return Err(malformed("a game of unknown status")),
    })
}

fn challenge_status(number: u8) -> Result<ChallengeStatus, L1Error> {
    Ok(match number {
        1 => ChallengeStatus::Open,
        2 => ChallengeStatus::Won,
        3 => ChallengeStatus::Failed,
        4 => ChallengeStatus::Moot,
        _ => return Err(malformed("a challenge of unknown status")),
    })
}
