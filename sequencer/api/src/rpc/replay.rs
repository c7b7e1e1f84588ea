//! Replays of blocks, for traces.
//!
//! No block can be added while a replay reads the chain's state. So the block first runs without a
//! tracer, at most [`CHAIN_HELD_MAX`] at a time, and the sandbox keeps what it read. Tracers, which
//! are slow, then run on the sandbox alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::block_in_place;
use turnpike_executor::{BlockContext, BlockHashes, BlockTx, ExecutionResult, Sandbox, SandboxTx};
use turnpike_protocol::{ChainConfig, L1Fee, SignedTx};

use super::{convert::RpcBlock, error::RpcError, eth::state_at, execution_error::refusal};
use crate::context::ApiContext;

/// How long a replay may hold the chain's state at a time.
const CHAIN_HELD_MAX: Duration = Duration::from_millis(50);

/// A block's execution context and transactions.
#[derive(Debug)]
pub(super) struct Replay {
    context: BlockContext,
    transactions: Vec<BlockTx>,
    /// Gas that each transaction used, from the receipts.
    gas_used: Vec<u64>,
}

impl Replay {
    pub(super) fn new(config: &ChainConfig, block: &RpcBlock) -> Result<Self, RpcError> {
        let record = block.record();
        if record.header.number == 0 {
            return Err(RpcError::server("genesis is not traceable"));
        }
        let transactions = (0..block.len()).map(|at| {
            let envelope = block.envelope(at).clone();
            if envelope.is_deposit() {
                BlockTx::Deposit(Arc::new(envelope))
            } else {
                BlockTx::User(SignedTx::new_unchecked(envelope, record.receipts[at].sender))
            }
        });
        Ok(Self {
            context: BlockContext {
                header: record.header.clone(),
                hashes: BlockHashes::History { parent: record.header.parent_hash },
                l1_fee: Some(L1Fee::new(config, &record.origin)),
                // All its transactions fitted.
                backlog: None,
            },
            transactions: transactions.collect(),
            gas_used: record.receipts.iter().map(|receipt| receipt.gas_used).collect(),
        })
    }

    pub(super) const fn len(&self) -> usize {
        self.transactions.len()
    }

    /// The transaction at this position, prepared for `sandbox`, in which the transactions before
    /// it have run.
    pub(super) fn transaction(
        &self,
        sandbox: &Sandbox<'_>,
        at: usize,
    ) -> Result<SandboxTx, RpcError> {
        sandbox.transaction(&self.transactions[at]).map_err(refusal)
    }

    /// Checks that a replayed transaction has the outcome that its block recorded.
    pub(super) fn check(&self, at: usize, result: &ExecutionResult) -> Result<(), RpcError> {
        let (found, expected) = (result.tx_gas_used(), self.gas_used[at]);
        if found == expected {
            return Ok(());
        }
        let block = self.context.header.number;
        tracing::error!(block, transaction = at, expected, found, "replay differs from its block");
        Err(RpcError::server(format!(
            "transaction {at} of block {block} used {expected} gas, and {found} in a replay"
        )))
    }

    /// Runs the first `count` transactions. The returned sandbox no longer borrows the state and
    /// holds all that the transactions need to run again.
    pub(super) async fn run(
        &self,
        context: &ApiContext,
        count: usize,
    ) -> Result<Sandbox<'static>, RpcError> {
        let parent = self.context.header.number - 1;
        let mut next = 0;
        let mut begun: Option<Sandbox<'static>> = None;
        loop {
            let chain = state_at(context, Some(parent.into())).await?;
            if chain.head().hash() != self.context.header.parent_hash {
                return Err(RpcError::server("a reorg removed the block"));
            }
            let sandbox = block_in_place(|| {
                let view = chain.state();
                let mut sandbox = match begun.take() {
                    Some(sandbox) => sandbox.attach(view),
                    None => {
                        Sandbox::of_block(chain.config(), &self.context, view).map_err(refusal)?
                    }
                };
                let end = Instant::now() + CHAIN_HELD_MAX;
                while next < count {
                    let tx = self.transaction(&sandbox, next)?;
                    self.check(next, &sandbox.execute(&tx).map_err(refusal)?)?;
                    next += 1;
                    if Instant::now() >= end {
                        break;
                    }
                }
                sandbox.detach().map_err(refusal)
            })?;
            if next == count {
                return Ok(sandbox);
            }
            begun = Some(sandbox);
        }
    }

    /// Rewinds a sandbox to before the first transaction.
    pub(super) fn restart(&self, sandbox: &mut Sandbox<'_>) -> Result<(), RpcError> {
        sandbox.rewind();
        sandbox.record_parent_hash(self.context.header.parent_hash).map_err(refusal)
    }

    /// Rewinds a sandbox and runs the transactions before `at` again.
    pub(super) fn restart_to(&self, sandbox: &mut Sandbox<'_>, at: usize) -> Result<(), RpcError> {
        self.restart(sandbox)?;
        for before in 0..at {
            let tx = self.transaction(sandbox, before)?;
            sandbox.execute(&tx).map_err(refusal)?;
        }
        Ok(())
    }
}
