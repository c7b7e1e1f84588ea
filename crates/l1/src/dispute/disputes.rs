use super::{Challenge, ChallengeStatus, Game, GameEnd, GameStatus, Side, record::DisputeRecord};
use crate::{L1Error, OutputStatus, ProposedOutput, records::in_place};

/// All challenges and games, and how they came about.
#[derive(Clone, Debug, Default)]
pub struct Disputes {
    challenges: Vec<Challenge>,
    games: Vec<Game>,
    /// Places of each challenge's games.
    games_of: Vec<Vec<usize>>,
    /// What takes back each record that was taken in.
    undos: Vec<Undo>,
}

/// What takes back a record.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Challenge,
    Game,
    Move { game: usize, status: GameStatus, clocks: [u64; 2] },
    End { game: usize, end: Option<GameEnd> },
    GameStatus { game: usize, status: GameStatus },
    ChallengeStatus { challenge: usize, status: ChallengeStatus },
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

    /// The games of a challenge, by number.
    pub fn games_of(&self, challenge: u64) -> impl Iterator<Item = &Game> {
        let places = usize::try_from(challenge).ok().and_then(|at| self.games_of.get(at));
        places.into_iter().flatten().map(|at| &self.games[*at])
    }

    /// How many challenges of an output are not decided.
    pub fn open_challenges(&self, output: u64) -> usize {
        let is_open = |challenge: &&Challenge| {
            challenge.output == output && challenge.status == ChallengeStatus::Open
        };
        self.challenges.iter().filter(is_open).count()
    }

    /// Whether a challenge can still be played: it is not decided, nor its output rejected by another.
    pub fn is_playable(&self, challenge: &Challenge, outputs: &[ProposedOutput]) -> bool {
        let output = usize::try_from(challenge.output).ok().and_then(|at| outputs.get(at));
        challenge.status == ChallengeStatus::Open
            && output.is_some_and(|output| output.status == OutputStatus::Challenged)
    }

    /// How much was recorded: what [`Self::truncate`] goes back to.
    pub(crate) const fn records(&self) -> usize {
        self.undos.len()
    }

    /// Forgets what was recorded after so many records. It costs as much as that is.
    pub(crate) fn truncate(&mut self, records: usize) {
        let kept = records.min(self.undos.len());
        for undo in self.undos.split_off(kept).into_iter().rev() {
            self.undo(undo);
        }
    }

    /// Takes in a record. After an error nothing is changed.
    pub(crate) fn take(&mut self, record: DisputeRecord) -> Result<(), L1Error> {
        let undo = self.apply(record)?;
        self.undos.push(undo);
        Ok(())
    }

    fn apply(&mut self, record: DisputeRecord) -> Result<Undo, L1Error> {
        Ok(match record {
            DisputeRecord::Challenged(challenge) => {
                in_place("challenge", challenge.index, self.challenges.len())?;
                self.challenges.push(challenge);
                self.games_of.push(Vec::new());
                Undo::Challenge
            }
            DisputeRecord::GameOpened { game: index, challenge, defender } => {
                in_place("game", index, self.games.len())?;
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
                Undo::Game
            }
            DisputeRecord::Moved { game, status, clocks, made } => {
                let at = self.game_at(game)?;
                let game = &mut self.games[at];
                game.moves.push(made);
                let clocks = game.set_clocks(clocks);
                Undo::Move { game: at, status: std::mem::replace(&mut game.status, status), clocks }
            }
            DisputeRecord::Decided { game, end } => {
                let at = self.game_at(game)?;
                Undo::End { game: at, end: self.games[at].end.replace(end) }
            }
            DisputeRecord::GameEnded { game, status, ended } => {
                let at = self.game_at(game)?;
                let game = &mut self.games[at];
                game.ended = Some(ended);
                Undo::GameStatus { game: at, status: std::mem::replace(&mut game.status, status) }
            }
            DisputeRecord::ChallengeEnded { challenge, status, ended } => {
                let at = self.challenge_at(challenge)?;
                let challenge = &mut self.challenges[at];
                challenge.ended = Some(ended);
                let status = std::mem::replace(&mut challenge.status, status);
                Undo::ChallengeStatus { challenge: at, status }
            }
        })
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Challenge => {
                self.challenges.pop();
                self.games_of.pop();
            }
            Undo::Game => {
                let game = self.games.pop().expect("invariant: it was opened");
                let at = usize::try_from(game.challenge).expect("invariant: it was found");
                self.games_of[at].pop();
            }
            Undo::Move { game, status, clocks } => {
                let game = &mut self.games[game];
                game.moves.pop();
                game.set_clocks(clocks);
                game.status = status;
            }
            Undo::End { game, end } => self.games[game].end = end,
            Undo::GameStatus { game, status } => {
                let game = &mut self.games[game];
                (game.status, game.ended) = (status, None);
            }
            Undo::ChallengeStatus { challenge, status } => {
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
