//! What a challenger does on L1: duties become orders.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, U256};
use tokio::task::block_in_place;
use tracing::warn;
use turnpike_l1::{
    Bisection, Call, Dispute, DisputedOutput, L1Client, L1Error, Move, PreimageOracle, Rollup,
};

use crate::{
    Due, Duty, Event, Scene, Verifier,
    challenger::Challenger,
    game::{Play, StepProof, Truth, Unsure, answer, open},
    sender::{Order, Outcome, Purpose, Sender},
};

/// How long moves may be thought over before L1 is looked at again.
const THOUGHT_MAX: Duration = Duration::from_secs(2);

/// Runs that one move may need: of the block that is in question, and no other.
const RUNS_MAX: usize = 2;

impl Challenger {
    /// Sees to what is in flight, and does what is due, the most urgent first.
    pub(crate) async fn act(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        let (Some(head), Some(read)) = (self.view.head(), self.view.last_read()) else {
            return Ok(());
        };
        let Some(sender) = &mut self.sender else { return Ok(()) };
        sender.look(&head, read).await?;
        for withdrawn in sender.take_withdrawn() {
            report(withdrawn);
        }
        let own = sender.address();
        let dues = self.duties(own, head.time);
        self.measure(own, &dues, head.time);
        let wanted = dues.iter().flat_map(|due| self.purposes(due.duty)).collect::<BTreeSet<_>>();
        if let Some(sender) = &mut self.sender {
            sender.keep_up(&wanted).await?;
        }
        let started = Instant::now();
        for due in &dues {
            self.fulfil(due).await?;
            if started.elapsed() > THOUGHT_MAX {
                break;
            }
        }
        if !self.once {
            self.withdraw().await?;
            self.propose().await?;
        }
        self.say_funds(own, report);
        Ok(())
    }

    fn duties(&self, own: Address, l1_time: u64) -> Vec<Due> {
        let outputs = self.view.outputs();
        let is_right = |index: u64| self.judgement(index) == Some(true);
        let (mut challenge, mut defend) = (BTreeSet::new(), BTreeSet::new());
        for output in outputs.iter().skip(1).filter(|output| is_right(output.parent)) {
            match self.judgement(output.index) {
                Some(true) => drop(defend.insert(output.index)),
                Some(false) => drop(challenge.insert(output.index)),
                None => {}
            }
        }
        let (config, disputes) = (&self.config, self.view.disputes());
        let (challenge, defend) = (&challenge, &defend);
        let scene = Scene { own, l1_time, config, outputs, disputes, challenge, defend };
        let mut duties = scene.duties();
        duties.retain(|due| !self.once || matches!(due.duty, Duty::Challenge { .. }));
        duties
    }

    fn judgement(&self, output: u64) -> Option<bool> {
        self.judged.get(usize::try_from(output).ok()?).copied()
    }

    fn measure(&self, own: Address, dues: &[Due], l1_time: u64) {
        let disputes = self.view.disputes();
        let outputs = self.view.outputs();
        let playable = |challenge| disputes.is_playable(challenge, outputs);
        let challenges = disputes.challenges().iter().filter(|it| playable(it));
        let open = challenges.filter(|it| it.challenger == own).count();
        let games = disputes.games().iter().filter(|game| {
            let challenge = disputes.challenge(game.challenge);
            let ours = |challenger| challenger == own || game.defender == own;
            game.status.to_move().is_some()
                && challenge.is_some_and(|it| playable(it) && ours(it.challenger))
        });
        let least = dues.iter().map(|due| due.deadline).filter(|deadline| *deadline < u64::MAX);
        let slack = least.min().map_or(f64::INFINITY, |by| by.saturating_sub(l1_time) as f64);
        self.metrics.challenges_open.set(open as f64);
        self.metrics.games_open.set(games.count() as f64);
        self.metrics.duties.set(dues.len() as f64);
        self.metrics.slack.set(slack);
        self.metrics.unpaid.set(self.sender.as_ref().map_or(0, Sender::unpaid) as f64);
    }

