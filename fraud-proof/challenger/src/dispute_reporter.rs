//! Reports what is new in disputes since the last read of L1.
//!
//! State: what was reported of each challenge and game. A reorg drops what L1 has dropped, so that
//! it is reported again if it comes back.

use alloy_primitives::{Address, B256};
use turnpike_l1::{
    Challenge, ChallengeStatus, DisputedOutput, Disputes, Game, GameEnd, GameStatus, Phase,
    ProposedOutput, Side,
};

use crate::{Event, Verifier, event::DisputedRange, event::GameRef, metrics::ChallengerMetrics};

/// Reports each event of a dispute once, and again after an L1 reorg that dropped it.
#[derive(Debug, Default)]
pub(crate) struct DisputeReporter {
    challenges: Vec<ReportedChallenge>,
    games: Vec<ReportedGame>,
}

#[derive(Debug)]
struct ReportedChallenge {
    opening: B256,
    status: ChallengeStatus,
}

#[derive(Debug)]
struct ReportedGame {
    opening: B256,
    moves: Vec<B256>,
    is_over: bool,
}

/// L1's disputes at one time, and what the reporter needs to describe them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DisputeSnapshot<'a> {
    /// The challenger's account, if it has one.
    pub(crate) own: Option<Address>,
    pub(crate) outputs: &'a [ProposedOutput],
    pub(crate) disputes: &'a Disputes,
    pub(crate) verifier: &'a Verifier,
    pub(crate) blocks_per_entry: u64,
}

impl DisputeReporter {
    /// Reports what is new: challenges, then games, then results of challenges.
    pub(crate) fn report_new(
        &mut self,
        snapshot: &DisputeSnapshot<'_>,
        metrics: &ChallengerMetrics,
        report: &mut impl FnMut(Event),
    ) {
        self.forget_dropped(snapshot);
        for challenge in snapshot.disputes.challenges().iter().skip(self.challenges.len()) {
            report(snapshot.opened(challenge));
            let (opening, status) = (challenge.opening.hash, ChallengeStatus::Open);
            self.challenges.push(ReportedChallenge { opening, status });
        }
        for game in snapshot.disputes.games() {
            let Some(challenge) = snapshot.disputes.challenge(game.challenge) else { continue };
            let name = snapshot.name(challenge, game);
            let at = usize::try_from(game.index).unwrap_or(usize::MAX);
            if at >= self.games.len() {
                let opening = challenge.opening.hash;
                self.games.push(ReportedGame { opening, moves: Vec::new(), is_over: false });
                report(Event::Defended { game: name, defender: game.defender });
            }
            snapshot.report_game(&mut self.games[at], challenge, game, name, metrics, report);
        }
        for (reported, challenge) in self.challenges.iter_mut().zip(snapshot.disputes.challenges())
        {
            if reported.status != challenge.status {
                reported.status = challenge.status;
                snapshot.ended(challenge).map(&mut *report);
            }
        }
    }

    /// Drops what L1 no longer holds.
    fn forget_dropped(&mut self, snapshot: &DisputeSnapshot<'_>) {
        let same = |(reported, challenge): &(&ReportedChallenge, &Challenge)| {
            reported.opening == challenge.opening.hash
                && (reported.status == challenge.status || reported.status == ChallengeStatus::Open)
        };
        let kept =
            self.challenges.iter().zip(snapshot.disputes.challenges()).take_while(same).count();
        self.challenges.truncate(kept);
        let same = |(reported, game): &(&ReportedGame, &Game)| {
            let challenge = snapshot.disputes.challenge(game.challenge);
            let moves = game.moves.iter().map(|made| made.hash);
            challenge.is_some_and(|challenge| challenge.opening.hash == reported.opening)
                && reported.moves.len() <= game.moves.len()
                && moves.take(reported.moves.len()).eq(reported.moves.iter().copied())
                && (!reported.is_over || game.status.to_move().is_none())
        };
        let kept = self.games.iter().zip(snapshot.disputes.games()).take_while(same).count();
        self.games.truncate(kept);
    }
}

impl DisputeSnapshot<'_> {
    fn opened(&self, challenge: &Challenge) -> Event {
        let Challenge { index, output, challenger, .. } = *challenge;
        let l1_transaction = challenge.opening.l1_transaction;
        if Some(challenger) == self.own {
            return Event::Challenged { index: output, challenge: index, l1_transaction };
        }
        Event::ChallengeSeen { index: output, challenge: index, challenger, l1_transaction }
    }

    fn ended(&self, challenge: &Challenge) -> Option<Event> {
        let Challenge { index: number, output: index, challenger, status, .. } = *challenge;
        let own = Some(challenger) == self.own;
        match status {
            ChallengeStatus::Won => Some(Event::OutputRejected { index, challenge: number, own }),
            ChallengeStatus::Failed => Some(Event::OutputUpheld { index, challenge: number, own }),
            ChallengeStatus::Open | ChallengeStatus::Moot => None,
        }
    }

    fn name(&self, challenge: &Challenge, game: &Game) -> GameRef {
        let own = match self.own {
            Some(own) if own == challenge.challenger => Some(Side::Challenger),
            Some(own) if own == game.defender => Some(Side::Defender),
            _ => None,
        };
        GameRef { game: game.index, challenge: challenge.index, output: challenge.output, own }
    }

    fn report_game(
        &self,
        reported: &mut ReportedGame,
        challenge: &Challenge,
        game: &Game,
        name: GameRef,
        metrics: &ChallengerMetrics,
        report: &mut impl FnMut(Event),
    ) {
        let output = DisputedOutput::of(self.outputs, challenge.output, self.blocks_per_entry);
        let Some(output) = output else { return };
        let mut phase = match reported.moves.len().checked_sub(1).and_then(|at| game.moves.get(at))
        {
            Some(made) => made.bisection.phase,
            None => Phase::Blocks,
        };
        for (made, round) in game.moves.iter().zip(2..).skip(reported.moves.len()) {
            let side = if round % 2 == 0 { Side::Defender } else { Side::Challenger };
            let range = DisputedRange::of(&made.bisection, &output);
            if made.bisection.phase != phase {
                phase = made.bisection.phase;
                report(self.entered(&output, made.bisection.block, name));
            }
            if name.own == Some(side) {
                metrics.moves.increment(1);
            }
            let l1_transaction = made.l1_transaction;
            report(Event::Moved { game: name, side, round, range, l1_transaction });
            reported.moves.push(made.hash);
        }
        if reported.is_over || game.status.to_move().is_some() {
            return;
        }
        reported.is_over = true;
        let GameStatus::Won(winner) = game.status else { return };
        match game.end {
            Some(GameEnd::StepProven { claimed, state }) => {
                report(Event::StepProven { game: name, claimed, state });
            }
            Some(GameEnd::TimedOut) => {
                report(Event::TimedOut { game: name, side: winner.other() });
            }
            None => {}
        }
        report(Event::GameEnded { game: name, winner });
    }

    fn entered(&self, output: &DisputedOutput, position: u64, game: GameRef) -> Event {
        let (entry, block_in_entry) = output.block_at(position);
        let last_before = entry.checked_sub(1).and_then(|before| self.verifier.entry(before));
        let last = self.verifier.entry(entry).map(|derived| derived.last_block);
        let block = last_before.map(|derived| derived.last_block + 1 + block_in_entry);
        let l2_block = block.filter(|block| last.is_some_and(|last| *block <= last));
        Event::MachineEntered { game, entry, block_in_entry, l2_block }
    }
}
