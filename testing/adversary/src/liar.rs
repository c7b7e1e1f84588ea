use std::{collections::BTreeSet, sync::Arc};

use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::warn;
use turnpike_executor::Chain;
use turnpike_game::Action;
use turnpike_l1::{GameStatus, L1Client, L1Endpoints, L1Sender, L1View, OutputStatus, Side};
use turnpike_protocol::{Genesis, OutputRoot};

use crate::{
    Chronicle, Deed, Doctrine, Kind, LiarError, Manner, Player, Said,
    plan::{Lies, Plan, Proposal},
};

/// How a liar runs.
#[derive(Clone, Debug)]
pub struct LiarConfig {
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// The lie.
    pub kind: Kind,
    /// Against whom.
    pub role: Role,
    /// Its keys, one at least. The first proposes; what takes many accounts takes all of them.
    pub keys: Vec<PrivateKeySigner>,
}

/// Whose part a liar plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Proposes a false output after an entry, whose last block that can be lied about is false, and defends it.
    Proposer {
        /// The entry; `None` for the first after the last final output that can be lied about.
        entry: Option<u64>,
    },
    /// Challenges an output, whose last block that can be lied about it says to be another.
    Challenger {
        /// Index of the output.
        output: u64,
    },
    /// Defends the outputs that somebody else proposes of a chain whose state is false from the first block with a transaction
    /// on.
    Accomplice,
}

/// A dishonest party, with all its accounts.
#[derive(Debug)]
pub struct Liar {
    genesis: Genesis,
    kind: Kind,
    role: Role,
    view: L1View,
    players: Vec<Player>,
    lies: Option<Lies>,
    /// Outputs and games whose loss was told.
    told: BTreeSet<Loss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    Output(u64),
    Game(u64),
}

impl Liar {
    /// Connects to L1.
    pub async fn connect(genesis: &Genesis, config: LiarConfig) -> anyhow::Result<Self> {
        let LiarConfig { l1, kind, role, keys } = config;
        let client = L1Client::connect(l1, genesis).await?;
        let genesis_output = Chain::from_genesis(genesis).head().output;
        client.check_genesis(genesis, &genesis_output).await?;
        let count = if matches!(kind, Kind::Many | Kind::Puppet) { keys.len() } else { 1 };
        let player = |(index, key)| {
            // An accomplice loses on purpose: it has nothing to say.
            let accomplice = kind == Kind::Puppet && index > 0;
            let manner = if accomplice { Manner::Silent } else { kind.manner() };
            Player::new(L1Sender::new(client.clone(), key), &client, &genesis.config, manner)
        };
        let players: Vec<_> = keys.into_iter().take(count).enumerate().map(player).collect();
        players.first().context("a liar without a key")?;
        let view = L1View::new(client, 0, genesis_output);
        Ok(Self {
            genesis: genesis.clone(),
            kind,
            role,
            view,
            players,
            lies: None,
            told: BTreeSet::new(),
        })
    }

    /// Who it is.
    pub fn introduction(&self) -> Deed {
        Deed::Up { account: self.players[0].address(), kind: self.kind }
    }

    /// Looks at L1 and does what is to be done: how many transactions were sent.
    pub async fn step(&mut self, report: &mut impl FnMut(Deed)) -> Result<usize, LiarError> {
        if let Some(reorg) = self.view.advance().await?.reorg {
            warn!(l1_block = reorg.block, "L1 has reorganised");
        }
        self.tell_losses(report);
        if !self.lies.as_ref().is_some_and(|lies| self.still_holds(lies)) {
            let chronicle = Arc::new(Chronicle::read(&self.genesis, &self.view).await?);
            let plan = self.plan();
            self.lies = block_in_place(|| plan.lies(chronicle))?;
        }
        let Some(mut lies) = self.lies.take() else { return Ok(0) };
        let sent = self.act(&mut lies, report).await;
        self.lies = Some(lies);
        sent
    }

    /// Whether L1 still holds what is lied about, no output that the lies do not reach to, and none that is final after
    /// the entry that is to be lied about.
    fn still_holds(&self, lies: &Lies) -> bool {
        let newest = self.view.outputs().iter().map(|output| output.entry).max();
        let can_be_told = lies.proposal.as_ref().is_none_or(|it| {
            self.own_output(&it.output).is_some() || self.plan().parent(it.entry).is_some()
        });
        can_be_told
            && lies.chronicle.is_part_of(&self.view)
            && newest <= Some(lies.chronicle.newest())
    }

