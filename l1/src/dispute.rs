//! Challenges and games as the `Dispute` contract has recorded them: pure, no I/O.

use alloy::{
    rpc::types::Log,
    sol_types::{SolEvent as _, SolValue as _},
};
use alloy_primitives::{Address, B256, Bytes, keccak256};

use crate::{
    Dispute, L1Error, OutputStatus, ProposedOutput,
    records::{decode, in_place, malformed, transaction_of},
};

/// Most parts that a range is divided into.
pub const SEGMENTS_MAX: u64 = 32;

/// Positions of phase [`Phase::Machine`].
pub const MACHINE_STEPS: u64 = 1 << 42;

/// What a bisection's positions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Blocks after the parent output, every entry having as many as the most that one may have: output roots.
    Blocks,
    /// Steps of the proof machine within one block: hashes of its states.
    Machine,
}

/// One side's claims over a range, in even distances; see the contract's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// Hash of the bisection that it answers; the output's claim for the first one of a challenge.
    pub answered: B256,
    /// What positions count.
    pub phase: Phase,
    /// Machine: which block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// Position where the range begins.
    pub first: u64,
    /// Position where it ends.
    pub last: u64,
    /// What both sides agree on at `first`.
    pub start: B256,
    /// What is claimed at the end of each part.
    pub claims: Vec<B256>,
}

/// A part of a bisection: what one side claims of a range where the other agrees with the beginning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What an answer to it answers.
    pub answered: B256,
    /// What positions count.
    pub phase: Phase,
    /// Machine: which block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// Position where it begins.
    pub first: u64,
    /// Position where it ends.
    pub last: u64,
    /// What both sides agree on at `first`.
    pub start: B256,
    /// What is claimed at `last`.
    pub end: B256,
}

/// A move that answers a bisection with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the answered bisection's segments, the one whose beginning is right and whose end is wrong; from 0.
    pub segment: u64,
    /// What is claimed within it.
    pub claims: Vec<B256>,
    /// The machine's last state, encoded, if the segment is a single block; else empty.
    pub final_state: Bytes,
}

/// An output as a dispute sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DisputedOutput {
    /// Its index.
    pub index: u64,
    /// Its claim.
    pub claim: B256,
    /// Entry of its parent.
    pub parent_entry: u64,
    /// Its entry.
    pub entry: u64,
    /// The parent's root.
    pub parent_root: B256,
    /// Its root.
    pub root: B256,
    /// Most blocks that one entry derives.
    pub blocks_per_entry: u64,
}

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Says that the output is wrong.
    Challenger,
    /// Says that it is right.
    Defender,
}

/// How a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChallengeStatus {
    /// Not decided.
    Open,
    /// Every defender was beaten: the output is rejected.
    Won,
    /// A defender has beaten the challenger.
    Failed,
    /// Another challenge was won first, and the bond is returned.
    Moot,
}

/// How a game stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "status", content = "side")]
pub enum GameStatus {
    /// This side has to move.
    ToMove(Side),
    /// This side has won.
    Won(Side),
    /// Its challenge was decided elsewhere, and the bond is returned.
    Returned,
}

/// What ended a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "end")]
pub enum GameEnd {
    /// L1 ran the step in question.
    StepProven {
        /// What was claimed.
        claimed: B256,
        /// What it comes to.
        state: B256,
    },
    /// A clock ran out.
    TimedOut,
}

/// A challenge of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its number.
    pub index: u64,
    /// Index of the output.
    pub output: u64,
    /// Who challenges.
    pub challenger: Address,
    /// L1 time, in seconds.
    pub started_at: u64,
    /// The challenger's first claims.
    pub opening: Move,
    /// How it stands.
    pub status: ChallengeStatus,
}

/// A challenger against one defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// Its number.
    pub index: u64,
    /// Number of its challenge.
    pub challenge: u64,
    /// Who defends.
    pub defender: Address,
    /// The moves after the challenge's opening: first the defender's, then in turn.
    pub moves: Vec<Move>,
    /// How it stands.
    pub status: GameStatus,
    /// Seconds that the challenger has left, as of the last move.
    pub challenger_clock: u64,
    /// Seconds that the defender has left, as of the last move.
    pub defender_clock: u64,
    /// What ended it, if it was played to its end.
    pub end: Option<GameEnd>,
}

