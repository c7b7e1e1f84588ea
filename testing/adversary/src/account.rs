use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, keccak256};
use tracing::debug;
use turnpike_game::{
    Action, Calls, ClaimProvider, NextMove, PlayerView, ScheduledAction, next_move, opening,
};
use turnpike_l1::{BisectionAnswer, Call, DisputedOutput, L1Client, L1View, Phase};
use turnpike_protocol::ChainConfig;
use turnpike_tx_manager::{
    AccountClient, FeePolicy, SendOutcome, TxCandidate, TxManager, TxManagerConfig, TxPurpose,
};

use crate::{AdversaryError, PlayStyle};

/// What a transaction is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum AdversaryPurpose {
    /// Takes an action.
    Act(Action),
    /// Proposes an output after this entry.
    Propose { entry: u64 },
}

impl TxPurpose for AdversaryPurpose {
    fn is_standing(&self) -> bool {
        matches!(self, Self::Propose { .. })
    }
}

/// Plays all games of one dishonest account: an honest player's actions, answers and calls, with
/// false claims and a [`PlayStyle`].
#[derive(Debug)]
pub struct AdversaryAccount {
    tx_manager: TxManager<AdversaryPurpose>,
    calls: Calls,
    config: ChainConfig,
    style: PlayStyle,
    /// Outputs to challenge, by index.
    pub challenge: BTreeSet<u64>,
    /// Outputs to defend, by index.
    pub defend: BTreeSet<u64>,
    /// Words that were loaded into L1's preimage oracle: key and offset.
    loaded: BTreeSet<(B256, u64)>,
    /// Actions that L1 rejected. They are not tried again.
    refused: BTreeSet<Action>,
    /// Seed of the last random claim.
    noise: u64,
}

/// The outcome of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveOutcome {
    /// The action.
    pub action: Action,
    /// Why L1 rejected it; `None` if it was sent.
    pub refusal: Option<String>,
}

impl AdversaryAccount {
    /// An account without outputs to challenge or defend yet.
    pub fn new(
        account: AccountClient,
        client: &L1Client,
        config: &ChainConfig,
        style: PlayStyle,
    ) -> Self {
        let fees = FeePolicy { max_fee_per_gas: u128::MAX, ..FeePolicy::default() };
        Self {
            tx_manager: TxManager::in_memory(account, TxManagerConfig::from(fees)),
            calls: Calls::new(client.deployment(), config),
            config: config.clone(),
            style,
            challenge: BTreeSet::new(),
            defend: BTreeSet::new(),
            loaded: BTreeSet::new(),
            refused: BTreeSet::new(),
            noise: 0,
        }
    }

    /// The account's address.
    pub const fn address(&self) -> Address {
        self.tx_manager.address()
    }

    /// Handles a reorg that has dropped the L1 blocks after `block`.
    pub(crate) fn rewind(&mut self, block: u64) {
        self.tx_manager.rewind(block);
    }

    /// Observes L1 at the view's head. Returns whether the view has read everything that the
    /// account has sent.
    async fn observe(&mut self, view: &L1View) -> Result<bool, AdversaryError> {
        let Some(head) = view.head() else { return Ok(false) };
        self.tx_manager.observe(&head, head.number).await?;
        let l1 = self.tx_manager.observation();
        Ok(self.tx_manager.is_settled() && l1.pending_nonce <= l1.nonce)
    }

    /// Proposes an output after an entry, unless a transaction is in flight. Returns whether the
    /// proposal was sent.
    pub(crate) async fn propose(
        &mut self,
        view: &L1View,
        entry: u64,
        call: Call,
    ) -> Result<bool, AdversaryError> {
        let is_settled = self.observe(view).await?;
        self.maintain(BTreeSet::new()).await?;
        if !is_settled {
            return Ok(false);
        }
        let candidate = TxCandidate::call(AdversaryPurpose::Propose { entry }, call);
        let outcome = self.tx_manager.send(candidate).await?;
        Ok(matches!(outcome, SendOutcome::Sent(_)))
    }

    async fn maintain(&mut self, wanted: BTreeSet<AdversaryPurpose>) -> Result<(), AdversaryError> {
        if self.tx_manager.is_maintenance_due() {
            self.tx_manager.maintain(&wanted).await?;
        }
        Ok(())
    }

