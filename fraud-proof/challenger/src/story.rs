use alloy_primitives::{Address, B256};
use turnpike_l1::{
    Challenge, ChallengeStatus, DisputedOutput, Disputes, Game, GameEnd, GameStatus, Phase,
    ProposedOutput, Side,
};

use crate::{Event, Verifier, event::GameName, event::Stretch, metrics::ChallengerMetrics};

/// What has been told of disputes: each thing is told once, and again after a reorg that it did not survive.
#[derive(Debug, Default)]
pub(crate) struct Story {
    challenges: Vec<ToldChallenge>,
    games: Vec<ToldGame>,
}

#[derive(Debug)]
struct ToldChallenge {
    opening: B256,
    status: ChallengeStatus,
}

#[derive(Debug)]
struct ToldGame {
    opening: B256,
    moves: Vec<B256>,
    is_over: bool,
}

/// What the story is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage<'a> {
    /// Our account, if we have one.
    pub(crate) own: Option<Address>,
    pub(crate) outputs: &'a [ProposedOutput],
    pub(crate) disputes: &'a Disputes,
    pub(crate) verifier: &'a Verifier,
    pub(crate) blocks_per_entry: u64,
}

impl Story {
    /// Tells what is new: first of challenges, then of games, then how challenges ended.
    pub(crate) fn tell(
        &mut self,
        stage: &Stage<'_>,
        metrics: &ChallengerMetrics,
        report: &mut impl FnMut(Event),
    ) {
        self.forget_dropped(stage);
        for challenge in stage.disputes.challenges().iter().skip(self.challenges.len()) {
            report(stage.opened(challenge));
            let (opening, status) = (challenge.opening.hash, ChallengeStatus::Open);
            self.challenges.push(ToldChallenge { opening, status });
        }
        for game in stage.disputes.games() {
            let Some(challenge) = stage.disputes.challenge(game.challenge) else { continue };
            let name = stage.name(challenge, game);
            let at = usize::try_from(game.index).unwrap_or(usize::MAX);
            if at >= self.games.len() {
                let opening = challenge.opening.hash;
                self.games.push(ToldGame { opening, moves: Vec::new(), is_over: false });
                report(Event::Defended { game: name, defender: game.defender });
            }
            stage.tell_game(&mut self.games[at], challenge, game, name, metrics, report);
        }
        for (told, challenge) in self.challenges.iter_mut().zip(stage.disputes.challenges()) {
            if told.status != challenge.status {
                told.status = challenge.status;
                stage.ended(challenge).map(&mut *report);
            }
        }
    }

    /// Forgets what L1 does not hold any more.
    fn forget_dropped(&mut self, stage: &Stage<'_>) {
        let same = |(told, challenge): &(&ToldChallenge, &Challenge)| {
            told.opening == challenge.opening.hash
                && (told.status == challenge.status || told.status == ChallengeStatus::Open)
        };
        let kept = self.challenges.iter().zip(stage.disputes.challenges()).take_while(same).count();
        self.challenges.truncate(kept);
        let same = |(told, game): &(&ToldGame, &Game)| {
            let challenge = stage.disputes.challenge(game.challenge);
            let moves = game.moves.iter().map(|made| made.hash);
            challenge.is_some_and(|challenge| challenge.opening.hash == told.opening)
                && told.moves.len() <= game.moves.len()
                && moves.take(told.moves.len()).eq(told.moves.iter().copied())
                && (!told.is_over || game.status.to_move().is_none())
        };
        let kept = self.games.iter().zip(stage.disputes.games()).take_while(same).count();
        self.games.truncate(kept);
    }
}

impl Stage<'_> {
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

    fn name(&self, challenge: &Challenge, game: &Game) -> GameName {
        let own = match self.own {
            Some(own) if own == challenge.challenger => Some(Side::Challenger),
            Some(own) if own == game.defender => Some(Side::Defender),
            _ => None,
        };
        GameName { game: game.index, challenge: challenge.index, output: challenge.output, own }
    }

    fn tell_game(
        &self,
        told: &mut ToldGame,
        challenge: &Challenge,
        game: &Game,
        name: GameName,
        metrics: &ChallengerMetrics,
        report: &mut impl FnMut(Event),
    ) {
        let output = DisputedOutput::of(self.outputs, challenge.output, self.blocks_per_entry);
        let Some(output) = output else { return };
        let mut phase = match told.moves.len().checked_sub(1).and_then(|at| game.moves.get(at)) {
            Some(made) => made.bisection.phase,
            None => Phase::Blocks,
        };
        for (made, round) in game.moves.iter().zip(2..).skip(told.moves.len()) {
            let side = if round % 2 == 0 { Side::Defender } else { Side::Challenger };
            let stretch = Stretch::of(&made.bisection, &output);
            if made.bisection.phase != phase {
                phase = made.bisection.phase;
                report(self.entered(&output, made.bisection.block, name));
            }
            if name.own == Some(side) {
                metrics.moves.increment(1);
            }
            let l1_transaction = made.l1_transaction;
            report(Event::Moved { game: name, side, round, stretch, l1_transaction });
            told.moves.push(made.hash);
        }
        if told.is_over || game.status.to_move().is_some() {
            return;
        }
        told.is_over = true;
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

    fn entered(&self, output: &DisputedOutput, position: u64, game: GameName) -> Event {
        let (entry, block_in_entry) = output.block_at(position);
        let last_before = entry.checked_sub(1).and_then(|before| self.verifier.entry(before));
        let last = self.verifier.entry(entry).map(|derived| derived.last_block);
        let block = last_before.map(|derived| derived.last_block + 1 + block_in_entry);
        let l2_block = block.filter(|block| last.is_some_and(|last| *block <= last));
        Event::MachineEntered { game, entry, block_in_entry, l2_block }
    }
}