/// A bisection on L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What is claimed.
    pub bisection: Bisection,
    /// Its hash.
    pub hash: B256,
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
}

/// All challenges and games, and how they came about.
#[derive(Clone, Debug, Default)]
pub struct Disputes {
    challenges: Vec<Challenge>,
    games: Vec<Game>,
    events: Vec<Event>,
}

/// Something that the contract recorded.
#[derive(Clone, Debug)]
enum Event {
    Challenged(Challenge),
    GameOpened { challenge: u64, defender: Address },
    Moved { game: u64, status: GameStatus, clocks: [u64; 2], made: Move },
    Decided { game: u64, end: GameEnd },
    GameEnded { game: u64, status: GameStatus },
    ChallengeEnded { challenge: u64, status: ChallengeStatus },
}

impl Bisection {
    /// What stands for it.
    pub fn hash(&self) -> B256 {
        keccak256(Dispute::Bisection::from(self).abi_encode())
    }

    /// Its `index`-th segment, if it has one.
    pub fn segment(&self, index: u64) -> Option<Segment> {
        let at = usize::try_from(index).ok()?;
        let end = *self.claims.get(at)?;
        let stride = (self.last - self.first).div_ceil(self.claims.len() as u64);
        let first = self.first + index * stride;
        let is_last = at + 1 == self.claims.len();
        Some(Segment {
            answered: self.hash(),
            phase: self.phase,
            block: self.block,
            agreed_root: self.agreed_root,
            first,
            last: if is_last { self.last } else { first + stride },
            start: if at == 0 { self.start } else { self.claims[at - 1] },
            end,
        })
    }

    /// Positions of its claims.
    pub fn positions(&self) -> impl Iterator<Item = u64> + use<> {
        positions(self.first, self.last)
    }
}

/// Where the claims of a bisection from `first` to `last` are.
pub fn positions(first: u64, last: u64) -> impl Iterator<Item = u64> {
    let stride = (last - first).div_ceil(SEGMENTS_MAX).max(1);
    let count = (last - first).div_ceil(stride);
    (1..=count).map(move |part| last.min(first + part * stride))
}

impl Segment {
    /// How many positions it is long.
    pub const fn length(&self) -> u64 {
        self.last - self.first
    }

    /// The bisection that an answer to this segment is; `initial_state` is the hash of the machine's first state.
    pub fn divided(&self, claims: Vec<B256>, initial_state: B256) -> Bisection {
        if self.length() > 1 {
            let Self { answered, phase, block, agreed_root, first, last, start, .. } = *self;
            return Bisection { answered, phase, block, agreed_root, first, last, start, claims };
        }
        Bisection {
            answered: self.answered,
            phase: Phase::Machine,
            block: self.first,
            agreed_root: self.start,
            first: 0,
            last: MACHINE_STEPS,
            start: initial_state,
            claims,
        }
    }
}

impl DisputedOutput {
    /// That output, if `outputs` have it and its parent.
    pub fn of(outputs: &[ProposedOutput], index: u64, blocks_per_entry: u64) -> Option<Self> {
        let output = outputs.get(usize::try_from(index).ok()?)?;
        let parent = output.parent_in(outputs)?;
        Some(Self {
            index,
            claim: output.claim,
            parent_entry: parent.entry,
            entry: output.entry,
            parent_root: parent.output.hash(),
            root: output.output.hash(),
            blocks_per_entry,
        })
    }

    /// All of it, as the one segment that a challenge answers.
    pub const fn segment(&self) -> Segment {
        Segment {
            answered: self.claim,
            phase: Phase::Blocks,
            block: 0,
            agreed_root: B256::ZERO,
            first: 0,
            last: (self.entry - self.parent_entry) * self.blocks_per_entry,
            start: self.parent_root,
            end: self.root,
        }
    }

    /// The entry, and which of its blocks, that lies between `position` and the next.
    pub const fn block_at(&self, position: u64) -> (u64, u64) {
        let entry = self.parent_entry + 1 + position / self.blocks_per_entry;
        (entry, position % self.blocks_per_entry)
    }
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Challenger => Self::Defender,
            Self::Defender => Self::Challenger,
        }
    }
}

