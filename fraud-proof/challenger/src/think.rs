//! What a challenger says in games: duties become calls, and what that takes is prepared.

use std::time::Instant;

use alloy_primitives::{B256, U256};
use tokio::task::block_in_place;
use tracing::warn;
use turnpike_game::{
    Action, ClaimError, NextMove, StepProof, next_move, opening,
    prove::{BlockPosition, ProveError, Statement},
};
use turnpike_l1::{Bisection, Call, DisputedOutput, L1Client, L1Error, PreimageOracle};

use crate::{HonestClaims, act::THOUGHT_MAX, challenger::Challenger};

/// Runs that one move may need: of the block that is in question, and no other.
const RUNS_MAX: usize = 2;

/// What is to be done about a duty.
#[derive(Debug)]
pub(crate) enum Decision {
    /// This call does it.
    Send(Call),
    /// This call is needed first: it loads what a proof reads.
    Load(Call),
    /// There is nothing to be said.
    Nothing,
}

impl Challenger {
    /// The call that a duty takes. Fails with [`ClaimError`] if it is not certain what is true.
    pub(crate) async fn decide(&mut self, duty: Action) -> anyhow::Result<Decision> {
        let calls = self.calls;
        let call = match duty {
            Action::TimeOut { game } => calls.time_out(game),
            Action::Resolve { challenge } => calls.resolve(challenge),
            Action::ReturnBond { game } => calls.return_bond(game),
            Action::Challenge { output } => {
                let Some(disputed) = self.disputed(output) else { return Ok(Decision::Nothing) };
                let opening = self.think(output, |truth| opening(truth, &disputed)).await?;
                let Some(opening) = opening else { return Ok(Decision::Nothing) };
                calls.challenge(&disputed, &opening)
            }
            Action::Defend { challenge } => {
                let Some(defended) = self.view.disputes().challenge(challenge).cloned() else {
                    return Ok(Decision::Nothing);
                };
                let opening = defended.opening.bisection;
                let Some(NextMove::Bisect(answer)) = self.answer(defended.output, &opening).await?
                else {
                    return Ok(Decision::Nothing);
                };
                calls.defend(challenge, &opening, &answer)
            }
            Action::Move { game } => return self.next_move(game).await,
        };
        Ok(Decision::Send(call))
    }

    async fn next_move(&mut self, game: u64) -> anyhow::Result<Decision> {
        let disputes = self.view.disputes();
        let challenge = disputes.game(game).and_then(|game| disputes.challenge(game.challenge));
        let made = self.newest_move(game).map(|made| made.bisection.clone());
        let (Some(output), Some(answered)) = (challenge.map(|it| it.output), made) else {
            return Ok(Decision::Nothing);
        };
        let play = self.answer(output, &answered).await?;
        let calls = self.calls;
        Ok(match play {
            None => Decision::Nothing,
            Some(NextMove::Bisect(answer)) => {
                Decision::Send(calls.answer(game, &answered, &answer))
            }
            Some(NextMove::Prove(proof)) => match calls.load(&proof) {
                Some(load) if !is_loaded(self.view.client(), &proof).await? => Decision::Load(load),
                _ => Decision::Send(calls.prove(game, &answered, &proof)),
            },
        })
    }

    async fn answer(
        &mut self,
        output: u64,
        answered: &Bisection,
    ) -> anyhow::Result<Option<NextMove>> {
        let Some(disputed) = self.disputed(output) else { return Ok(None) };
        self.think(output, |truth| next_move(truth, &disputed, answered)).await
    }

