//! The challenger's account on L1: turns actions into transactions and hands them to the tx
//! manager.
//!
//! # State
//!
//! The tx manager with its outbox, and the purposes that were logged as uncertain.
//!
//! # Recovery
//!
//! The outbox holds every transaction in flight. Before an output is judged again after a restart,
//! what an earlier run sent about it stays wanted, whether it challenged or defended.
//!
//! # Limits
//!
//! Deciding on moves pauses after [`TURN_TIME_MAX`] for the next read of L1. The most urgent
//! actions come first, and an action that fails does not keep the others waiting.

use std::{collections::BTreeSet, time::Instant};

use alloy::{rpc::types::TransactionReceipt, signers::local::PrivateKeySigner};
use alloy_primitives::{Address, U256};
use tracing::{info, warn};
use turnpike_game::{Action, Calls, ClaimError, PlayerView, ScheduledAction};
use turnpike_l1::{Challenge, Dispute, L1Client, L1Error, Rollup};
use turnpike_storage::Database;
use turnpike_tx_manager::{AccountClient, FeePolicy, SendOutcome, TxCandidate, TxEvent, TxManager};

use crate::{
    Event, ProposeConfig,
    chain::{HonestChain, TURN_TIME_MAX},
    decision::{Decision, decide},
    judgements::Judgements,
    metrics::ChallengerMetrics,
    outbox::{ChallengerTxManager, Outbox},
    propose::next_proposal,
    purpose::Purpose,
};

/// Gas of an account's moves in a game, at most.
const GAME_GAS: u64 = 1_500_000;

/// Gas of a step proof with the load that it may need, at most. Few steps are as dear, so an
/// account's games share it.
const PROOF_GAS: u64 = 14_600_000;

/// How far L1's base fee may rise while games are played, as a factor.
const PRICE_MARGIN: u128 = 2;

/// Which outputs count for actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JudgementScope {
    /// Judged outputs.
    Judged,
    /// Unjudged outputs too, as if they were both right and wrong.
    All,
}

/// How a player plays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlayerConfig {
    pub(crate) calls: Calls,
    pub(crate) fees: FeePolicy,
    pub(crate) propose: Option<ProposeConfig>,
    /// Whether to challenge only, and leave games alone.
    pub(crate) challenges_only: bool,
}

/// Plays with one account.
#[derive(Debug)]
pub(crate) struct Player {
    tx_manager: ChallengerTxManager,
    calls: Calls,
    metrics: ChallengerMetrics,
    propose: Option<ProposeConfig>,
    /// Whether to challenge only, and leave games alone.
    challenges_only: bool,
    /// Purposes that were logged as uncertain.
    uncertain: BTreeSet<Purpose>,
    is_out_of_funds: bool,
}

impl Player {
    /// Opens the outbox in `database`. Without a database, a new run does not know what an earlier
    /// one has in flight.
    pub(crate) async fn open(
        client: &L1Client,
        key: PrivateKeySigner,
        database: Option<Database>,
        config: PlayerConfig,
        metrics: ChallengerMetrics,
    ) -> anyhow::Result<Self> {
        let PlayerConfig { calls, fees, propose, challenges_only } = config;
        let account = AccountClient::new(client, key);
        info!(account = %account.address(), "challenger is up");
        let outbox = database.map(Outbox::new);
        Ok(Self {
            tx_manager: TxManager::open(account, outbox, fees.into()).await?,
            calls,
            metrics,
            propose,
            challenges_only,
            uncertain: BTreeSet::new(),
            is_out_of_funds: false,
        })
    }

    /// The account.
    pub(crate) const fn address(&self) -> Address {
        self.tx_manager.address()
    }

    /// Whether no transaction is in flight.
    pub(crate) fn is_settled(&self) -> bool {
        self.tx_manager.is_settled()
    }

    /// Follows an L1 reorg after `block`.
    pub(crate) fn rewind(&mut self, block: u64) {
        self.tx_manager.rewind(block);
    }