    /// What transactions may serve a duty.
    fn purposes(&self, duty: Duty) -> Vec<Purpose> {
        let disputes = self.view.disputes();
        let purpose = match duty {
            Duty::Challenge { output } => {
                let claim = usize::try_from(output).ok().and_then(|at| self.view.outputs().get(at));
                claim.map(|it| Purpose::Challenge { output, claim: it.claim })
            }
            Duty::Defend { challenge } => disputes
                .challenge(challenge)
                .map(|it| Purpose::Defend { challenge, opening: it.opening.hash }),
            Duty::Move { game } => {
                let answered = self.newest_move(game).map(|made| made.hash);
                let purposes = answered.map(|answered| {
                    vec![Purpose::Move { game, answered }, Purpose::Load { game, answered }]
                });
                return purposes.unwrap_or_default();
            }
            Duty::TimeOut { game } => Some(Purpose::TimeOut { game }),
            Duty::Resolve { challenge } => Some(Purpose::Resolve { challenge }),
            Duty::ReturnBond { game } => Some(Purpose::ReturnBond { game }),
        };
        purpose.into_iter().collect()
    }

    fn newest_move(&self, game: u64) -> Option<&Move> {
        let disputes = self.view.disputes();
        let game = disputes.game(game)?;
        Some(game.newest(disputes.challenge(game.challenge)?))
    }

    /// Sends what a duty takes, unless it is on its way.
    async fn fulfil(&mut self, due: &Due) -> anyhow::Result<()> {
        let purposes = self.purposes(due.duty);
        let Some(sender) = &self.sender else { return Ok(()) };
        let Some(purpose) = purposes.first().cloned() else { return Ok(()) };
        if purposes.iter().any(|purpose| sender.is_busy(purpose)) {
            return Ok(());
        }
        match self.call_for(due.duty).await? {
            Ok(Some((is_load, call))) => {
                let purpose = if is_load { purposes.last().cloned() } else { Some(purpose) };
                let Some(purpose) = purpose else { return Ok(()) };
                self.send(Order { purpose, call, deadline: due.deadline }).await?;
            }
            Ok(None) => self.doubt(purpose, "there is nothing wrong with it"),
            Err(unsure) => self.doubt(purpose, &unsure.to_string()),
        }
        Ok(())
    }

    /// Nothing is done on what is not certain: it is looked at again on the next block.
    fn doubt(&mut self, purpose: Purpose, reason: &str) {
        if self.unsure.insert(purpose.clone()) {
            warn!(?purpose, reason, "not certain enough to act");
        }
        if let Some(sender) = &mut self.sender {
            sender.put_off(purpose);
        }
    }

    pub(crate) async fn send(&mut self, order: Order) -> anyhow::Result<Option<Outcome>> {
        let Some(sender) = &mut self.sender else { return Ok(None) };
        Ok(Some(sender.send(order).await?))
    }

    /// The call that a duty takes, and whether it only loads what another reads. `None` if there is nothing to be said.
    async fn call_for(
        &mut self,
        duty: Duty,
    ) -> anyhow::Result<Result<Option<(bool, Call)>, Unsure>> {
        let calls = self.calls;
        let call = match duty {
            Duty::TimeOut { game } => calls.time_out(game),
            Duty::Resolve { challenge } => calls.resolve(challenge),
            Duty::ReturnBond { game } => calls.return_bond(game),
            Duty::Challenge { output } => {
                let Some(output) = self.disputed(output) else { return Ok(Ok(None)) };
                let opening = block_in_place(|| {
                    open(&mut Truth::new(&self.verifier, &mut self.traces), &output)
                });
                return Ok(opening.map(|opening| {
                    opening.map(|opening| (false, calls.challenge(&output, &opening)))
                }));
            }
            Duty::Defend { challenge } => {
                let Some(defended) = self.view.disputes().challenge(challenge).cloned() else {
                    return Ok(Ok(None));
                };
                let opening = defended.opening.bisection;
                let play = match self.think(defended.output, &opening).await? {
                    Ok(play) => play,
                    Err(unsure) => return Ok(Err(unsure)),
                };
                let Some(Play::Answer(answer)) = play else { return Ok(Ok(None)) };
                calls.defend(challenge, &opening, &answer)
            }
            Duty::Move { game } => return self.next_move(game).await,
        };
        Ok(Ok(Some((false, call))))
    }