    /// What follows from the truth about an output. What it takes is prepared first.
    async fn think<T>(
        &mut self,
        output: u64,
        ask: impl Fn(&mut HonestClaims<'_>) -> Result<Option<T>, ClaimError>,
    ) -> anyhow::Result<Option<T>> {
        self.confirm(output)?;
        for _ in 0..RUNS_MAX {
            let thought =
                block_in_place(|| ask(&mut HonestClaims::new(&self.verifier, &mut self.traces)));
            match thought {
                Err(ClaimError::NotPrepared { entry, index }) => {
                    self.prepare(BlockPosition { entry, index }).await?;
                }
                thought => return Ok(thought?),
            }
        }
        Ok(block_in_place(|| ask(&mut HonestClaims::new(&self.verifier, &mut self.traces)))?)
    }

    fn disputed(&self, output: u64) -> Option<DisputedOutput> {
        DisputedOutput::of(self.view.outputs(), output, self.config.entry_blocks_max)
    }

    /// Nothing is said of an output on the parallel engine's word alone: the oracle derives once more what it rests on.
    fn confirm(&mut self, output: u64) -> Result<(), ClaimError> {
        let outputs = self.view.outputs();
        let Some(output) = usize::try_from(output).ok().and_then(|at| outputs.get(at)) else {
            return Ok(());
        };
        let is_derived = self.verifier.entry(output.entry).is_some();
        if is_derived && block_in_place(|| self.verifier.confirm(output, outputs)) {
            return Ok(());
        }
        Err(ClaimError::NotDerived(output.entry))
    }

    /// Has the machine run on a block: the verifier goes back to its entry, and states what there is to prove when it comes by.
    /// If that takes long, it goes on in the next step.
    async fn prepare(&mut self, position: BlockPosition) -> anyhow::Result<()> {
        let entry = position.entry;
        // One after the other: the verifier has to come by the first one.
        if self.preparing.is_none() {
            // What cannot be had is better known before the verifier has gone back for it.
            self.view.source(entry).await?;
            self.preparing = Some(position);
            block_in_place(|| self.verifier.rewind(entry));
            let started = Instant::now();
            while self.preparing.is_some() && started.elapsed() < THOUGHT_MAX {
                if !self.derive_next().await? {
                    break;
                }
            }
        }
        if self.preparing.is_some() { Err(ClaimError::NotDerived(entry).into()) } else { Ok(()) }
    }

    /// Derives the next entry, if L1 has one. If one of its blocks is to be proven, that is prepared.
    pub(crate) async fn derive_next(&mut self) -> anyhow::Result<bool> {
        let next = self.verifier.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| self.view.entries().get(at));
        let Some(posted) = posted.copied() else { return Ok(false) };
        let Some(source) = self.view.source(next).await? else { return Ok(false) };
        let data = source.as_data();
        let position = self.preparing.filter(|position| position.entry == next);
        block_in_place(|| {
            let statement = position.map(|position| {
                (position, self.verifier.statement(self.view.entries(), &data, position.index))
            });
            self.verifier.feed(&posted, &data)?;
            if let Some((position, statement)) = statement {
                self.preparing = None;
                self.run_on(position, statement);
            }
            Ok(true)
        })
    }

    /// Runs the machine on a block. What comes of it, good or bad, the truth knows from then on.
    fn run_on(&mut self, position: BlockPosition, statement: Result<Statement, ProveError>) {
        let mut truth = HonestClaims::new(&self.verifier, &mut self.traces);
        match statement {
            Ok(statement) => {
                if let Err(unsure) = truth.prepare(&statement) {
                    warn!(entry = position.entry, index = position.index, %unsure, "no run");
                }
            }
            Err(error) => truth.give_up(position, &error),
        }
    }
}

/// Whether L1 holds what a step reads.
async fn is_loaded(client: &L1Client, proof: &StepProof) -> Result<bool, L1Error> {
    let Some((key, offset)) = proof.read else { return Ok(true) };
    let oracle = PreimageOracle::new(client.deployment().preimage_oracle, client.provider());
    let local = PreimageOracle::LocalInputs {
        chainConfig: B256::ZERO,
        outputRoot: B256::ZERO,
        inboxAcc: B256::ZERO,
        blockIndex: 0,
    };
    match oracle.read(key, U256::from(offset), local).call().await {
        Ok(_) => Ok(true),
        Err(alloy::contract::Error::TransportError(error)) if error.as_error_resp().is_some() => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