    /// Maintains transactions in flight and sends what is due. Proposes only if the chain is
    /// derived.
    pub(crate) async fn act(
        &mut self,
        chain: &mut HonestChain,
        judgements: &Judgements,
        is_derived: bool,
        report: &mut impl FnMut(Event),
    ) -> anyhow::Result<()> {
        let (Some(head), Some(read)) = (chain.view().head(), chain.view().last_read()) else {
            return Ok(());
        };
        let observed = self.tx_manager.observe(&head, read).await;
        self.report_transactions(report);
        observed?;
        let actions = self.actions(chain, judgements, head.time, JudgementScope::Judged);
        let games = self.open_games(chain);
        self.measure(chain, &actions, games, head.time);
        if self.tx_manager.is_maintenance_due() {
            let possible = self.actions(chain, judgements, head.time, JudgementScope::All);
            let wanted = possible.iter().flat_map(|it| purposes(chain, it.action)).collect();
            self.tx_manager.maintain(&wanted).await?;
        }
        chain.runs().begin_round(head.time);
        let started = Instant::now();
        let mut result = Ok(());
        for scheduled in &actions {
            let taken = self.take(chain, scheduled, games).await;
            if let Err(error) = &taken {
                let error = format!("{error:#}");
                warn!(action = ?scheduled.action, error, "action failed, retrying later");
            }
            result = result.and(taken);
            if started.elapsed() > TURN_TIME_MAX {
                break;
            }
        }
        if !self.challenges_only {
            result = result.and(self.withdraw(chain.view().client()).await);
            // Confirming an output may rewind the verifier.
            if is_derived
                && chain.is_derived()
                && let Some(candidate) = self.proposal(chain, head.time)
            {
                result = result.and(self.propose(candidate).await);
            }
        }
        self.report_funds(report);
        result
    }

    /// Actions in order of their deadlines.
    fn actions(
        &self,
        chain: &HonestChain,
        judgements: &Judgements,
        l1_time: u64,
        scope: JudgementScope,
    ) -> Vec<ScheduledAction> {
        let (outputs, disputes) = (chain.view().outputs(), chain.view().disputes());
        let (mut to_challenge, mut to_defend) = (BTreeSet::new(), BTreeSet::new());
        for output in outputs.iter().skip(1) {
            let (parent, index) = (judgements.is_right(output.parent), output.index);
            match judgements.is_right(index) {
                Some(true) if parent == Some(true) => drop(to_defend.insert(index)),
                Some(false) if parent == Some(true) => drop(to_challenge.insert(index)),
                None if parent != Some(false) && scope == JudgementScope::All => {
                    to_defend.insert(index);
                    to_challenge.insert(index);
                }
                _ => {}
            }
        }
        let (own, config) = (self.address(), chain.config());
        let (to_challenge, to_defend) = (&to_challenge, &to_defend);
        let view = PlayerView { own, l1_time, config, outputs, disputes, to_challenge, to_defend };
        let mut actions = view.actions();
        let is_challenge = |action| matches!(action, Action::Challenge { .. });
        actions.retain(|it| !self.challenges_only || is_challenge(it.action));
        actions
    }

    /// Sends the transaction that an action takes, unless it is in flight. An action that opens a
    /// game, and stakes a bond in it, has to leave enough ether to play that one and `games` others.
    async fn take(
        &mut self,
        chain: &mut HonestChain,
        scheduled: &ScheduledAction,
        games: usize,
    ) -> anyhow::Result<()> {
        let purposes = purposes(chain, scheduled.action);
        let Some(purpose) = purposes.first().cloned() else { return Ok(()) };
        if purposes.iter().any(|purpose| self.tx_manager.is_busy(purpose)) {
            return Ok(());
        }
        let (purpose, call) = match decide(chain, &self.calls, scheduled).await {
            Ok(Decision::Send(call)) => (purpose, call),
            Ok(Decision::Load(call)) => (purposes.last().cloned().unwrap_or(purpose), call),
            Ok(Decision::Nothing) => {
                self.defer_uncertain(purpose, "every claim is right");
                return Ok(());
            }
            Err(error) => {
                match error.downcast::<ClaimError>()? {
                    // The entry will be derived and the run will end: not worth a log line.
                    ClaimError::NotDerived(_) | ClaimError::Running { .. } => {}
                    error => self.defer_uncertain(purpose, &error.to_string()),
                }
                return Ok(());
            }
        };
        let opens_game =
            matches!(scheduled.action, Action::Challenge { .. } | Action::Defend { .. });
        let reserve = if opens_game { self.reserve(games + 1) } else { U256::ZERO };
        let candidate = TxCandidate::call(purpose, call).by(scheduled.deadline).leaving(reserve);
        self.tx_manager.send(candidate).await?;
        Ok(())
    }

    /// Wei that playing this many games takes.
    fn reserve(&self, games: usize) -> U256 {
        let gas = U256::from(GAME_GAS) * U256::from(games) + U256::from(PROOF_GAS);
        gas * U256::from(self.tx_manager.observation().prices.base_fee * PRICE_MARGIN)
    }

    /// Leaves an uncertain action until the next L1 block.
    fn defer_uncertain(&mut self, purpose: Purpose, reason: &str) {
        if self.uncertain.insert(purpose.clone()) {
            warn!(?purpose, reason, "not certain enough to act");
        }
        self.tx_manager.defer(purpose);
    }

