use alloy::providers::Provider as _;
use alloy_primitives::U256;
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_derivation::{DerivedChain, FollowError, Follower, ProposerAction, ProposerView};
use turnpike_executor::ExecutionHook;
use turnpike_l1::{L1Client, L1Error, L1Sender, L1View, OutputStatus, PreparedTx, Rollup};
use turnpike_protocol::{ChainConfig, Genesis, OutputRoot};

use crate::ProposerConfig;

/// L1 blocks that transactions of an earlier run are waited for; then they are replaced.
const UNKNOWN_BLOCKS_MAX: u64 = 20;

/// L1 blocks that a transaction waits before more is offered for it.
const BUMP_BLOCKS: u64 = 5;

/// A transaction that was sent, and the L1 block at that time.
#[derive(Clone, Debug)]
struct InFlight {
    tx: PreparedTx,
    since: u64,
}

/// Derives, decides, and has one transaction in flight.
#[derive(Debug)]
pub(crate) struct Proposer {
    config: ChainConfig,
    interval: u64,
    withdraw_bonds: bool,
    node: DerivedChain,
    sender: L1Sender,
    /// What the chain came to after each entry, by index.
    derived: Vec<OutputRoot>,
    in_flight: Option<InFlight>,
    /// The L1 block at which a transaction was refused: it is tried again on the next.
    refused_at: Option<u64>,
    /// The L1 block at which transactions were first seen in flight that this run has not sent.
    unknown_since: Option<u64>,
    /// Our outputs that were challenged at the last look, and those that were rejected.
    contested: Contested,
}

/// Outputs by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contested {
    challenged: Vec<u64>,
    rejected: Vec<u64>,
}

