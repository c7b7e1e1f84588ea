//! The proposer's driver: derives the chain, asks [`ProposerView`] for the next action and sends
//! its transaction.

use std::collections::BTreeSet;

use alloy_primitives::{B256, U256};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_derivation::{DerivedChain, FollowError, Follower, ProposerAction, ProposerView};
use turnpike_executor::ExecutionHook;
use turnpike_l1::{Call, L1Client, L1Error, L1View, OutputStatus, Rollup};
use turnpike_protocol::{ChainConfig, Genesis, OutputRoot};
use turnpike_tx_manager::{
    AccountClient, FeePolicy, SendOutcome, TxCandidate, TxManager, TxManagerConfig, TxManagerError,
    TxPurpose,
};

use crate::ProposerConfig;

/// What a proposer's transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ProposerPurpose {
    /// Proposes an output after an entry with this accumulator.
    Propose { entry: u64, acc: B256 },
    /// Finalizes an output.
    Finalize { output: u64 },
    /// Returns the bond of an output that is built on a rejected one.
    Void { output: u64 },
    /// Withdraws credited bonds.
    WithdrawBonds,
}

impl TxPurpose for ProposerPurpose {
    fn is_standing(&self) -> bool {
        true
    }
}

/// Derives the chain and sends the transactions that are due, one at a time.
#[derive(Debug)]
pub(crate) struct Proposer {
    config: ChainConfig,
    interval: u64,
    withdraw_bonds: bool,
    chain: DerivedChain,
    tx_manager: TxManager<ProposerPurpose>,
    /// Output root after each entry, by index.
    derived: Vec<OutputRoot>,
    /// Own outputs that were challenged or rejected at the last step.
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
        let account = AccountClient::new(&client, config.key.clone());
        // Only the balance limits fees, because a late output delays every withdrawal.
        let fees = FeePolicy { max_fee_per_gas: u128::MAX, ..FeePolicy::default() };
        let tx_manager = TxManager::in_memory(account, TxManagerConfig::from(fees));
        info!(account = %tx_manager.address(), "proposer is up");
        let view = L1View::new(client, config.l1_confirmations, genesis_output);
        Ok(Self {
            config: genesis.config.clone(),
            interval: config.interval,
            withdraw_bonds: config.withdraw_bonds,
            chain: DerivedChain::new(view, follower),
            tx_manager,
            derived: vec![genesis_output],
            contested: Contested::default(),
        })
    }

    /// Reads new L1 blocks, derives them, and sends the next transaction that is due.
    pub(crate) async fn step(&mut self) -> anyhow::Result<()> {
        self.follow().await?;
        let view = self.chain.view();
        let (Some(head), Some(read)) = (view.head(), view.last_read()) else { return Ok(()) };
        self.tx_manager.observe(&head, read).await?;
        if self.tx_manager.is_maintenance_due() {
            self.tx_manager.maintain(&BTreeSet::new()).await?;
        }
        // Only one transaction is in flight. Until the view has read the transaction's block, its
        // action would seem due again.
        if self.tx_manager.is_settled() {
            self.act().await?;
        }
        Ok(())
    }

    /// Derives and executes all entries that L1 holds.
    async fn follow(&mut self) -> Result<(), FollowError> {
        let reorg = self.chain.advance().await?.reorg;
        if let Some(reorg) = reorg {
            warn!(l1_block = reorg.block, "L1 reorg");
            self.tx_manager.rewind(reorg.block);
        }
        loop {
            let fed = usize::try_from(self.chain.follower().next_entry()).unwrap_or(usize::MAX);
            self.derived.truncate(fed);
            let Some(next) = self.chain.next_entry().await? else { return Ok(()) };
            block_in_place(|| self.chain.apply(next))?;
            self.derived.push(self.chain.follower().head().output);
        }
    }

    /// Sends the transaction that is due, if one is.
    async fn act(&mut self) -> Result<(), TxManagerError> {
        let view = self.chain.view();
        let Some(head) = view.head() else { return Ok(()) };
        let view = ProposerView {
            config: &self.config,
            interval: self.interval,
            own: self.tx_manager.address(),
            l1_time: head.time,
            entries: view.entries(),
            derived: &self.derived,
            outputs: view.outputs(),
        };
        let action = view.next_action();
        let contested = Contested {
            challenged: view.own(OutputStatus::Challenged),
            rejected: view.own(OutputStatus::Rejected),
        };
        self.note_contested(contested);
        let rollup = self.chain.view().client().deployment().rollup;
        match action {
            Some(ProposerAction::Finalize(output)) => {
                let call = Call::finalize(rollup, output);
                if let Some(tx) = self.send(ProposerPurpose::Finalize { output }, call).await? {
                    info!(output, l1_transaction = %tx, "output is being finalized");
                }
            }
            Some(ProposerAction::Void(output)) => {
                let call = Call::void_output(rollup, output);
                if let Some(tx) = self.send(ProposerPurpose::Void { output }, call).await? {
                    info!(output, l1_transaction = %tx, "output is being voided");
                }
            }
            Some(ProposerAction::Propose { parent, entry }) => self.propose(parent, entry).await?,
            None if self.withdraw_bonds => self.withdraw().await?,
            None => {}
        }
        Ok(())
    }

    /// Sends a call. Returns the transaction's hash, or `None` if the call has to wait. A call that
    /// L1 would refuse is tried again at the next block, unless the view shows that another account
    /// was first.
    async fn send(
        &mut self,
        purpose: ProposerPurpose,
        call: Call,
    ) -> Result<Option<B256>, TxManagerError> {
        match self.tx_manager.send(TxCandidate::call(purpose, call)).await? {
            SendOutcome::Sent(hash) => Ok(Some(hash)),
            SendOutcome::Rejected(_) | SendOutcome::Deferred(_) => Ok(None),
        }
    }

    /// Logs own outputs that were challenged or rejected since the last step. Only a challenger
    /// defends them.
    fn note_contested(&mut self, contested: Contested) {
        let Contested { challenged, rejected } = &contested;
        if *challenged != self.contested.challenged && !challenged.is_empty() {
            warn!(outputs = ?challenged, "own outputs are challenged: a challenger has to defend them");
        }
        if *rejected != self.contested.rejected && !rejected.is_empty() {
            warn!(outputs = ?rejected, "own outputs were rejected: they were wrong or not defended");
        }
        self.contested = contested;
    }

    async fn propose(&mut self, parent: usize, entry: usize) -> Result<(), TxManagerError> {
        let view = self.chain.view();
        let (parent, posted) = (&view.outputs()[parent], &view.entries()[entry]);
        let derived = self.chain.follower().output(posted.entry.index);
        let derived = derived.expect("invariant: the decision follows from derived entries");
        let (index, bond) = (posted.entry.index, self.config.proposer_bond);
        let (output, header) = (&derived.output, alloy_rlp::encode(&derived.header).into());
        let (block, root, parent_index) = (derived.header.number, output.hash(), parent.index);
        let rollup = view.client().deployment().rollup;
        let call = Call::propose(rollup, parent, (index, posted.acc), output, header, bond);
        let purpose = ProposerPurpose::Propose { entry: index, acc: posted.acc };
        if let Some(tx) = self.send(purpose, call).await? {
            info!(entry, block, %root, parent = parent_index, l1_transaction = %tx, "output proposed");
        }
        Ok(())
    }

    /// Withdraws the bonds of outputs that became final, or void.
    async fn withdraw(&mut self) -> Result<(), TxManagerError> {
        let client = self.chain.view().client();
        let address = client.deployment().rollup;
        let rollup = Rollup::new(address, client.provider());
        let credit = rollup.bondCredit(self.tx_manager.address()).call().await;
        let credit = credit.map_err(L1Error::from)?;
        if credit == U256::ZERO {
            return Ok(());
        }
        let call = Call::withdraw_bond(address);
        if let Some(tx) = self.send(ProposerPurpose::WithdrawBonds, call).await? {
            info!(wei = %credit, l1_transaction = %tx, "bonds are being withdrawn");
        }
        Ok(())
    }
}