impl GameStatus {
    /// Who has to move, if the game goes on.
    pub const fn to_move(self) -> Option<Side> {
        match self {
            Self::ToMove(side) => Some(side),
            _ => None,
        }
    }
}

impl Game {
    /// The newest move, which is to be answered if the game goes on.
    pub fn newest<'a>(&'a self, challenge: &'a Challenge) -> &'a Move {
        self.moves.last().unwrap_or(&challenge.opening)
    }

    /// Until when, in L1 seconds, whoever has to move can.
    pub fn ends_at(&self) -> Option<u64> {
        let clock = match self.status.to_move()? {
            Side::Challenger => self.challenger_clock,
            Side::Defender => self.defender_clock,
        };
        self.moves.last().map(|newest| newest.at.saturating_add(clock))
    }
}

impl Disputes {
    /// Challenges, by number.
    pub fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }

    /// Games, by number.
    pub fn games(&self) -> &[Game] {
        &self.games
    }

    /// A challenge.
    pub fn challenge(&self, index: u64) -> Option<&Challenge> {
        self.challenges.get(usize::try_from(index).ok()?)
    }

    /// A game.
    pub fn game(&self, index: u64) -> Option<&Game> {
        self.games.get(usize::try_from(index).ok()?)
    }

    /// The games of a challenge.
    pub fn games_of(&self, challenge: u64) -> impl Iterator<Item = &Game> {
        self.games.iter().filter(move |game| game.challenge == challenge)
    }

    /// Whether a challenge can still be played: it is not decided, nor its output rejected by another.
    pub fn is_playable(&self, challenge: &Challenge, outputs: &[ProposedOutput]) -> bool {
        let output = usize::try_from(challenge.output).ok().and_then(|at| outputs.get(at));
        challenge.status == ChallengeStatus::Open
            && output.is_some_and(|output| output.status == OutputStatus::Challenged)
    }

    /// How much was recorded: what [`Self::truncate`] goes back to.
    pub(crate) const fn events(&self) -> usize {
        self.events.len()
    }

    /// Forgets what was recorded after so many events.
    pub(crate) fn truncate(&mut self, events: usize) {
        if events == self.events.len() {
            return;
        }
        let kept = self.events.drain(..events).collect::<Vec<_>>();
        *self = Self::default();
        for event in kept {
            self.apply(event).expect("invariant: it was applied before");
        }
    }

    /// Takes in a log of the contract; others are left alone.
    pub(crate) fn read_log(&mut self, log: &Log, time: u64) -> Result<(), L1Error> {
        let event = match log.topic0() {
            Some(&Dispute::ChallengeOpened::SIGNATURE_HASH) => {
                let event = decode::<Dispute::ChallengeOpened>(log)?;
                let index = event.challenge.saturating_to();
                in_place("challenge", index, self.challenges.len())?;
                Event::Challenged(Challenge {
                    index,
                    output: event.output.saturating_to(),
                    challenger: event.challenger,
                    started_at: time,
                    opening: read_move(&event.bisection, event.bisectionHash, log, time)?,
                    status: ChallengeStatus::Open,
                })
            }
            Some(&Dispute::GameOpened::SIGNATURE_HASH) => {
                let event = decode::<Dispute::GameOpened>(log)?;
                in_place("game", event.game.saturating_to(), self.games.len())?;
                let challenge = event.challenge.saturating_to();
                Event::GameOpened { challenge, defender: event.defender }
            }
            Some(&Dispute::Moved::SIGNATURE_HASH) => {
                let event = decode::<Dispute::Moved>(log)?;
                Event::Moved {
                    game: event.game.saturating_to(),
                    status: game_status(event.status)?,
                    clocks: [event.challengerClock.to(), event.defenderClock.to()],
                    made: read_move(&event.bisection, event.bisectionHash, log, time)?,
                }
            }
            Some(&Dispute::StepProven::SIGNATURE_HASH) => {
                let event = decode::<Dispute::StepProven>(log)?;
                let end = GameEnd::StepProven { claimed: event.claimed, state: event.state };
                Event::Decided { game: event.game.saturating_to(), end }
            }
            Some(&Dispute::TimedOut::SIGNATURE_HASH) => {
                let event = decode::<Dispute::TimedOut>(log)?;
                Event::Decided { game: event.game.saturating_to(), end: GameEnd::TimedOut }
            }
            Some(&Dispute::GameEnded::SIGNATURE_HASH) => {
                let event = decode::<Dispute::GameEnded>(log)?;
                let status = game_status(event.status)?;
                Event::GameEnded { game: event.game.saturating_to(), status }
            }
            Some(&Dispute::ChallengeEnded::SIGNATURE_HASH) => {
                let event = decode::<Dispute::ChallengeEnded>(log)?;
                let status = challenge_status(event.status)?;
                Event::ChallengeEnded { challenge: event.challenge.saturating_to(), status }
            }
            _ => return Ok(()),
        };
        self.apply(event)
    }

    fn apply(&mut self, event: Event) -> Result<(), L1Error> {
        match &event {
            Event::Challenged(challenge) => self.challenges.push(challenge.clone()),
            Event::GameOpened { challenge, defender } => self.games.push(Game {
                index: self.games.len() as u64,
                challenge: *challenge,
                defender: *defender,
                moves: Vec::new(),
                status: GameStatus::ToMove(Side::Defender),
                challenger_clock: 0,
                defender_clock: 0,
                end: None,
            }),
            Event::Moved { game, status, clocks, made } => {
                let game = self.game_mut(*game)?;
                [game.challenger_clock, game.defender_clock] = *clocks;
                game.status = *status;
                game.moves.push(made.clone());
            }
            Event::Decided { game, end } => self.game_mut(*game)?.end = Some(*end),
            Event::GameEnded { game, status } => self.game_mut(*game)?.status = *status,
            Event::ChallengeEnded { challenge, status } => {
                let at = usize::try_from(*challenge).ok();
                let challenge = at.and_then(|at| self.challenges.get_mut(at));
                let missing = || L1Error::NotYet("a challenge was not served".to_owned());
                challenge.ok_or_else(missing)?.status = *status;
            }
        }
        self.events.push(event);
        Ok(())
    }

    fn game_mut(&mut self, index: u64) -> Result<&mut Game, L1Error> {
        let game = usize::try_from(index).ok().and_then(|at| self.games.get_mut(at));
        game.ok_or_else(|| L1Error::NotYet(format!("game {index} was not served")))
    }
}

