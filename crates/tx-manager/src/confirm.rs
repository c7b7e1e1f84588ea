use std::{collections::BTreeSet, time::Duration};

use alloy::rpc::types::TransactionReceipt;
use alloy_primitives::{Address, B256};
use tracing::debug;
use turnpike_l1::{Call, L1Error};

use crate::{
    AccountClient, Deferral, ForeignPolicy, InMemory, SendOutcome, TxCandidate, TxEvent, TxManager,
    TxManagerConfig, TxManagerError,
};

/// A transaction in a block. It may have reverted.
pub type Confirmed = TransactionReceipt;

/// Sends one call after the other and waits for each: for commands, tools and tests.
#[derive(Debug)]
pub struct OneShot {
    manager: TxManager<(), InMemory>,
    poll: Duration,
}

impl OneShot {
    /// A sender that looks for receipts once in `poll`. It queues behind foreign transactions of
    /// the account.
    pub fn new(client: AccountClient, config: TxManagerConfig, poll: Duration) -> Self {
        let config = TxManagerConfig { foreign: ForeignPolicy::QueueBehind, ..config };
        Self { manager: TxManager::in_memory(client, config), poll }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.manager.address()
    }

    /// The account's connection.
    pub const fn client(&self) -> &AccountClient {
        self.manager.client()
    }

    /// Signs and broadcasts a call, once the call before it is in a block. Waits while gas costs
    /// more than the policy allows. [`L1Error::Rejected`] if the call would revert or the account
    /// cannot pay: then nothing is sent.
    pub async fn send(&mut self, call: Call) -> Result<B256, TxManagerError> {
        loop {
            self.observe().await?;
            // Events of calls that nobody has waited for.
            self.manager.take_events();
            match self.manager.send(TxCandidate::call((), call.clone())).await? {
                SendOutcome::Sent(hash) => return Ok(hash),
                SendOutcome::Rejected(reason) => return Err(L1Error::Rejected(reason).into()),
                SendOutcome::Deferred(Deferral::Funds) => {
                    let reason = format!("account {} cannot pay for it", self.address());
                    return Err(L1Error::Rejected(reason).into());
                }
                SendOutcome::Deferred(_) => tokio::time::sleep(self.poll).await,
            }
        }
    }

    /// Waits until a block holds the call that was sent last, and returns its receipt. Rebroadcasts
    /// and replaces it as the fee policy says, so that the receipt may be that of another
    /// transaction than [`Self::send`] has returned. An endpoint that does not answer is asked
    /// again.
    pub async fn confirm(&mut self) -> Result<Confirmed, TxManagerError> {
        loop {
            match self.follow().await {
                Ok(()) => {}
                Err(TxManagerError::L1(error)) if error.is_retryable() => {
                    debug!(%error, "will ask again");
                }
                Err(error) => return Err(error),
            }
            for event in self.manager.take_events() {
                if let TxEvent::Included { receipt, .. } = event {
                    return Ok(*receipt);
                }
            }
            if self.manager.is_settled() {
                let reason = "a foreign transaction used its nonce".to_owned();
                return Err(L1Error::Rejected(reason).into());
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    async fn follow(&mut self) -> Result<(), TxManagerError> {
        self.observe().await?;
        if !self.manager.is_new_block() {
            self.manager.check_in_flight().await?;
        }
        Ok(())
    }

    async fn observe(&mut self) -> Result<(), TxManagerError> {
        let head = self.manager.client().head().await?;
        self.manager.observe(&head, head.number).await?;
        if self.manager.is_maintenance_due() {
            self.manager.maintain(&BTreeSet::new()).await?;
        }
        Ok(())
    }
}