    /// Sends the actions that are due, once the view holds everything that the account sent before.
    pub async fn step(
        &mut self,
        view: &L1View,
        claims: &mut impl ClaimProvider,
    ) -> Result<Vec<MoveOutcome>, AdversaryError> {
        let Some(head) = view.head() else { return Ok(Vec::new()) };
        let is_settled = self.observe(view).await?;
        let actions = PlayerView {
            own: self.address(),
            l1_time: head.time,
            config: &self.config,
            outputs: view.outputs(),
            disputes: view.disputes(),
            to_challenge: &self.challenge,
            to_defend: &self.defend,
        }
        .actions();
        self.maintain(actions.iter().map(|it| AdversaryPurpose::Act(it.action)).collect()).await?;
        // L1 may have included transactions after the view was read. Then the actions that seem due
        // are already done.
        if !is_settled {
            return Ok(Vec::new());
        }
        let mut outcomes = Vec::new();
        for ScheduledAction { action, deadline } in actions {
            if !self.acts(action, deadline, head.time) {
                continue;
            }
            let Some(call) = self.call(action, view, claims)? else { continue };
            let candidate = TxCandidate::call(AdversaryPurpose::Act(action), call).by(deadline);
            match self.tx_manager.send(candidate).await? {
                SendOutcome::Sent(_) => outcomes.push(MoveOutcome { action, refusal: None }),
                SendOutcome::Rejected(reason) => {
                    debug!(?action, reason, "L1 rejects the action");
                    self.refused.insert(action);
                    outcomes.push(MoveOutcome { action, refusal: Some(reason) });
                }
                SendOutcome::Deferred(_) => {}
            }
        }
        Ok(outcomes)
    }

    fn acts(&self, action: Action, deadline: u64, l1_time: u64) -> bool {
        if self.refused.contains(&action) {
            return false;
        }
        match (self.style, action) {
            (PlayStyle::Silent, Action::Defend { .. } | Action::Move { .. }) => false,
            (PlayStyle::Late, Action::Defend { .. } | Action::Move { .. }) => {
                l1_time + 1 >= deadline
            }
            _ => true,
        }
    }

    fn call(
        &mut self,
        action: Action,
        view: &L1View,
        claims: &mut impl ClaimProvider,
    ) -> Result<Option<Call>, AdversaryError> {
        let blocks = self.config.blocks_per_entry_max();
        let of = |index| DisputedOutput::of(view.outputs(), index, blocks);
        let disputes = view.disputes();
        Ok(match action {
            Action::Challenge { output } => {
                let Some(output) = of(output) else { return Ok(None) };
                let opening = opening(claims, &output)?;
                opening.map(|opening| self.calls.challenge(&output, &opening))
            }
            Action::Defend { challenge } => {
                let Some(challenge) = disputes.challenge(challenge) else { return Ok(None) };
                let Some(output) = of(challenge.output) else { return Ok(None) };
                let opening = &challenge.opening.bisection;
                match next_move(claims, &output, opening)? {
                    Some(NextMove::Bisect(answer)) => {
                        let answer = self.in_manner(answer);
                        Some(self.calls.defend(challenge.index, opening, &answer))
                    }
                    _ => None,
                }
            }
            Action::Move { game } => {
                let Some(game) = disputes.game(game) else { return Ok(None) };
                let Some(challenge) = disputes.challenge(game.challenge) else { return Ok(None) };
                let Some(output) = of(challenge.output) else { return Ok(None) };
                let newest = &game.newest(challenge).bisection;
                match next_move(claims, &output, newest)? {
                    Some(NextMove::Bisect(answer)) => {
                        let answer = self.in_manner(answer);
                        Some(self.calls.answer(game.index, newest, &answer))
                    }
                    Some(NextMove::Prove(proof)) => {
                        debug_assert_eq!(newest.phase, Phase::Machine);
                        let load = self.calls.load(&proof);
                        let is_new = proof.read.is_some_and(|read| self.loaded.insert(read));
                        match load {
                            Some(load) if is_new => Some(load),
                            _ => Some(self.calls.prove(game.index, newest, &proof)),
                        }
                    }
                    None => {
                        debug!(game = game.index, "no move is left");
                        None
                    }
                }
            }
            Action::TimeOut { game } => Some(self.calls.time_out(game)),
            Action::Resolve { challenge } => Some(self.calls.resolve(challenge)),
            Action::ReturnBond { game } => Some(self.calls.return_bond(game)),
        })
    }

    /// Makes the answer's claims random if that is the style. The final state stays, because L1
    /// checks it at once.
    fn in_manner(&mut self, mut answer: BisectionAnswer) -> BisectionAnswer {
        if self.style != PlayStyle::Random {
            return answer;
        }
        let keep_last = usize::from(!answer.final_state.is_empty());
        let made_up = answer.claims.len() - keep_last;
        for claim in &mut answer.claims[..made_up] {
            self.noise += 1;
            *claim = keccak256(self.noise.to_be_bytes());
        }
        answer
    }
}
