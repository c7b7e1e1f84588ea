//! The status of challenges and games, from L1's records alone.

use std::fmt;

use alloy_primitives::Address;
use serde::Serialize;
use turnpike_l1::{
    Challenge, ChallengeStatus, DisputedOutput, Disputes, Game, GameEnd, GameStatus,
    ProposedOutput, Side,
};
use turnpike_protocol::ChainConfig;

use super::words::{self, ClaimRange};

/// L1's records of outputs and disputes at one time.
#[derive(Clone, Copy, Debug)]
pub struct DisputeRecords<'a> {
    /// The chain's parameters.
    pub config: &'a ChainConfig,
    /// All outputs, by index.
    pub outputs: &'a [ProposedOutput],
    /// All challenges and games.
    pub disputes: &'a Disputes,
    /// L1 time of the newest block, in seconds.
    pub now: u64,
}

/// A challenge's status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeRow {
    /// Number of the challenge.
    pub challenge: u64,
    /// Index of the output.
    pub output: u64,
    /// The output's inbox entry.
    pub entry: u64,
    /// The output's L2 block.
    pub block: u64,
    /// The challenger's account.
    pub challenger: Address,
    /// Whether it is decided, and how.
    pub status: ChallengeStatus,
    /// What it waits for.
    #[serde(flatten)]
    pub next: ChallengeWait,
    /// Its games.
    pub games: Vec<GameRow>,
}

/// What a challenge waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "waitsFor")]
pub enum ChallengeWait {
    /// Anyone may still defend the output.
    Defenders {
        /// Seconds until the time to defend ends.
        seconds_left: u64,
    },
    /// Some of its games are open.
    Games,
    /// It can be resolved: it is won, or another challenge has rejected its output.
    Resolution,
    /// It is decided.
    Nothing,
}

/// A game's status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GameRow {
    /// Number of the game.
    pub game: u64,
    /// Number of its challenge.
    pub challenge: u64,
    /// The defender's account.
    pub defender: Address,
    /// Which side moves, or the winner.
    #[serde(flatten)]
    pub status: GameStatus,
    /// How it ended.
    #[serde(flatten)]
    pub end: Option<GameEnd>,
    /// Account of the side to move.
    pub mover: Option<Address>,
    /// Seconds that the side to move has left.
    pub seconds_left: Option<u64>,
    /// Number of bisections, the challenge's opening included.
    pub rounds: usize,
    /// Range of the newest bisection.
    pub range: ClaimRange,
}

/// L1 has no challenge or game with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownRecord {
    /// `challenge` or `game`.
    record: &'static str,
    number: u64,
    /// How many L1 has.
    count: usize,
}

impl<'a> DisputeRecords<'a> {
    /// The output of a challenge.
    pub fn output_of(&self, challenge: &Challenge) -> DisputedOutput {
        let blocks_max = self.config.blocks_per_entry_max();
        DisputedOutput::of(self.outputs, challenge.output, blocks_max)
            .expect("invariant: L1 has the outputs that it lets be challenged, and their parents")
    }

    /// The challenge with this number.
    pub fn challenge(&self, number: u64) -> Result<&'a Challenge, UnknownRecord> {
        let found = self.disputes.challenge(number);
        let count = self.disputes.challenges().len();
        found.ok_or(UnknownRecord { record: "challenge", number, count })
    }

    /// The game with this number.
    pub fn game(&self, number: u64) -> Result<&'a Game, UnknownRecord> {
        let found = self.disputes.game(number);
        let count = self.disputes.games().len();
        found.ok_or(UnknownRecord { record: "game", number, count })
    }

    /// The challenge of a game.
    pub fn challenge_of(&self, game: &Game) -> &'a Challenge {
        let found = self.disputes.challenge(game.challenge);
        found.expect("invariant: L1 opens games of challenges that it has")
    }

    /// All challenges with their games.
    pub fn rows(&self) -> Vec<ChallengeRow> {
        self.disputes.challenges().iter().map(|challenge| self.row(challenge)).collect()
    }

    /// A challenge with its games.
    pub fn row(&self, challenge: &Challenge) -> ChallengeRow {
        let output = self.output_of(challenge);
        let games = self.disputes.games_of(challenge.index);
        let proposed = usize::try_from(challenge.output).ok().and_then(|at| self.outputs.get(at));
        ChallengeRow {
            challenge: challenge.index,
            output: challenge.output,
            entry: output.entry,
            block: proposed.map_or(0, |output| output.l2_block),
            challenger: challenge.challenger,
            status: challenge.status,
            next: self.next(challenge),
            games: games.map(|game| self.game_row(game, challenge, &output)).collect(),
        }
    }

    /// What a challenge waits for.
    pub fn next(&self, challenge: &Challenge) -> ChallengeWait {
        if challenge.status != ChallengeStatus::Open {
            return ChallengeWait::Nothing;
        }
        if !self.disputes.is_playable(challenge, self.outputs) {
            return ChallengeWait::Resolution;
        }
        let ends_at = challenge.started_at.saturating_add(self.config.game_clock);
        if let Some(seconds_left) = (ends_at + 1).checked_sub(self.now).filter(|left| *left > 0) {
            return ChallengeWait::Defenders { seconds_left };
        }
        let is_open = |game: &Game| game.status.to_move().is_some();
        if self.disputes.games_of(challenge.index).any(is_open) {
            ChallengeWait::Games
        } else {
            ChallengeWait::Resolution
        }
    }

    fn game_row(&self, game: &Game, challenge: &Challenge, output: &DisputedOutput) -> GameRow {
        let mover = game.status.to_move().map(|side| match side {
            Side::Challenger => challenge.challenger,
            Side::Defender => game.defender,
        });
        GameRow {
            game: game.index,
            challenge: game.challenge,
            defender: game.defender,
            status: game.status,
            end: game.end,
            mover,
            seconds_left: game.ends_at().map(|ends_at| ends_at.saturating_sub(self.now)),
            rounds: 1 + game.moves.len(),
            range: ClaimRange::new(output, &game.newest(challenge).bisection),
        }
    }
}

impl fmt::Display for UnknownRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, number, count } = self;
        write!(f, "there is no {record} {number}: ")?;
        match count.checked_sub(1) {
            None => write!(f, "L1 has none yet"),
            Some(newest) => write!(f, "the newest is {newest}"),
        }
    }
}

impl fmt::Display for ChallengeRow {
    /// A line, and one for each game.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { challenge, output, entry, block, challenger, status, .. } = self;
        write!(f, "challenge {challenge}: output {output} (entry {entry}, L2 block {block}) ")?;
        write!(f, "by {challenger}, {}", words::challenge_status(*status))?;
        match self.next {
            ChallengeWait::Defenders { seconds_left } => {
                write!(f, ", can be defended for another {seconds_left} s")?;
            }
            ChallengeWait::Games => write!(f, ", waits for its games")?,
            ChallengeWait::Resolution => write!(f, ", can be resolved")?,
            ChallengeWait::Nothing => {}
        }
        for game in &self.games {
            write!(f, "\n  {game}")?;
        }
        Ok(())
    }
}

impl fmt::Display for GameRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { game, defender, rounds, range, .. } = self;
        write!(f, "game {game}: defended by {defender}, ")?;
        write!(f, "round {rounds}: {}; {}", range.text, words::game_status(self.status))?;
        if let Some(seconds) = self.seconds_left {
            write!(f, ", {}", words::left(seconds))?;
        }
        match &self.end {
            Some(end) => write!(f, " ({})", words::game_end(end)),
            None => Ok(()),
        }
    }
}