fn read_move(
    bisection: &Dispute::Bisection,
    hash: B256,
    log: &Log,
    at: u64,
) -> Result<Move, L1Error> {
    let bisection = Bisection::try_from(bisection)?;
    if bisection.hash() != hash {
        return Err(malformed("a bisection that is not its hash's"));
    }
    Ok(Move { bisection, hash, at, l1_transaction: transaction_of(log)? })
}

fn game_status(number: u8) -> Result<GameStatus, L1Error> {
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

impl From<&Bisection> for Dispute::Bisection {
    fn from(bisection: &Bisection) -> Self {
        Self {
            answered: bisection.answered,
            phase: match bisection.phase {
                Phase::Blocks => 0,
                Phase::Machine => 1,
            },
            block: bisection.block,
            agreedRoot: bisection.agreed_root,
            first: bisection.first,
            last: bisection.last,
            start: bisection.start,
            claims: bisection.claims.clone(),
        }
    }
}

impl TryFrom<&Dispute::Bisection> for Bisection {
    type Error = L1Error;

    fn try_from(bisection: &Dispute::Bisection) -> Result<Self, L1Error> {
        let phase = match bisection.phase {
            0 => Phase::Blocks,
            1 => Phase::Machine,
            _ => return Err(malformed("a bisection of unknown phase")),
        };
        if bisection.first >= bisection.last || bisection.claims.is_empty() {
            return Err(malformed("a bisection of nothing"));
        }
        Ok(Self {
            answered: bisection.answered,
            phase,
            block: bisection.block,
            agreed_root: bisection.agreedRoot,
            first: bisection.first,
            last: bisection.last,
            start: bisection.start,
            claims: bisection.claims.clone(),
        })
    }
}

impl From<&Answer> for Dispute::Answer {
    fn from(answer: &Answer) -> Self {
        Self {
            segment: answer.segment,
            claims: answer.claims.clone(),
            finalState: answer.final_state.clone(),
        }
    }
}
