use std::{collections::BTreeSet, sync::Arc};

use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::warn;
use turnpike_executor::Chain;
use turnpike_game::Action;
use turnpike_l1::{Call, GameStatus, L1Client, L1Endpoints, L1View, OutputStatus, Side};
use turnpike_protocol::{Genesis, OutputRoot};
use turnpike_tx_manager::AccountClient;

use crate::{
    AdversaryAccount, AdversaryError, AdversaryEvent, Attack, FalseClaims, InboxCopy, MoveOutcome,
    PlayStyle,
    plan::{AdversaryRole, AttackPlan, AttackPlanner, FalseOutput},
};

/// Configuration of an adversary.
#[derive(Clone, Debug)]
pub struct AdversaryConfig {
    /// L1's endpoints.
    pub l1: L1Endpoints,
    /// The attack.
    pub attack: Attack,
    /// The adversary's role.
    pub role: AdversaryRole,
    /// The keys of the adversary's accounts, at least one. The first account proposes. Attacks with
    /// many accounts use all of them.
    pub keys: Vec<PrivateKeySigner>,
}

/// A dishonest party with all its accounts.
#[derive(Debug)]
pub struct Adversary {
    genesis: Genesis,
    attack: Attack,
    role: AdversaryRole,
    view: L1View,
    accounts: Vec<AdversaryAccount>,
    plan: Option<AttackPlan>,
    /// Lost outputs and games that were reported.
    reported: BTreeSet<Loss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    Output(u64),
    Game(u64),
}

impl Adversary {
    /// Connects to L1.
    pub async fn connect(genesis: &Genesis, config: AdversaryConfig) -> anyhow::Result<Self> {
        let AdversaryConfig { l1, attack, role, keys } = config;
        let client = L1Client::connect(l1, genesis).await?;
        let genesis_output = Chain::from_genesis(genesis).head().output;
        client.check_genesis(genesis, &genesis_output).await?;
        let count = if attack.takes_all_accounts() { keys.len() } else { 1 };
        let account = |(index, key)| {
            // A puppet challenges and then makes no move: it loses on purpose.
            let is_puppet = attack == Attack::Puppet && index > 0;
            let style = if is_puppet { PlayStyle::Silent } else { attack.style() };
            AdversaryAccount::new(AccountClient::new(&client, key), &client, &genesis.config, style)
        };
        let accounts: Vec<_> = keys.into_iter().take(count).enumerate().map(account).collect();
        accounts.first().context("the adversary needs a key")?;
        let view = L1View::new(client, 0, genesis_output);
        Ok(Self {
            genesis: genesis.clone(),
            attack,
            role,
            view,
            accounts,
            plan: None,
            reported: BTreeSet::new(),
        })
    }

    /// The adversary's first event.
    pub fn introduction(&self) -> AdversaryEvent {
        AdversaryEvent::Started { account: self.accounts[0].address(), attack: self.attack }
    }

    /// Reads L1 and sends what is due. Returns the number of transactions sent.
    pub async fn step(
        &mut self,
        report: &mut impl FnMut(AdversaryEvent),
    ) -> Result<usize, AdversaryError> {
        if let Some(reorg) = self.view.advance().await?.reorg {
            warn!(l1_block = reorg.block, "L1 reorg");
            self.accounts.iter_mut().for_each(|account| account.rewind(reorg.block));
        }
        self.report_losses(report);
        if !self.plan.as_ref().is_some_and(|plan| self.is_current(plan)) {
            let inbox = Arc::new(InboxCopy::read(&self.genesis, &self.view).await?);
            let planner = self.planner();
            self.plan = block_in_place(|| planner.plan(inbox))?;
        }
        let Some(mut plan) = self.plan.take() else { return Ok(0) };
        let sent = self.act(&mut plan, report).await;
        self.plan = Some(plan);
        sent
    }

    /// Whether the plan still fits L1: L1 holds the plan's entries and no output beyond them, and
    /// the plan's output is proposed or has a parent.
    fn is_current(&self, plan: &AttackPlan) -> bool {
        let newest = self.view.outputs().iter().map(|output| output.entry).max();
        let can_be_proposed = plan.proposal.as_ref().is_none_or(|it| {
            self.own_output(&it.output).is_some() || self.planner().parent(it.entry).is_some()
        });
        can_be_proposed && plan.inbox.is_part_of(&self.view) && newest <= Some(plan.inbox.newest())
    }