impl Proposer {
    pub(crate) async fn connect(
        genesis: &Genesis,
        config: &ProposerConfig,
        hook: Option<Box<dyn ExecutionHook>>,
    ) -> anyhow::Result<Self> {
        let follower = block_in_place(|| Follower::new(genesis, config.execution));
        let follower = follower.with_hook(hook);
        let genesis_output = follower.head().output;
        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &genesis_output).await?;
        let sender = L1Sender::new(client.clone(), config.key.clone());
        info!(account = %sender.address(), "proposer is up");
        let view = L1View::new(client, config.l1_confirmations, genesis_output);
        Ok(Self {
            config: genesis.config.clone(),
            interval: config.interval,
            withdraw_bonds: config.withdraw_bonds,
            node: DerivedChain::new(view, follower),
            sender,
            derived: vec![genesis_output],
            in_flight: None,
            refused_at: None,
            unknown_since: None,
            contested: Contested::default(),
        })
    }

    /// Takes in what L1 has added and does the next thing that is to be done.
    pub(crate) async fn step(&mut self) -> anyhow::Result<()> {
        self.follow().await?;
        if self.is_waiting().await? {
            return Ok(());
        }
        let prepared = match self.prepare().await {
            Err(error) => Err(error),
            Ok(None) => return Ok(()),
            Ok(Some(tx)) => self.send(tx).await,
        };
        if let Err(L1Error::Rejected(reason)) = &prepared {
            // Somebody was first, say: the view will show it.
            warn!(reason, "L1 refuses the transaction");
            (self.in_flight, self.refused_at) = (None, self.node.view().last_read());
            return Ok(());
        }
        Ok(prepared?)
    }

    /// Hands a transaction to L1. It may arrive even if the answer does not.
    async fn send(&mut self, tx: PreparedTx) -> Result<(), L1Error> {
        let sent = self.sender.broadcast(&tx).await;
        self.note(tx);
        sent
    }

    fn note(&mut self, tx: PreparedTx) {
        let since = self.node.view().head().map_or(0, |head| head.number);
        self.in_flight = Some(InFlight { tx, since });
    }

    /// Derives and executes all that L1 holds.
    async fn follow(&mut self) -> Result<(), FollowError> {
        let reorg = self.node.advance().await?.reorg;
        if let Some(reorg) = reorg {
            warn!(l1_block = reorg.block, "L1 has reorganised");
        }
        loop {
            let fed = usize::try_from(self.node.follower().next_entry()).unwrap_or(usize::MAX);
            self.derived.truncate(fed);
            let Some(next) = self.node.next_entry().await? else { return Ok(()) };
            block_in_place(|| self.node.apply(&next))?;
            self.derived.push(self.node.follower().head().output);
        }
    }

    /// Whether there is a transaction to wait for, or another block.
    async fn is_waiting(&mut self) -> Result<bool, L1Error> {
        let last_read = self.node.view().last_read();
        let now = self.node.view().head().map_or(0, |head| head.number);
        if self.refused_at.is_some() && self.refused_at >= last_read {
            return Ok(true);
        }
        if let Some(InFlight { tx, since }) = self.in_flight.clone() {
            let hash = tx.hash;
            match self.sender.receipt(hash).await? {
                // Until the view has read its block, what it did would be done again.
                Some(receipt) if receipt.block_number > last_read => return Ok(true),
                Some(receipt) if !receipt.status() => {
                    warn!(l1_transaction = %hash, "transaction failed on L1");
                }
                Some(_) => {}
                None if self.sender.is_known(hash).await? => {
                    if now >= since.saturating_add(BUMP_BLOCKS) {
                        self.replace(&tx).await?;
                    }
                    return Ok(true);
                }
                None => warn!(l1_transaction = %hash, "L1 has lost a transaction"),
            }
            self.in_flight = None;
        }
        self.has_unknown().await
    }

    /// Offers more for a transaction that waits.
    async fn replace(&mut self, waiting: &PreparedTx) -> Result<(), L1Error> {
        let replacement = self.sender.prepare_replacement(waiting).await?;
        let (hash, instead_of) = (replacement.hash, waiting.hash);
        info!(l1_transaction = %hash, %instead_of, "offering more");
        match self.send(replacement).await {
            Err(L1Error::Rejected(reason)) => {
                // The account may hold too little for it, say. The one that waits is waited for as long again.
                warn!(reason, "L1 refuses the transaction");
                self.note(waiting.clone());
                Ok(())
            }
            sent => sent,
        }
    }

    /// Whether transactions of an earlier run are in flight.
    async fn has_unknown(&mut self) -> Result<bool, L1Error> {
        let (provider, own) = (self.node.view().client().provider(), self.sender.address());
        let included = provider.get_transaction_count(own).await?;
        let pending = provider.get_transaction_count(own).pending().await?;
        let now = self.node.view().head().map_or(0, |head| head.number);
        if pending <= included {
            self.unknown_since = None;
            return Ok(false);
        }
        if self.unknown_since.is_none() {
            info!(count = pending - included, "waiting for transactions of an earlier run");
        }
        let since = *self.unknown_since.get_or_insert(now);
        Ok(now < since.saturating_add(UNKNOWN_BLOCKS_MAX))
    }

    /// Signs the transaction that is due, if one is.
    async fn prepare(&mut self) -> Result<Option<PreparedTx>, L1Error> {
        let view = self.node.view();
        let Some(head) = view.head() else { return Ok(None) };
        let look = ProposerView {
            config: &self.config,
            interval: self.interval,
            own: self.sender.address(),
            l1_time: head.time,
            entries: view.entries(),
            derived: &self.derived,
            outputs: view.outputs(),
        };
        let action = look.next_action();
        let contested = Contested {
            challenged: look.own(OutputStatus::Challenged),
            rejected: look.own(OutputStatus::Rejected),
        };
        self.note_contested(contested);
        match action {
            Some(ProposerAction::Finalize(index)) => {
                let tx = self.sender.prepare_finalize(index).await?;
                info!(output = index, l1_transaction = %tx.hash, "output is being finalized");
                Ok(Some(tx))
            }
            Some(ProposerAction::Void(index)) => {
                let tx = self.sender.prepare_void(index).await?;
                info!(output = index, l1_transaction = %tx.hash, "a bond is being claimed back");
                Ok(Some(tx))
            }
            Some(ProposerAction::Propose { parent, entry }) => {
                self.propose(parent, entry).await.map(Some)
            }
            None if self.withdraw_bonds => self.withdraw().await,
            None => Ok(None),
        }
    }

    /// Says what has become of our outputs since the last look. A proposer defends nothing: a challenger does.
    fn note_contested(&mut self, contested: Contested) {
        let Contested { challenged, rejected } = &contested;
        if *challenged != self.contested.challenged && !challenged.is_empty() {
            warn!(outputs = ?challenged, "outputs of ours are challenged: a challenger has to defend them");
        }
        if *rejected != self.contested.rejected && !rejected.is_empty() {
            warn!(outputs = ?rejected, "outputs of ours were rejected: nobody has defended them, or they were wrong");
        }
        self.contested = contested;
    }

    async fn propose(&self, parent: usize, entry: usize) -> Result<PreparedTx, L1Error> {
        let view = self.node.view();
        let (parent, posted) = (&view.outputs()[parent], &view.entries()[entry]);
        let derived = self.node.follower().output(posted.entry.index);
        let derived = derived.expect("invariant: decided by what was derived");
        let (index, bond) = (posted.entry.index, self.config.proposer_bond);
        let (output, header) = (&derived.output, alloy_rlp::encode(&derived.header).into());
        let tx =
            self.sender.prepare_propose(parent, index, posted.acc, output, header, bond).await?;
        let (block, root) = (derived.header.number, output.hash());
        info!(entry, block, %root, parent = parent.index, l1_transaction = %tx.hash, "output proposed");
        Ok(tx)
    }

    /// Takes out the bonds of outputs that became final, or were void.
    async fn withdraw(&self) -> Result<Option<PreparedTx>, L1Error> {
        let client = self.node.view().client();
        let rollup = Rollup::new(client.deployment().rollup, client.provider());
        let credit = rollup.bondCredit(self.sender.address()).call().await?;
        if credit == U256::ZERO {
            return Ok(None);
        }
        let tx = self.sender.prepare_withdraw_bond().await?;
        info!(wei = %credit, l1_transaction = %tx.hash, "bonds are being taken out");
        Ok(Some(tx))
    }
}
