//! What a challenger does on L1: duties become orders.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use alloy::rpc::types::TransactionReceipt;
use alloy_primitives::{Address, U256};
use tracing::warn;
use turnpike_game::{Action, ClaimError, PlayerView, ScheduledAction};
use turnpike_l1::{Dispute, L1Error, Move, Rollup};
use turnpike_tx_manager::{SendOutcome, TxCandidate, TxEvent};

use crate::{
    Event, Verifier, challenger::Challenger, outbox::ChallengerTxManager, purpose::Purpose,
    think::Decision,
};

/// How long moves may be thought over, or entries derived, before L1 is looked at again.
pub(crate) const THOUGHT_MAX: Duration = Duration::from_secs(2);

/// Whose duties count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Outputs that are judged.
    Judged,
    /// Those that are not as well, as if they were both right and wrong.
    All,
}

impl Challenger {
    /// Sees to what is in flight, and does what is due, the most urgent first. What fails does not keep the rest waiting.
    pub(crate) async fn act(
        &mut self,
        is_derived: bool,
        report: &mut impl FnMut(Event),
    ) -> anyhow::Result<()> {
        let (Some(head), Some(read)) = (self.view.head(), self.view.last_read()) else {
            return Ok(());
        };
        let Some(sender) = &mut self.sender else { return Ok(()) };
        let observed = sender.observe(&head, read).await;
        self.tell_sent(report);
        observed?;
        let Some(sender) = &self.sender else { return Ok(()) };
        let own = sender.address();
        let dues = self.duties(own, head.time, Reach::Judged);
        self.measure(own, &dues, head.time);
        if self.sender.as_ref().is_some_and(ChallengerTxManager::is_maintenance_due) {
            // What was sent about an output by the last run of this challenger is not taken back before that output is
            // judged.
            let possible = self.duties(own, head.time, Reach::All);
            let wanted = possible.iter().flat_map(|due| self.purposes(due.action)).collect();
            if let Some(sender) = &mut self.sender {
                sender.maintain(&wanted).await?;
            }
        }
        let (started, reached) = (Instant::now(), self.verifier.next_entry());
        let mut result = Ok(());
        for due in &dues {
            let fulfilled = self.fulfil(due).await;
            if let Err(error) = &fulfilled {
                warn!(action = ?due.action, error = format!("{error:#}"), "cannot be done now");
            }
            result = result.and(fulfilled);
            if started.elapsed() > THOUGHT_MAX {
                break;
            }
        }
        if !self.once {
            result = result.and(self.withdraw().await);
            // A chain that is being derived again is not proposed.
            if is_derived && self.verifier.next_entry() == reached {
                result = result.and(self.propose().await);
            }
        }
        self.say_funds(own, report);
        result
    }

    fn duties(&self, own: Address, l1_time: u64, reach: Reach) -> Vec<ScheduledAction> {
        let outputs = self.view.outputs();
        let (mut challenge, mut defend) = (BTreeSet::new(), BTreeSet::new());
        for output in outputs.iter().skip(1) {
            let (parent, index) = (self.judgement(output.parent), output.index);
            match self.judgement(index) {
                Some(true) if parent == Some(true) => drop(defend.insert(index)),
                Some(false) if parent == Some(true) => drop(challenge.insert(index)),
                None if parent != Some(false) && reach == Reach::All => {
                    defend.insert(index);
                    challenge.insert(index);
                }
                _ => {}
            }
        }
        let (config, disputes) = (&self.config, self.view.disputes());
        let (to_challenge, to_defend) = (&challenge, &defend);
        let view = PlayerView { own, l1_time, config, outputs, disputes, to_challenge, to_defend };
        let mut actions = view.actions();
        actions.retain(|it| !self.once || matches!(it.action, Action::Challenge { .. }));
        actions
    }

    fn judgement(&self, output: u64) -> Option<bool> {
        self.judged.get(usize::try_from(output).ok()?).copied()
    }

    fn measure(&self, own: Address, dues: &[ScheduledAction], l1_time: u64) {
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
        self.metrics
            .unpaid
            .set(self.sender.as_ref().map_or(0, ChallengerTxManager::unfunded) as f64);
    }

    /// What transactions may serve a duty.
    fn purposes(&self, duty: Action) -> Vec<Purpose> {
        let disputes = self.view.disputes();
        let purpose = match duty {
            Action::Challenge { output } => {
                let claim = usize::try_from(output).ok().and_then(|at| self.view.outputs().get(at));
                claim.map(|it| Purpose::Challenge { output, claim: it.claim })
            }
            Action::Defend { challenge } => disputes
                .challenge(challenge)
                .map(|it| Purpose::Defend { challenge, opening: it.opening.hash }),
            Action::Move { game } => {
                let answered = self.newest_move(game).map(|made| made.hash);
                let purposes = answered.map(|answered| {
                    vec![Purpose::Move { game, answered }, Purpose::Load { game, answered }]
                });
                return purposes.unwrap_or_default();
            }
            Action::TimeOut { game } => Some(Purpose::TimeOut { game }),
            Action::Resolve { challenge } => Some(Purpose::Resolve { challenge }),
            Action::ReturnBond { game } => Some(Purpose::ReturnBond { game }),
        };
        purpose.into_iter().collect()
    }

