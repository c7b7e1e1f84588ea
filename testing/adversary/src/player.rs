use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, keccak256};
use tracing::debug;
use turnpike_game::{
    Action, Calls, ClaimProvider, NextMove, PlayerView, ScheduledAction, next_move, opening,
};
use turnpike_l1::{Answer, Call, DisputedOutput, Fees, L1Client, L1Error, L1Sender, L1View, Phase};
use turnpike_protocol::ChainConfig;

use crate::{LiarError, Manner};

/// Room above the estimate, in percent: state may move between estimate and inclusion.
const GAS_MARGIN_PERCENT: u64 = 20;

/// Plays every game of one account: with the same duties, answers and calls as anybody, but in a manner of its own.
#[derive(Debug)]
pub struct Player {
    sender: L1Sender,
    calls: Calls,
    config: ChainConfig,
    manner: Manner,
    /// Outputs to be challenged.
    pub challenge: BTreeSet<u64>,
    /// Outputs to be defended.
    pub defend: BTreeSet<u64>,
    /// What was shown to L1's oracle.
    loaded: BTreeSet<(B256, u64)>,
    /// What L1 refuses is not tried again.
    refused: BTreeSet<Action>,
    noise: u64,
}

/// What a player had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which duty was to be done.
    pub duty: Action,
    /// Why L1 would not take it; `None` if it was sent.
    pub refusal: Option<String>,
}

impl Player {
    /// A player with nothing to do yet.
    pub fn new(sender: L1Sender, client: &L1Client, config: &ChainConfig, manner: Manner) -> Self {
        Self {
            sender,
            calls: Calls::new(client.deployment(), config),
            config: config.clone(),
            manner,
            challenge: BTreeSet::new(),
            defend: BTreeSet::new(),
            loaded: BTreeSet::new(),
            refused: BTreeSet::new(),
            noise: 0,
        }
    }

    /// Its account.
    pub const fn address(&self) -> Address {
        self.sender.address()
    }

    /// What it sends with.
    pub(crate) const fn sender(&self) -> &L1Sender {
        &self.sender
    }

    /// Sends what is due by what a view has read, once that has all in it that was sent before.
    pub async fn step(
        &mut self,
        view: &L1View,
        belief: &mut impl ClaimProvider,
    ) -> Result<Vec<Said>, LiarError> {
        let Some(head) = view.head() else { return Ok(Vec::new()) };
        let account = self.sender.account().await?;
        // What it sent may be on L1 since the view has read: then what is due by the view is done already.
        if account.pending_nonce > self.sender.nonce_at(head.hash).await? {
            return Ok(Vec::new());
        }
        let scene = PlayerView {
            own: self.address(),
            l1_time: head.time,
            config: &self.config,
            outputs: view.outputs(),
            disputes: view.disputes(),
            to_challenge: &self.challenge,
            to_defend: &self.defend,
        };
        let (mut said, mut nonce) = (Vec::new(), account.nonce);
        for ScheduledAction { action: duty, deadline } in scene.actions() {
            if !self.acts(duty, deadline, head.time) {
                continue;
            }
            let Some(call) = self.call(duty, view, belief)? else { continue };
            match self.send(call, nonce).await {
                Ok(()) => {
                    nonce += 1;
                    said.push(Said { duty, refusal: None });
                }
                Err(L1Error::Rejected(reason)) => {
                    debug!(?duty, reason, "L1 refuses what there is to say");
                    self.refused.insert(duty);
                    said.push(Said { duty, refusal: Some(reason) });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(said)
    }

    fn acts(&self, duty: Action, deadline: u64, l1_time: u64) -> bool {
        if self.refused.contains(&duty) {
            return false;
        }
        match (self.manner, duty) {
            (Manner::Silent, Action::Defend { .. } | Action::Move { .. }) => false,
            (Manner::Late, Action::Defend { .. } | Action::Move { .. }) => l1_time + 1 >= deadline,
            _ => true,
        }
    }

    async fn send(&self, call: Call, nonce: u64) -> Result<(), L1Error> {
        let prices = self.sender.prices().await?;
        let gas = self.sender.estimate_call(&call).await?;
        let fees = Fees {
            max_fee_per_gas: 2 * prices.base_fee + prices.priority_fee,
            max_priority_fee_per_gas: prices.priority_fee,
            max_fee_per_blob_gas: 0,
        };
        let limit = gas + gas * GAS_MARGIN_PERCENT / 100;
        self.sender.broadcast_call(&self.sender.sign_call(call, nonce, limit, fees)?).await
    }

    fn call(
        &mut self,
        duty: Action,
        view: &L1View,
        belief: &mut impl ClaimProvider,
    ) -> Result<Option<Call>, LiarError> {
        let blocks = self.config.entry_blocks_max;
        let of = |index| DisputedOutput::of(view.outputs(), index, blocks);
        let disputes = view.disputes();
        Ok(match duty {
            Action::Challenge { output } => {
                let Some(output) = of(output) else { return Ok(None) };
                let opening = opening(belief, &output)?;
                opening.map(|opening| self.calls.challenge(&output, &opening))
            }
            Action::Defend { challenge } => {
                let Some(challenge) = disputes.challenge(challenge) else { return Ok(None) };
                let Some(output) = of(challenge.output) else { return Ok(None) };
                let opening = &challenge.opening.bisection;
                match next_move(belief, &output, opening)? {
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
                match next_move(belief, &output, newest)? {
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
                        debug!(game = game.index, "there is nothing left to be said");
                        None
                    }
                }
            }
            Action::TimeOut { game } => Some(self.calls.time_out(game)),
            Action::Resolve { challenge } => Some(self.calls.resolve(challenge)),
            Action::ReturnBond { game } => Some(self.calls.return_bond(game)),
        })
    }

    /// The answer as this player gives it. What L1 checks at once stays as it is: the final state.
    fn in_manner(&mut self, mut answer: Answer) -> Answer {
        if self.manner != Manner::Random {
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
