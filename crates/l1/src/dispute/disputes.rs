//! All challenges and games, built from the contract's logs. A reorg rewinds them.

use super::{Challenge, ChallengeStatus, Game, GameEnd, GameStatus, Side, record::DisputeRecord};
use crate::{L1Error, OutputStatus, ProposedOutput, log::check_next};

/// All challenges and games.
///
/// Every record stores a step that undoes it, so the cost of a rewind depends on the number of
/// undone records only.
#[derive(Clone, Debug, Default)]
pub struct Disputes {
    challenges: Vec<Challenge>,
    games: Vec<Game>,
    /// Indexes of each challenge's games in `games`.
    games_of: Vec<Vec<usize>>,
    /// The steps that undo the records, oldest first.
    rewind_steps: Vec<RewindStep>,
}

/// A step that undoes a record.
#[derive(Clone, Copy, Debug)]
enum RewindStep {
    Challenge,
    Game,
    Move { game: usize, status: GameStatus, clocks: [u64; 2] },
    End { game: usize, end: Option<GameEnd> },
    GameStatus { game: usize, status: GameStatus },
    ChallengeStatus { challenge: usize, status: ChallengeStatus },
}

impl Disputes {
    /// All challenges, by number.
    pub fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }

    /// All games, by number.
    pub fn games(&self) -> &[Game] {
        &self.games
    }

    /// The challenge with this number.
    pub fn challenge(&self, index: u64) -> Option<&Challenge> {
        self.challenges.get(usize::try_from(index).ok()?)
    }

    /// The game with this number.
    pub fn game(&self, index: u64) -> Option<&Game> {
        self.games.get(usize::try_from(index).ok()?)
    }

    /// The games of a challenge, by number.
    pub fn games_of(&self, challenge: u64) -> impl Iterator<Item = &Game> {
        let indexes = usize::try_from(challenge).ok().and_then(|at| self.games_of.get(at));
        indexes.into_iter().flatten().map(|at| &self.games[*at])
    }

    /// Number of undecided challenges of an output.
    pub fn open_challenges(&self, output: u64) -> usize {
        let is_open = |challenge: &&Challenge| {
            challenge.output == output && challenge.status == ChallengeStatus::Open
        };
        self.challenges.iter().filter(is_open).count()
    }

    /// Whether a challenge can still be played: it is undecided, and no other challenge has
    /// rejected its output.
    pub fn is_playable(&self, challenge: &Challenge, outputs: &[ProposedOutput]) -> bool {
        let output = usize::try_from(challenge.output).ok().and_then(|at| outputs.get(at));
        challenge.status == ChallengeStatus::Open
            && output.is_some_and(|output| output.status == OutputStatus::Challenged)
    }

    /// Number of records, as [`Self::truncate`] takes it.
    pub(crate) const fn records(&self) -> usize {
        self.rewind_steps.len()
    }

    /// Numbers of the games that are not over.
    pub(crate) fn open_games(&self) -> Vec<u64> {
        let open = self.games.iter().filter(|game| game.status.to_move().is_some());
        open.map(|game| game.index).collect()
    }

    /// Rewinds to the first `records` records.
    pub(crate) fn truncate(&mut self, records: usize) {
        let kept = records.min(self.rewind_steps.len());
        for step in self.rewind_steps.split_off(kept).into_iter().rev() {
            self.rewind(step);
        }
    }

    /// Applies a record. If it fails, nothing changes.
    pub(crate) fn take(&mut self, record: DisputeRecord) -> Result<(), L1Error> {
        let step = self.apply(record)?;
        self.rewind_steps.push(step);
        Ok(())
    }

    fn apply(&mut self, record: DisputeRecord) -> Result<RewindStep, L1Error> {
        Ok(match record {
            DisputeRecord::Challenged(challenge) => {
                check_next("challenge", challenge.index, self.challenges.len())?;
                self.challenges.push(challenge);
                self.games_of.push(Vec::new());
                RewindStep::Challenge
            }
            DisputeRecord::GameOpened { game: index, challenge, defender } => {
                check_next("game", index, self.games.len())?;
                let at = self.challenge_at(challenge)?;
                self.games_of[at].push(self.games.len());
                self.games.push(Game {
                    index,
                    challenge,
                    defender,
                    moves: Vec::new(),
                    status: GameStatus::ToMove(Side::Defender),
                    challenger_clock: 0,
                    defender_clock: 0,
                    end: None,
                    ended: None,
                });
                RewindStep::Game
            }
            DisputeRecord::Moved { game, status, clocks, made } => {
                let at = self.game_at(game)?;
                let game = &mut self.games[at];
                game.moves.push(made);
                let clocks = game.set_clocks(clocks);
                RewindStep::Move {
                    game: at,
                    status: std::mem::replace(&mut game.status, status),
                    clocks,
                }
            }
            DisputeRecord::Decided { game, end } => {
                let at = self.game_at(game)?;
                RewindStep::End { game: at, end: self.games[at].end.replace(end) }
            }
            DisputeRecord::GameEnded { game, status, ended } => {
                let at = self.game_at(game)?;
                let game = &mut self.games[at];
                game.ended = Some(ended);
                RewindStep::GameStatus {
                    game: at,
                    status: std::mem::replace(&mut game.status, status),
                }
            }
            DisputeRecord::ChallengeEnded { challenge, status, ended } => {
                let at = self.challenge_at(challenge)?;
                let challenge = &mut self.challenges[at];
                challenge.ended = Some(ended);
                let status = std::mem::replace(&mut challenge.status, status);
                RewindStep::ChallengeStatus { challenge: at, status }
            }
        })
    }

    fn rewind(&mut self, step: RewindStep) {
        match step {
            RewindStep::Challenge => {
                self.challenges.pop();
                self.games_of.pop();
            }
            RewindStep::Game => {
                let game = self.games.pop().expect("invariant: the game was opened");
                let at =
                    usize::try_from(game.challenge).expect("invariant: the challenge was found");
                self.games_of[at].pop();
            }
            RewindStep::Move { game, status, clocks } => {
                let game = &mut self.games[game];
                game.moves.pop();
                game.set_clocks(clocks);
                game.status = status;
            }
            RewindStep::End { game, end } => self.games[game].end = end,
            RewindStep::GameStatus { game, status } => {
                let game = &mut self.games[game];
                (game.status, game.ended) = (status, None);
            }
            RewindStep::ChallengeStatus { challenge, status } => {
                let challenge = &mut self.challenges[challenge];
                (challenge.status, challenge.ended) = (status, None);
            }
        }
    }

    fn challenge_at(&self, index: u64) -> Result<usize, L1Error> {
        let at = usize::try_from(index).ok().filter(|at| *at < self.challenges.len());
        at.ok_or_else(|| L1Error::NotYet(format!("challenge {index} was not served")))
    }

    fn game_at(&self, index: u64) -> Result<usize, L1Error> {
        let at = usize::try_from(index).ok().filter(|at| *at < self.games.len());
        at.ok_or_else(|| L1Error::NotYet(format!("game {index} was not served")))
    }
}