    /// Withdraws credit from both contracts, once per L1 block.
    async fn withdraw(&mut self, client: &L1Client) -> anyhow::Result<()> {
        if !self.tx_manager.is_new_block() {
            return Ok(());
        }
        let own = self.address();
        let (dispute, rollup) = (client.deployment().dispute, client.deployment().rollup);
        let won = Dispute::new(dispute, client.provider()).bondCredit(own).call().await;
        let returned = Rollup::new(rollup, client.provider()).bondCredit(own).call().await;
        let credits = [
            (dispute, won.map_err(L1Error::from)?, self.calls.withdraw_from_dispute()),
            (rollup, returned.map_err(L1Error::from)?, self.calls.withdraw_from_rollup()),
        ];
        for (from, credit, call) in credits {
            if credit > U256::ZERO {
                self.tx_manager.send(TxCandidate::call(Purpose::Withdraw { from }, call)).await?;
            }
        }
        Ok(())
    }

    /// The next transaction that finalizes, voids or proposes an output. `None` while one is in
    /// flight.
    fn proposal(&self, chain: &HonestChain, l1_time: u64) -> Option<TxCandidate<Purpose>> {
        let config = self.propose?;
        if self.tx_manager.is_any_busy(Purpose::is_proposing) {
            return None;
        }
        next_proposal(chain, &self.calls, config, self.address(), l1_time)
    }

    async fn propose(&mut self, candidate: TxCandidate<Purpose>) -> anyhow::Result<()> {
        let purpose = candidate.purpose.clone();
        if let SendOutcome::Sent(l1_transaction) = self.tx_manager.send(candidate).await? {
            info!(?purpose, %l1_transaction, "proposing");
        }
        Ok(())
    }

    /// Turns the tx manager's events into metrics and events.
    fn report_transactions(&mut self, report: &mut impl FnMut(Event)) {
        for event in self.tx_manager.take_events() {
            match event {
                TxEvent::Signed { is_replacement, .. } => self.metrics.sent(is_replacement),
                TxEvent::Included { receipt, .. } => {
                    let gas_used = u128::from(receipt.gas_used);
                    let cost = gas_used.saturating_mul(receipt.effective_gas_price);
                    self.metrics.included(cost, receipt.status());
                    if receipt.status() {
                        withdrawals(&receipt, self.address()).into_iter().for_each(&mut *report);
                    }
                }
                TxEvent::Rebroadcast | TxEvent::Refused => {}
            }
        }
        let l1 = self.tx_manager.observation();
        self.metrics.account(l1.balance, l1.prices.base_fee, self.tx_manager.in_flight());
    }

    /// Reports once when the account cannot pay for its transactions.
    fn report_funds(&mut self, report: &mut impl FnMut(Event)) {
        let waiting = self.tx_manager.unfunded();
        if waiting > 0 && !self.is_out_of_funds {
            report(Event::OutOfFunds { account: self.address(), waiting });
        }
        self.is_out_of_funds = waiting > 0;
    }

    /// Number of own games that are not decided.
    fn open_games(&self, chain: &HonestChain) -> usize {
        let own = self.address();
        let (outputs, disputes) = (chain.view().outputs(), chain.view().disputes());
        let games = disputes.games().iter().filter(|game| {
            let challenge = disputes.challenge(game.challenge);
            let is_own = |challenger| challenger == own || game.defender == own;
            let is_played = |it| disputes.is_playable(it, outputs) && is_own(it.challenger);
            game.status.to_move().is_some() && challenge.is_some_and(is_played)
        });
        games.count()
    }

    fn measure(
        &self,
        chain: &HonestChain,
        actions: &[ScheduledAction],
        games: usize,
        l1_time: u64,
    ) {
        let own = self.address();
        let (outputs, disputes) = (chain.view().outputs(), chain.view().disputes());
        let is_open = |it: &&Challenge| it.challenger == own && disputes.is_playable(it, outputs);
        let open = disputes.challenges().iter().filter(is_open).count();
        let deadlines = actions.iter().map(|it| it.deadline).filter(|it| *it < u64::MAX);
        let slack = deadlines.min().map_or(f64::INFINITY, |by| by.saturating_sub(l1_time) as f64);
        self.metrics.challenges_open.set(open as f64);
        self.metrics.games_open.set(games as f64);
        self.metrics.actions.set(actions.len() as f64);
        self.metrics.slack.set(slack);
        self.metrics.unpaid.set(self.tx_manager.unfunded() as f64);
    }
}

/// The purposes of the transactions that an action may take. A load comes last.
fn purposes(chain: &HonestChain, action: Action) -> Vec<Purpose> {
    let view = chain.view();
    let purpose = match action {
        Action::Challenge { output } => {
            let claim = usize::try_from(output).ok().and_then(|at| view.outputs().get(at));
            claim.map(|it| Purpose::Challenge { output, claim: it.claim })
        }
        Action::Defend { challenge } => {
            let defended = view.disputes().challenge(challenge);
            defended.map(|it| Purpose::Defend { challenge, opening: it.opening.hash })
        }
        Action::Move { game } => {
            let answered = chain.newest_move(game).map(|made| made.hash);
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
