//! Which actions a player can take on L1 next: decided from L1's records alone.
//!
//! Inputs are L1's outputs and disputes, and the outputs that the player challenges or defends. The
//! result holds every action that the next L1 block can include, by deadline. No I/O and no state.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use turnpike_l1::{
    Challenge, ChallengeStatus, Disputes, Game, GameEnd, GameStatus, OutputStatus, ProposedOutput,
    Side,
};
use turnpike_protocol::ChainConfig;

/// What a player knows of L1, and which outputs it disputes.
#[derive(Clone, Copy, Debug)]
pub struct PlayerView<'a> {
    /// The player's account.
    pub own: Address,
    /// Timestamp of L1's newest block, in seconds. The next block's is greater.
    pub l1_time: u64,
    /// The chain's parameters.
    pub config: &'a ChainConfig,
    /// All outputs, by index.
    pub outputs: &'a [ProposedOutput],
    /// All challenges and games.
    pub disputes: &'a Disputes,
    /// Indexes of the outputs that the player challenges.
    pub to_challenge: &'a BTreeSet<u64>,
    /// Indexes of the outputs that the player defends.
    pub to_defend: &'a BTreeSet<u64>,
}

/// An action on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Challenge an output.
    Challenge {
        /// Index of the output.
        output: u64,
    },
    /// Defend an output against a challenge.
    Defend {
        /// Number of the challenge.
        challenge: u64,
    },
    /// Answer the other side's newest move.
    Move {
        /// Number of the game.
        game: u64,
    },
    /// End a game in which the other side's clock has run out.
    TimeOut {
        /// Number of the game.
        game: u64,
    },
    /// End the player's own challenge: as won, or to get its bond back.
    Resolve {
        /// Number of the challenge.
        challenge: u64,
    },
    /// Get back the bond of a game whose challenge or output was decided by another game.
    ReturnBond {
        /// Number of the game.
        game: u64,
    },
}

/// An action and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScheduledAction {
    /// Timestamp, in seconds, of the last L1 block that may include the action; [`u64::MAX`] if
    /// there is no deadline.
    pub deadline: u64,
    /// The action.
    pub action: Action,
}

impl ScheduledAction {
    const fn by(deadline: u64, action: Action) -> Self {
        Self { deadline, action }
    }

    const fn without_deadline(action: Action) -> Self {
        Self { deadline: u64::MAX, action }
    }
}

impl PlayerView<'_> {
    /// Every action that the next L1 block can include, the earliest deadline first.
    pub fn actions(&self) -> Vec<ScheduledAction> {
        let challenges = self.disputes.challenges();
        let mut actions =
            self.to_challenge.iter().filter_map(|it| self.challenge(*it)).collect::<Vec<_>>();
        actions.extend(challenges.iter().filter_map(|it| self.defend(it)));
        actions.extend(challenges.iter().filter_map(|it| self.resolve(it)));
        actions.extend(self.disputes.games().iter().filter_map(|it| self.play(it)));
        actions.retain(|scheduled| self.l1_time < scheduled.deadline);
        actions.sort_unstable();
        actions
    }

    fn challenge(&self, index: u64) -> Option<ScheduledAction> {
        let output = self.outputs.get(usize::try_from(index).ok()?)?;
        let is_open = matches!(output.status, OutputStatus::Proposed | OutputStatus::Challenged);
        // Another account's challenge does not count: its challenger may lose on purpose.
        let mut own = self.disputes.challenges().iter().filter(|it| self.is_ours(it, index));
        if !is_open || own.any(|it| !self.ran_out_of_time(it)) {
            return None;
        }
        let ends_at = output.proposed_at.saturating_add(self.config.challenge_window);
        Some(ScheduledAction::by(ends_at.saturating_sub(1), Action::Challenge { output: index }))
    }

    fn is_ours(&self, challenge: &Challenge, output: u64) -> bool {
        challenge.challenger == self.own && challenge.output == output
    }

    /// Whether a challenge was lost by the clock alone, which leaves open whether the output is
    /// right.
    fn ran_out_of_time(&self, challenge: &Challenge) -> bool {
        let mut games = self.disputes.games_of(challenge.index);
        challenge.status == ChallengeStatus::Failed
            && games.any(|game| {
                game.status == GameStatus::Won(Side::Defender)
                    && game.end == Some(GameEnd::TimedOut)
            })
    }

    fn defend(&self, challenge: &Challenge) -> Option<ScheduledAction> {
        let Challenge { index, output, challenger, started_at, .. } = *challenge;
        let mut games = self.disputes.games_of(index);
        let can_defend = self.to_defend.contains(&output)
            && challenger != self.own
            && self.disputes.is_playable(challenge, self.outputs)
            && games.all(|game| game.defender != self.own);
        let ends_at = started_at.saturating_add(self.config.game_clock);
        can_defend.then_some(ScheduledAction::by(ends_at, Action::Defend { challenge: index }))
    }

    fn resolve(&self, challenge: &Challenge) -> Option<ScheduledAction> {
        let Challenge { index, challenger, started_at, status, .. } = *challenge;
        if challenger != self.own || status != ChallengeStatus::Open {
            return None;
        }
        let ends_at = started_at.saturating_add(self.config.game_clock);
        let mut games = self.disputes.games_of(index);
        let is_won = self.l1_time > ends_at && games.all(|game| game.status.to_move().is_none());
        let is_moot = !self.disputes.is_playable(challenge, self.outputs);
        (is_won || is_moot)
            .then_some(ScheduledAction::without_deadline(Action::Resolve { challenge: index }))
    }

    /// The player's action in a game of its own.
    fn play(&self, game: &Game) -> Option<ScheduledAction> {
        let challenge = self.disputes.challenge(game.challenge)?;
        let to_move = game.status.to_move()?;
        let index = game.index;
        if !self.disputes.is_playable(challenge, self.outputs) {
            let is_ours = game.defender == self.own;
            return is_ours
                .then_some(ScheduledAction::without_deadline(Action::ReturnBond { game: index }));
        }
        let (mover, waiting) = match to_move {
            Side::Challenger => (challenge.challenger, game.defender),
            Side::Defender => (game.defender, challenge.challenger),
        };
        let ends_at = game.ends_at()?;
        if mover == self.own {
            return Some(ScheduledAction::by(ends_at, Action::Move { game: index }));
        }
        let is_over = waiting == self.own && self.l1_time > ends_at;
        is_over.then_some(ScheduledAction::without_deadline(Action::TimeOut { game: index }))
    }
}
