use std::sync::Arc;

use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::Chain;
use turnpike_fraud_proof::prove::Position;
use turnpike_l1::{L1Client, L1Endpoints, L1Sender, L1View, OutputStatus, ProposedOutput};
use turnpike_protocol::{Genesis, Header, OutputRoot};

use crate::{Chronicle, Doctrine, Kind, LiarError, Manner, Player, forge};

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
    /// Proposes a false output after this entry, whose last block that can be lied about is false, and defends it.
    Proposer {
        /// The entry.
        entry: u64,
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
}

/// What is lied, on what L1 holds.
#[derive(Debug)]
struct Lies {
    chronicle: Arc<Chronicle>,
    /// One for each player: runs cannot be shared.
    doctrines: Vec<Doctrine>,
    /// The false block at the end, if the liar has made one.
    last: Option<(OutputRoot, Header)>,
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
        let first = players.first().context("a liar without a key")?;
        info!(account = %first.address(), lie = kind.words(), "liar is up");
        let view = L1View::new(client, 0, genesis_output);
        Ok(Self { genesis: genesis.clone(), kind, role, view, players, lies: None })
    }

    /// Its accounts.
    pub fn accounts(&self) -> impl Iterator<Item = alloy_primitives::Address> + '_ {
        self.players.iter().map(Player::address)
    }

    /// Looks at L1 and does what is to be done: how many transactions were sent.
    pub async fn step(&mut self) -> Result<usize, LiarError> {
        if let Some(reorg) = self.view.advance().await?.reorg {
            warn!(l1_block = reorg.block, "L1 has reorganised");
        }
        if !self.lies.as_ref().is_some_and(|lies| lies.chronicle.is_of(&self.view)) {
            let chronicle = Arc::new(Chronicle::read(&self.genesis, &self.view).await?);
            self.lies = block_in_place(|| self.lie(chronicle))?;
        }
        let Some(mut lies) = self.lies.take() else { return Ok(0) };
        let sent = self.act(&mut lies).await;
        self.lies = Some(lies);
        sent
    }

    async fn act(&mut self, lies: &mut Lies) -> Result<usize, LiarError> {
        if let (Role::Proposer { entry }, Some((output, header))) = (self.role, &lies.last) {
            match self.own_output(output) {
                Some(index) => self.give_part(index),
                None => return self.propose(entry, output, header).await,
            }
        }
        match self.role {
            Role::Challenger { output } => {
                for player in &mut self.players {
                    player.challenge.insert(output);
                }
            }
            Role::Accomplice => self.defend_falsehoods(&lies.doctrines[0]),
            Role::Proposer { .. } => {}
        }
        let mut sent = 0;
        for (player, doctrine) in self.players.iter_mut().zip(&mut lies.doctrines) {
            sent += player.step(&self.view, doctrine).await?;
        }
        Ok(sent)
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

    /// Proposes the false output on top of the newest one that is true.
    async fn propose(
        &self,
        entry: u64,
        output: &OutputRoot,
        header: &Header,
    ) -> Result<usize, LiarError> {
        let sender = self.players[0].sender();
        let account = sender.account().await?;
        let posted = usize::try_from(entry).ok().and_then(|at| self.view.entries().get(at));
        let (Some(parent), Some(posted)) = (self.parent(entry), posted) else { return Ok(0) };
        if account.pending_nonce > account.nonce {
            return Ok(0);
        }
        let bond = self.genesis.config.proposer_bond;
        let header = alloy_rlp::encode(header).into();
        let tx = sender.prepare_propose(parent, entry, posted.acc, output, header, bond).await?;
        sender.broadcast(&tx).await?;
        info!(entry, root = %output.hash(), lie = self.kind.words(), "false output proposed");
        Ok(1)
    }

    /// The final output that comes nearest before an entry.
    fn parent(&self, entry: u64) -> Option<&ProposedOutput> {
        let finals = self.view.outputs().iter().filter(|it| it.status == OutputStatus::Final);
        finals.filter(|it| it.entry < entry).max_by_key(|it| it.entry)
    }

    /// What to believe, given what L1 holds. `None` if there is nothing to lie about yet.
    fn lie(&self, chronicle: Arc<Chronicle>) -> Result<Option<Lies>, LiarError> {
        let (parent, entry) = match self.role {
            Role::Accomplice => {
                let doctrine = Doctrine::new(Arc::clone(&chronicle), chronicle.falsified_roots()?);
                return Ok(Some(Lies { chronicle, doctrines: vec![doctrine], last: None }));
            }
            Role::Proposer { entry } => (self.parent(entry).map(|it| it.entry), entry),
            Role::Challenger { output } => {
                let outputs = self.view.outputs();
                let at = usize::try_from(output).ok();
                let Some(output) = at.and_then(|at| outputs.get(at)) else { return Ok(None) };
                (output.parent_in(outputs).map(|it| it.entry), output.entry)
            }
        };
        let Some(parent) = parent else { return Ok(None) };
        if chronicle.newest() < entry {
            return Ok(None);
        }
        let truth = chronicle.roots()?;
        let blocks = |entry| (0..truth.blocks(entry)).map(move |index| Position { entry, index });
        let range: Vec<_> = (parent + 1..=entry).flat_map(blocks).collect();
        let mut last = None;
        let mut doctrines = Vec::new();
        for index in 0..self.players.len() {
            let accomplice = self.kind == Kind::Puppet && index > 0;
            let kind = if accomplice { Kind::Exit } else { self.kind };
            let Some(forgery) = first_that_works(kind, &chronicle, &range)? else {
                return Ok(None);
            };
            if !accomplice {
                last = Some((forgery.output, forgery.header.clone()));
            }
            let mut doctrine = Doctrine::new(Arc::clone(&chronicle), truth.clone());
            if self.kind == Kind::Middle
                && let Some(before) = range.iter().rev().find(|at| precedes(at, &forgery.at))
            {
                doctrine = doctrine.with_one(forge(Kind::Exit, &chronicle, *before)?);
            }
            doctrines.push(doctrine.with_last(forgery));
        }
        Ok(Some(Lies { chronicle, doctrines, last }))
    }
}

const fn precedes(at: &Position, other: &Position) -> bool {
    at.entry < other.entry || (at.entry == other.entry && at.index < other.index)
}

/// The last block of a range that the lie can be told about.
fn first_that_works(
    kind: Kind,
    chronicle: &Chronicle,
    range: &[Position],
) -> Result<Option<crate::Forgery>, LiarError> {
    for at in range.iter().rev() {
        match forge(kind, chronicle, *at) {
            Err(LiarError::Nothing { .. } | LiarError::Harmless(_)) => {}
            forged => return forged.map(Some),
        }
    }
    Ok(None)
}

