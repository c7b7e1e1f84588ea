//! Logs of the contracts, decoded and checked.

use alloy::{rpc::types::Log, sol_types::SolEvent as _};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use turnpike_protocol::{OutputRoot, node_above};

use super::{
    Bisection, GameStatus, Player, TournamentId,
    contracts::{DisputeV2, RollupV2, Tournament},
};
use crate::{
    L1Error,
    log::{decode, malformed},
};

/// What a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Proposed(Proposed),
    Promoted { index: u64, round: u64 },
    Won { tournament: TournamentId, index: u64 },
    Rejected { index: u64 },
    Voided { index: u64 },
    Finalized { index: u64, claim: B256 },
    GenerationOpened { generation: u64 },
    Revealed { node: B256, width: u32, by: Address, children: Vec<B256> },
    Staked { tournament: TournamentId, account: Address },
    Accused(Accused),
    Answered { game: u64, accusation: u64, defender: Address },
    Moved { game: u64, status: GameStatus, clocks: [u64; 2], bisection: Bisection },
    GameEnded { game: u64, status: GameStatus },
    Fallen { tournament: TournamentId, account: Address },
    Struck { accusation: u64 },
    Released { tournament: TournamentId, account: Address },
}

/// A new output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposed {
    pub(super) index: u64,
    pub(super) tournament: TournamentId,
    pub(super) claim: B256,
    pub(super) history: B256,
    pub(super) seat: u64,
    pub(super) entry: u64,
    pub(super) l2_block: u64,
    pub(super) proposer: Address,
    pub(super) output: OutputRoot,
    pub(super) header: Bytes,
}

/// A new accusation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accused {
    pub(super) accusation: u64,
    pub(super) rivals: [u64; 2],
    pub(super) accuser: Address,
    pub(super) roots: [B256; 2],
    pub(super) bisection: Bisection,
    pub(super) final_state: Bytes,
}

impl Record {
    /// Decodes a log. `None` for any other event.
    pub(super) fn of(log: &Log) -> Result<Option<Self>, L1Error> {
        let Some(topic) = log.topic0() else { return Ok(None) };
        Ok(Some(match *topic {
            RollupV2::OutputProposed::SIGNATURE_HASH => proposed(decode(log)?)?,
            RollupV2::OutputPromoted::SIGNATURE_HASH => {
                let event = decode::<RollupV2::OutputPromoted>(log)?;
                Self::Promoted { index: event.index.saturating_to(), round: event.round }
            }
            RollupV2::TournamentWon::SIGNATURE_HASH => {
                let event = decode::<RollupV2::TournamentWon>(log)?;
                Self::Won {
                    tournament: event.tournament.into(),
                    index: event.index.saturating_to(),
                }
            }
            RollupV2::OutputRejected::SIGNATURE_HASH => {
                let event = decode::<RollupV2::OutputRejected>(log)?;
                Self::Rejected { index: event.index.saturating_to() }
            }
            RollupV2::OutputVoided::SIGNATURE_HASH => {
                let event = decode::<RollupV2::OutputVoided>(log)?;
                Self::Voided { index: event.index.saturating_to() }
            }
            RollupV2::OutputFinalized::SIGNATURE_HASH => {
                let event = decode::<RollupV2::OutputFinalized>(log)?;
                Self::Finalized { index: event.index.saturating_to(), claim: event.claim }
            }
            RollupV2::GenerationOpened::SIGNATURE_HASH => {
                let event = decode::<RollupV2::GenerationOpened>(log)?;
                Self::GenerationOpened { generation: event.generation }
            }
            Tournament::Revealed::SIGNATURE_HASH => revealed(decode(log)?)?,
            _ => return Self::of_dispute(topic, log),
        }))
    }

    fn of_dispute(topic: &B256, log: &Log) -> Result<Option<Self>, L1Error> {
        Ok(Some(match *topic {
            DisputeV2::Staked::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Staked>(log)?;
                Self::Staked { tournament: event.tournament.into(), account: event.account }
            }
            DisputeV2::Accused::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Accused>(log)?;
                Self::Accused(Accused {
                    accusation: event.accusation.saturating_to(),
                    rivals: [event.x.saturating_to(), event.y.saturating_to()],
                    accuser: event.accuser,
                    roots: [event.rootX, event.rootY],
                    bisection: event.bisection,
                    final_state: event.finalState,
                })
            }
            DisputeV2::Answered::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Answered>(log)?;
                let accusation = event.accusation.saturating_to();
                let game = event.game.saturating_to();
                Self::Answered { game, accusation, defender: event.defender }
            }
            DisputeV2::Moved::SIGNATURE_HASH => moved(decode(log)?)?,
            DisputeV2::GameEnded::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::GameEnded>(log)?;
                let status = game_status(event.status)?;
                Self::GameEnded { game: event.game.saturating_to(), status }
            }
            DisputeV2::Fallen::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Fallen>(log)?;
                Self::Fallen { tournament: event.tournament.into(), account: event.account }
            }
            DisputeV2::Struck::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Struck>(log)?;
                Self::Struck { accusation: event.accusation.saturating_to() }
            }
            DisputeV2::Released::SIGNATURE_HASH => {
                let event = decode::<DisputeV2::Released>(log)?;
                Self::Released { tournament: event.tournament.into(), account: event.account }
            }
            _ => return Ok(None),
        }))
    }
}

fn proposed(event: RollupV2::OutputProposed) -> Result<Record, L1Error> {
    let output = OutputRoot {
        state_root: event.proof.stateRoot,
        message_passer_storage_root: event.proof.messagePasserStorageRoot,
        block_hash: event.proof.latestBlockhash,
    };
    if output.block_hash != keccak256(&event.header) {
        return Err(malformed("an output whose header has another hash"));
    }
    Ok(Record::Proposed(Proposed {
        index: event.index.saturating_to(),
        tournament: event.tournament.into(),
        claim: event.claim,
        history: event.history,
        seat: event.seat,
        entry: event.entry,
        l2_block: event.l2BlockNumber,
        proposer: event.proposer,
        output,
        header: event.header,
    }))
}

fn revealed(event: Tournament::Revealed) -> Result<Record, L1Error> {
    let children = event.children;
    let is_whole = children.len().is_power_of_two() && children.len() > 1;
    if !is_whole || node_above(&children) != event.node {
        return Err(malformed("children of another node"));
    }
    let width = children.len().trailing_zeros();
    Ok(Record::Revealed { node: event.node, width, by: event.by, children })
}

fn moved(event: DisputeV2::Moved) -> Result<Record, L1Error> {
    let bisection = event.bisection;
    if bisection.hash() != event.bisectionHash {
        return Err(malformed("a bisection that does not match its hash"));
    }
    Ok(Record::Moved {
        game: event.game.saturating_to(),
        status: game_status(event.status)?,
        clocks: [event.accuserClock, event.defenderClock],
        bisection,
    })
}

/// The status with the contract's number.
fn game_status(number: u8) -> Result<GameStatus, L1Error> {
    Ok(match number {
        1 => GameStatus::ToMove(Player::Accuser),
        2 => GameStatus::ToMove(Player::Defender),
        3 => GameStatus::Won(Player::Accuser),
        4 => GameStatus::Won(Player::Defender),
        5 => GameStatus::Closed,
        _ => return Err(malformed("a game of unknown status")),
    })
}