    async fn act(
        &mut self,
        plan: &mut AttackPlan,
        report: &mut impl FnMut(AdversaryEvent),
    ) -> Result<usize, AdversaryError> {
        match (self.role, &plan.proposal) {
            (AdversaryRole::Proposer { .. }, Some(proposal)) => {
                match self.own_output(&proposal.output) {
                    Some(index) => self.assign_sides(index),
                    None => return self.propose(proposal, report).await,
                }
            }
            (AdversaryRole::Proposer { .. }, None) => return Ok(0),
            (AdversaryRole::Challenger { output }, _) => {
                for account in &mut self.accounts {
                    account.challenge.insert(output);
                }
            }
            (AdversaryRole::Defender, _) => self.defend_false_outputs(&plan.claims[0]),
        }
        let mut sent = 0;
        for (account, claims) in self.accounts.iter_mut().zip(&mut plan.claims) {
            for outcome in account.step(&self.view, claims).await? {
                sent += usize::from(outcome.refusal.is_none());
                if let Some(event) = event_of(&self.view, outcome) {
                    report(event);
                }
            }
        }
        Ok(sent)
    }

    fn report_losses(&mut self, report: &mut impl FnMut(AdversaryEvent)) {
        let own: BTreeSet<_> = self.accounts.iter().map(AdversaryAccount::address).collect();
        let config = &self.genesis.config;
        for output in self.view.outputs() {
            let index = output.index;
            let is_lost = output.status == OutputStatus::Rejected && own.contains(&output.proposer);
            if is_lost && self.reported.insert(Loss::Output(index)) {
                report(AdversaryEvent::OutputLost { output: index, bond: config.proposer_bond });
            }
        }
        let disputes = self.view.disputes();
        for game in disputes.games() {
            let challenger = disputes.challenge(game.challenge).map(|it| it.challenger);
            let loser = match game.status {
                GameStatus::Won(Side::Challenger) => Some(game.defender),
                GameStatus::Won(Side::Defender) => challenger,
                _ => None,
            };
            if loser.is_some_and(|it| own.contains(&it))
                && self.reported.insert(Loss::Game(game.index))
            {
                report(AdversaryEvent::GameLost { game: game.index, bond: config.game_bond });
            }
        }
    }

    /// Assigns accounts to challenge or to defend the adversary's own output.
    fn assign_sides(&mut self, output: u64) {
        for (index, account) in self.accounts.iter_mut().enumerate() {
            // A puppet claims another false block than the defender, and loses to it.
            if self.attack == Attack::Puppet && index > 0 {
                account.challenge.insert(output);
            } else {
                account.defend.insert(output);
            }
        }
    }

    /// Defends every output that equals the adversary's claim.
    fn defend_false_outputs(&mut self, claims: &FalseClaims) {
        for output in self.view.outputs() {
            if claims.roots().after(output.entry) == Some(output.output.hash()) {
                self.accounts.iter_mut().for_each(|account| {
                    account.defend.insert(output.index);
                });
            }
        }
    }

    fn own_output(&self, root: &OutputRoot) -> Option<u64> {
        let own = self.accounts[0].address();
        let mut outputs = self.view.outputs().iter();
        let found = outputs.find(|output| output.proposer == own && output.output == *root);
        found.map(|output| output.index)
    }

    /// Proposes the false output on top of the last final one.
    async fn propose(
        &mut self,
        proposal: &FalseOutput,
        report: &mut impl FnMut(AdversaryEvent),
    ) -> Result<usize, AdversaryError> {
        let FalseOutput { entry, output, header } = proposal;
        let posted = usize::try_from(*entry).ok().and_then(|at| self.view.entries().get(at));
        let planner = self.planner();
        let (Some(parent), Some(posted)) = (planner.parent(*entry), posted) else {
            return Ok(0);
        };
        let bond = self.genesis.config.proposer_bond;
        let header = alloy_rlp::encode(header).into();
        let rollup = self.view.client().deployment().rollup;
        let call = Call::propose(rollup, parent, (*entry, posted.acc), output, header, bond);
        if !self.accounts[0].propose(&self.view, *entry, call).await? {
            return Ok(0);
        }
        report(AdversaryEvent::Proposed {
            entry: *entry,
            root: output.hash(),
            attack: self.attack,
        });
        Ok(1)
    }

    fn planner(&self) -> AttackPlanner<'_> {
        let outputs = self.view.outputs();
        let own = self.accounts[0].address();
        let (attack, role, accounts) = (self.attack, self.role, self.accounts.len());
        AttackPlanner { attack, role, own, accounts, outputs }
    }
}

/// The event that reports a move, if it is worth a report.
fn event_of(view: &L1View, MoveOutcome { action, refusal }: MoveOutcome) -> Option<AdversaryEvent> {
    match (action, refusal) {
        (Action::Move { game }, Some(_)) => Some(AdversaryEvent::Refused { game }),
        (Action::Challenge { output }, None) => Some(AdversaryEvent::Challenged { output }),
        (Action::Defend { challenge }, None) => {
            let output = view.disputes().challenge(challenge)?.output;
            Some(AdversaryEvent::Defended { challenge, output })
        }
        _ => None,
    }
}