    async fn next_move(
        &mut self,
        game: u64,
    ) -> anyhow::Result<Result<Option<(bool, Call)>, Unsure>> {
        let disputes = self.view.disputes();
        let challenge = disputes.game(game).and_then(|game| disputes.challenge(game.challenge));
        let made = self.newest_move(game).map(|made| made.bisection.clone());
        let (Some(output), Some(answered)) = (challenge.map(|it| it.output), made) else {
            return Ok(Ok(None));
        };
        let play = match self.think(output, &answered).await? {
            Ok(play) => play,
            Err(unsure) => return Ok(Err(unsure)),
        };
        let calls = self.calls;
        Ok(Ok(match play {
            None => None,
            Some(Play::Answer(answer)) => Some((false, calls.answer(game, &answered, &answer))),
            Some(Play::Prove(proof)) => match calls.load(&proof) {
                Some(load) if !is_loaded(self.view.client(), &proof).await? => Some((true, load)),
                _ => Some((false, calls.prove(game, &answered, &proof))),
            },
        }))
    }

    /// The answer to a bisection. What it takes is prepared first.
    async fn think(
        &mut self,
        output: u64,
        answered: &Bisection,
    ) -> anyhow::Result<Result<Option<Play>, Unsure>> {
        let Some(output) = self.disputed(output) else { return Ok(Ok(None)) };
        for _ in 0..RUNS_MAX {
            let thought = block_in_place(|| {
                answer(&mut Truth::new(&self.verifier, &mut self.traces), &output, answered)
            });
            match thought {
                Err(Unsure::NotPrepared { entry, index }) => {
                    if let Err(unsure) = self.prepare(entry, index).await? {
                        return Ok(Err(unsure));
                    }
                }
                thought => return Ok(thought),
            }
        }
        Ok(Ok(None))
    }

    fn disputed(&self, output: u64) -> Option<DisputedOutput> {
        DisputedOutput::of(self.view.outputs(), output, self.config.entry_blocks_max)
    }

    /// Has the machine run on a block: the verifier goes back to its entry, and on again afterwards.
    async fn prepare(&mut self, entry: u64, index: u64) -> anyhow::Result<Result<(), Unsure>> {
        block_in_place(|| self.verifier.rewind(entry));
        while self.verifier.next_entry() < entry {
            if !self.derive_next().await? {
                return Ok(Err(Unsure::NotDerived(entry)));
            }
        }
        let Some(source) = self.view.source(entry).await? else {
            return Ok(Err(Unsure::NotDerived(entry)));
        };
        let statement = block_in_place(|| {
            self.verifier.statement(self.view.entries(), &source.as_data(), index)
        })?;
        while self.derive_next().await? {}
        Ok(block_in_place(|| Truth::new(&self.verifier, &mut self.traces).prepare(&statement)))
    }

    /// Takes out what was won or returned.
    async fn withdraw(&mut self) -> anyhow::Result<()> {
        let Some(sender) = &mut self.sender else { return Ok(()) };
        let own = sender.address();
        if !sender.is_first_look() {
            return Ok(());
        }
        let client = self.view.client();
        let (dispute, rollup) = (client.deployment().dispute, client.deployment().rollup);
        let won = Dispute::new(dispute, client.provider()).bondCredit(own).call().await;
        let returned = Rollup::new(rollup, client.provider()).bondCredit(own).call().await;
        let credits = [
            (dispute, won.map_err(L1Error::from)?, self.calls.withdraw_from_dispute()),
            (rollup, returned.map_err(L1Error::from)?, self.calls.withdraw_from_rollup()),
        ];
        for (from, credit, call) in credits {
            if credit > U256::ZERO {
                let purpose = Purpose::Withdraw { from };
                self.send(Order { purpose, call, deadline: u64::MAX }).await?;
            }
        }
        Ok(())
    }

    fn say_funds(&mut self, account: Address, report: &mut impl FnMut(Event)) {
        let waiting = self.sender.as_ref().map_or(0, Sender::unpaid);
        if waiting > 0 && !self.is_out_of_funds {
            report(Event::OutOfFunds { account, waiting });
        }
        self.is_out_of_funds = waiting > 0;
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

/// What the chain came to after each entry, by index.
pub(crate) fn derived_outputs(verifier: &Verifier) -> Vec<turnpike_protocol::OutputRoot> {
    let entries = (0..).map_while(|index| verifier.entry(index));
    entries.map(|entry| entry.output).collect()
}