    async fn act(
        &mut self,
        lies: &mut Lies,
        report: &mut impl FnMut(Deed),
    ) -> Result<usize, LiarError> {
        match (self.role, &lies.proposal) {
            (Role::Proposer { .. }, Some(proposal)) => match self.own_output(&proposal.output) {
                Some(index) => self.give_part(index),
                None => return self.propose(proposal, report).await,
            },
            (Role::Proposer { .. }, None) => return Ok(0),
            (Role::Challenger { output }, _) => {
                for player in &mut self.players {
                    player.challenge.insert(output);
                }
            }
            (Role::Accomplice, _) => self.defend_falsehoods(&lies.doctrines[0]),
        }
        let mut sent = 0;
        for (player, doctrine) in self.players.iter_mut().zip(&mut lies.doctrines) {
            for said in player.step(&self.view, doctrine).await? {
                sent += usize::from(said.refusal.is_none());
                if let Some(deed) = deed(&self.view, said) {
                    report(deed);
                }
            }
        }
        Ok(sent)
    }

    fn tell_losses(&mut self, report: &mut impl FnMut(Deed)) {
        let own: BTreeSet<_> = self.players.iter().map(Player::address).collect();
        let config = &self.genesis.config;
        for output in self.view.outputs() {
            let index = output.index;
            let is_lost = output.status == OutputStatus::Rejected && own.contains(&output.proposer);
            if is_lost && self.told.insert(Loss::Output(index)) {
                report(Deed::OutputLost { output: index, bond: config.proposer_bond });
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
            if loser.is_some_and(|it| own.contains(&it)) && self.told.insert(Loss::Game(game.index))
            {
                report(Deed::GameLost { game: game.index, bond: config.game_bond });
            }
        }
    }

    /// Who does what about the liar's own output.
    fn give_part(&mut self, output: u64) {
        for (index, player) in self.players.iter_mut().enumerate() {
            // The accomplice says what is not so as well, of which the liar knows nothing: it loses to the liar.
            if self.kind == Kind::Puppet && index > 0 {
                player.challenge.insert(output);
            } else {
                player.defend.insert(output);
            }
        }
    }

    /// Outputs that are what the liar believes, and are not true.
    fn defend_falsehoods(&mut self, doctrine: &Doctrine) {
        for output in self.view.outputs() {
            if doctrine.roots().after(output.entry) == Some(output.output.hash()) {
                self.players.iter_mut().for_each(|player| {
                    player.defend.insert(output.index);
                });
            }
        }
    }

    fn own_output(&self, root: &OutputRoot) -> Option<u64> {
        let own = self.players[0].address();
        let mut outputs = self.view.outputs().iter();
        let found = outputs.find(|output| output.proposer == own && output.output == *root);
        found.map(|output| output.index)
    }

    /// Proposes the false output on top of the newest one that is final.
    async fn propose(
        &mut self,
        proposal: &Proposal,
        report: &mut impl FnMut(Deed),
    ) -> Result<usize, LiarError> {
        let Proposal { entry, output, header } = proposal;
        let sender = self.players[0].sender();
        let account = sender.account().await?;
        let posted = usize::try_from(*entry).ok().and_then(|at| self.view.entries().get(at));
        let plan = self.plan();
        let (Some(parent), Some(posted)) = (plan.parent(*entry), posted) else {
            return Ok(0);
        };
        if account.pending_nonce > account.nonce {
            return Ok(0);
        }
        let bond = self.genesis.config.proposer_bond;
        let header = alloy_rlp::encode(header).into();
        let tx = sender.prepare_propose(parent, *entry, posted.acc, output, header, bond).await?;
        sender.broadcast(&tx).await?;
        report(Deed::Proposed { entry: *entry, root: output.hash(), kind: self.kind });
        Ok(1)
    }

    fn plan(&self) -> Plan<'_> {
        let outputs = self.view.outputs();
        let own = self.players[0].address();
        Plan { kind: self.kind, role: self.role, own, players: self.players.len(), outputs }
    }
}

/// What is worth telling of what a player said.
fn deed(view: &L1View, Said { duty, refusal }: Said) -> Option<Deed> {
    match (duty, refusal) {
        (Action::Move { game }, Some(_)) => Some(Deed::Refused { game }),
        (Action::Challenge { output }, None) => Some(Deed::Challenged { output }),
        (Action::Defend { challenge }, None) => {
            let output = view.disputes().challenge(challenge)?.output;
            Some(Deed::Defended { challenge, output })
        }
        _ => None,
    }
}
