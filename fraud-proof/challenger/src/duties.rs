//! What a player has to do: pure.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use turnpike_l1::{
    Challenge, ChallengeStatus, Disputes, Game, GameEnd, GameStatus, OutputStatus, ProposedOutput,
    Side,
};
use turnpike_protocol::ChainConfig;

/// What a player sees.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The player's account.
    pub own: Address,
    /// Timestamp of L1's newest block, in seconds. The next one is later.
    pub l1_time: u64,
    /// The chain's parameters.
    pub config: &'a ChainConfig,
    /// All outputs, by index.
    pub outputs: &'a [ProposedOutput],
    /// All challenges and games.
    pub disputes: &'a Disputes,
    /// Indexes of the outputs that are to be challenged.
    pub challenge: &'a BTreeSet<u64>,
    /// Indexes of the outputs that are to be defended.
    pub defend: &'a BTreeSet<u64>,
}

/// Something to be done on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// To challenge an output.
    Challenge {
        /// Its index.
        output: u64,
    },
    /// To defend an output against a challenge.
    Defend {
        /// Number of the challenge.
        challenge: u64,
    },
    /// To answer the other side's newest move.
    Move {
        /// Number of the game.
        game: u64,
    },
    /// To end a game in which the other side's clock has run out.
    TimeOut {
        /// Number of the game.
        game: u64,
    },
    /// To end a challenge of our own: as won, or to have its bond back.
    Resolve {
        /// Number of the challenge.
        challenge: u64,
    },
    /// To have the bond back of a game that was decided elsewhere.
    ReturnBond {
        /// Number of the game.
        game: u64,
    },
}

/// A duty, and until when it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Timestamp, in seconds, of the last L1 block that may hold it; [`u64::MAX`] if it can wait for ever.
    pub deadline: u64,
    /// What is to be done.
    pub duty: Duty,
}

impl Due {
    const fn by(deadline: u64, duty: Duty) -> Self {
        Self { deadline, duty }
    }

    /// What can wait for ever.
    const fn whenever(duty: Duty) -> Self {
        Self { deadline: u64::MAX, duty }
    }
}

impl Scene<'_> {
    /// All that can be done in the next L1 block, the most urgent first.
    pub fn duties(&self) -> Vec<Due> {
        let challenges = self.disputes.challenges();
        let mut duties = self.challenge.iter().filter_map(|it| self.open(*it)).collect::<Vec<_>>();
        duties.extend(challenges.iter().filter_map(|it| self.defend(it)));
        duties.extend(challenges.iter().filter_map(|it| self.resolve(it)));
        duties.extend(self.disputes.games().iter().filter_map(|it| self.play(it)));
        // What is too late cannot be done.
        duties.retain(|due| self.l1_time < due.deadline);
        duties.sort_unstable();
        duties
    }

    fn open(&self, index: u64) -> Option<Due> {
        let output = self.outputs.get(usize::try_from(index).ok()?)?;
        let is_open = matches!(output.status, OutputStatus::Proposed | OutputStatus::Challenged);
        // A challenge of another's says nothing: its challenger may lose on purpose.
        let mut own = self.disputes.challenges().iter().filter(|it| self.is_ours(it, index));
        if !is_open || own.any(|it| !self.ran_out_of_time(it)) {
            return None;
        }
        let ends_at = output.proposed_at.saturating_add(self.config.challenge_window);
        Some(Due::by(ends_at.saturating_sub(1), Duty::Challenge { output: index }))
    }

    fn is_ours(&self, challenge: &Challenge, output: u64) -> bool {
        challenge.challenger == self.own && challenge.output == output
    }

    /// Whether a challenge was lost by the clock alone, which says nothing of the output.
    fn ran_out_of_time(&self, challenge: &Challenge) -> bool {
        let mut games = self.disputes.games_of(challenge.index);
        challenge.status == ChallengeStatus::Failed
            && games.any(|game| {
                game.status == GameStatus::Won(Side::Defender)
                    && game.end == Some(GameEnd::TimedOut)
            })
    }

    fn defend(&self, challenge: &Challenge) -> Option<Due> {
        let Challenge { index, output, challenger, started_at, .. } = *challenge;
        let mut games = self.disputes.games_of(index);
        let is_due = self.defend.contains(&output)
            && challenger != self.own
            && self.disputes.is_playable(challenge, self.outputs)
            && games.all(|game| game.defender != self.own);
        let ends_at = started_at.saturating_add(self.config.game_clock);
        is_due.then_some(Due::by(ends_at, Duty::Defend { challenge: index }))
    }

    fn resolve(&self, challenge: &Challenge) -> Option<Due> {
        let Challenge { index, challenger, started_at, status, .. } = *challenge;
        if challenger != self.own || status != ChallengeStatus::Open {
            return None;
        }
        let ends_at = started_at.saturating_add(self.config.game_clock);
        let mut games = self.disputes.games_of(index);
        let is_won = self.l1_time > ends_at && games.all(|game| game.status.to_move().is_none());
        let is_moot = !self.disputes.is_playable(challenge, self.outputs);
        (is_won || is_moot).then_some(Due::whenever(Duty::Resolve { challenge: index }))
    }

    /// What is to be done in a game of our own.
    fn play(&self, game: &Game) -> Option<Due> {
        let challenge = self.disputes.challenge(game.challenge)?;
        let to_move = game.status.to_move()?;
        let index = game.index;
        if !self.disputes.is_playable(challenge, self.outputs) {
            let is_ours = game.defender == self.own;
            return is_ours.then_some(Due::whenever(Duty::ReturnBond { game: index }));
        }
        let (mover, waiting) = match to_move {
            Side::Challenger => (challenge.challenger, game.defender),
            Side::Defender => (game.defender, challenge.challenger),
        };
        let ends_at = game.ends_at()?;
        if mover == self.own {
            return Some(Due::by(ends_at, Duty::Move { game: index }));
        }
        let is_over = waiting == self.own && self.l1_time > ends_at;
        is_over.then_some(Due::whenever(Duty::TimeOut { game: index }))
    }
}
