//! How all challenges and games stand, from what L1 has recorded alone.

use std::fmt;

use alloy_primitives::Address;
use serde::Serialize;
use turnpike_l1::{
    Challenge, ChallengeStatus, DisputedOutput, Disputes, Game, GameEnd, GameStatus,
    ProposedOutput, Side,
};
use turnpike_protocol::ChainConfig;

use super::words::{self, Range};

/// What L1 has recorded, and when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records<'a> {
    pub(super) config: &'a ChainConfig,
    pub(super) outputs: &'a [ProposedOutput],
    pub(super) disputes: &'a Disputes,
    /// L1 time of the newest block, in seconds.
    pub(super) now: u64,
}

/// How a challenge stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChallengeRow {
    pub(super) challenge: u64,
    pub(super) output: u64,
    /// Entry after which the output claims to hold.
    pub(super) entry: u64,
    /// L2 block after which it does.
    pub(super) block: u64,
    pub(super) challenger: Address,
    pub(super) status: ChallengeStatus,
    #[serde(flatten)]
    pub(super) next: Next,
    pub(super) games: Vec<GameRow>,
}

/// What a challenge waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "waitsFor")]
pub(super) enum Next {
    /// Anyone may defend the output for so long.
    Defenders { seconds_left: u64 },
    /// Games are not decided.
    Games,
    /// It can be resolved: it is won, or its output was rejected for another.
    Resolution,
    /// It is decided.
    Nothing,
}

/// How a game stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GameRow {
    pub(super) game: u64,
    pub(super) challenge: u64,
    pub(super) defender: Address,
    #[serde(flatten)]
    pub(super) status: GameStatus,
    #[serde(flatten)]
    pub(super) end: Option<GameEnd>,
    /// Who has to move.
    pub(super) mover: Option<Address>,
    /// How long they can.
    pub(super) seconds_left: Option<u64>,
    /// Bisections so far, the challenge's opening included.
    pub(super) rounds: usize,
    /// What the newest of them is about.
    pub(super) range: Range,
}

impl<'a> Records<'a> {
    /// The output that a challenge is about.
    pub(super) fn output_of(&self, challenge: &Challenge) -> DisputedOutput {
        let blocks_max = self.config.entry_blocks_max;
        DisputedOutput::of(self.outputs, challenge.output, blocks_max)
            .expect("invariant: L1 has the outputs that it lets be challenged, and their parents")
    }

    pub(super) fn challenge(&self, number: u64) -> anyhow::Result<&'a Challenge> {
        let found = self.disputes.challenge(number);
        found.ok_or_else(|| unknown("challenge", number, self.disputes.challenges().len()))
    }

    pub(super) fn game(&self, number: u64) -> anyhow::Result<&'a Game> {
        let found = self.disputes.game(number);
        found.ok_or_else(|| unknown("game", number, self.disputes.games().len()))
    }

    /// The challenge of a game.
    pub(super) fn challenge_of(&self, game: &Game) -> &'a Challenge {
        let found = self.disputes.challenge(game.challenge);
        found.expect("invariant: L1 opens games of challenges that it has")
    }

    /// All challenges with their games.
    pub(super) fn rows(&self) -> Vec<ChallengeRow> {
        self.disputes.challenges().iter().map(|challenge| self.row(challenge)).collect()
    }

    /// A challenge with its games.
    pub(super) fn row(&self, challenge: &Challenge) -> ChallengeRow {
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
    pub(super) fn next(&self, challenge: &Challenge) -> Next {
        if challenge.status != ChallengeStatus::Open {
            return Next::Nothing;
        }
        if !self.disputes.is_playable(challenge, self.outputs) {
            return Next::Resolution;
        }
        let ends_at = challenge.started_at.saturating_add(self.config.game_clock);
        if let Some(seconds_left) = (ends_at + 1).checked_sub(self.now).filter(|left| *left > 0) {
            return Next::Defenders { seconds_left };
        }
        let is_open = |game: &Game| game.status.to_move().is_some();
        if self.disputes.games_of(challenge.index).any(is_open) {
            Next::Games
        } else {
            Next::Resolution
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
            range: Range::new(output, &game.newest(challenge).bisection),
        }
    }
}

fn unknown(what: &str, number: u64, count: usize) -> anyhow::Error {
    match count.checked_sub(1) {
        None => anyhow::anyhow!("there is no {what} {number}: L1 has none yet"),
        Some(newest) => anyhow::anyhow!("there is no {what} {number}: the newest is {newest}"),
    }
}

impl fmt::Display for ChallengeRow {
    /// A line, and one for each game.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { challenge, output, entry, block, challenger, status, .. } = self;
        write!(f, "challenge {challenge}: output {output} (entry {entry}, L2 block {block}) ")?;
        write!(f, "by {challenger}, {}", words::challenge_status(*status))?;
        match self.next {
            Next::Defenders { seconds_left } => {
                write!(f, ", can be defended for another {seconds_left} s")?;
            }
            Next::Games => write!(f, ", waits for its games")?,
            Next::Resolution => write!(f, ", can be resolved")?,
            Next::Nothing => {}
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