    pub(crate) fn newest_move(&self, game: u64) -> Option<&Move> {
        let disputes = self.view.disputes();
        let game = disputes.game(game)?;
        Some(game.newest(disputes.challenge(game.challenge)?))
    }

    /// Sends what a duty takes, unless it is on its way.
    async fn fulfil(&mut self, due: &ScheduledAction) -> anyhow::Result<()> {
        let purposes = self.purposes(due.action);
        let Some(sender) = &self.sender else { return Ok(()) };
        let Some(purpose) = purposes.first().cloned() else { return Ok(()) };
        if purposes.iter().any(|purpose| sender.is_busy(purpose)) {
            return Ok(());
        }
        let (purpose, call) = match self.decide(due.action).await {
            Ok(Decision::Send(call)) => (purpose, call),
            Ok(Decision::Load(call)) => (purposes.last().cloned().unwrap_or(purpose), call),
            Ok(Decision::Nothing) => {
                self.doubt(purpose, "there is nothing wrong with it");
                return Ok(());
            }
            Err(error) => {
                match error.downcast::<ClaimError>()? {
                    // It will be, and is no news.
                    ClaimError::NotDerived(_) => {}
                    unsure => self.doubt(purpose, &unsure.to_string()),
                }
                return Ok(());
            }
        };
        self.send(TxCandidate::call(purpose, call).by(due.deadline)).await?;
        Ok(())
    }

    /// Nothing is done on what is not certain: it is looked at again on the next block.
    fn doubt(&mut self, purpose: Purpose, reason: &str) {
        if self.unsure.insert(purpose.clone()) {
            warn!(?purpose, reason, "not certain enough to act");
        }
        if let Some(sender) = &mut self.sender {
            sender.defer(purpose);
        }
    }

    pub(crate) async fn send(
        &mut self,
        candidate: TxCandidate<Purpose>,
    ) -> anyhow::Result<Option<SendOutcome>> {
        let Some(sender) = &mut self.sender else { return Ok(None) };
        Ok(Some(sender.send(candidate).await?))
    }

    /// Turns the tx manager's events into metrics and events.
    fn tell_sent(&mut self, report: &mut impl FnMut(Event)) {
        let Some(sender) = &mut self.sender else { return };
        for event in sender.take_events() {
            match event {
                TxEvent::Signed { is_replacement, .. } => self.metrics.sent(is_replacement),
                TxEvent::Included { receipt, .. } => {
                    let gas_used = u128::from(receipt.gas_used);
                    let cost = gas_used.saturating_mul(receipt.effective_gas_price);
                    self.metrics.included(cost, receipt.status());
                    if receipt.status() {
                        withdrawals(&receipt, sender.address()).into_iter().for_each(&mut *report);
                    }
                }
            }
        }
        let l1 = sender.observation();
        self.metrics.account(l1.balance, l1.prices.base_fee, sender.in_flight());
    }

    /// Takes out what was won or returned.
    async fn withdraw(&mut self) -> anyhow::Result<()> {
        let Some(sender) = &mut self.sender else { return Ok(()) };
        let own = sender.address();
        if !sender.is_new_block() {
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
                self.send(TxCandidate::call(purpose, call)).await?;
            }
        }
        Ok(())
    }

    fn say_funds(&mut self, account: Address, report: &mut impl FnMut(Event)) {
        let waiting = self.sender.as_ref().map_or(0, ChallengerTxManager::unfunded);
        if waiting > 0 && !self.is_out_of_funds {
            report(Event::OutOfFunds { account, waiting });
        }
        self.is_out_of_funds = waiting > 0;
    }
}

/// Bonds that a transaction has withdrawn.
fn withdrawals(receipt: &TransactionReceipt, account: Address) -> Vec<Event> {
    let logs = receipt.inner.logs().iter();
    logs.filter_map(|log| {
        let event = log.log_decode::<Dispute::BondWithdrawn>().ok()?;
        let (from, l1_transaction) = (log.address(), receipt.transaction_hash);
        let Dispute::BondWithdrawn { account: owner, amount } = event.inner.data;
        (owner == account).then_some(Event::BondWithdrawn { from, wei: amount, l1_transaction })
    })
    .collect()
}

/// What the chain came to after each entry, by index.
pub(crate) fn derived_outputs(verifier: &Verifier) -> Vec<turnpike_protocol::OutputRoot> {
    let entries = (0..).map_while(|index| verifier.entry(index));
    entries.map(|entry| entry.output).collect()
}
