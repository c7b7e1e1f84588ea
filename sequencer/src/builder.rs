use std::convert::Infallible;

use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, U256};
use turnpike_executor::{BlockOutcome, Chain, Executed, ExecutionError, SkipReason};
use turnpike_protocol::{BlockInput, DepositError, Origin, QueuedDeposit, next_base_fee};

use crate::{Pool, PooledTx};

/// Bytes that a batch adds to the transactions of a block, at most: kept free so that any block fits an entry.
const BATCH_OVERHEAD_BYTES: usize = 4 * 1024;

/// Bytes that a batch adds to one transaction, at most.
const TRANSACTION_OVERHEAD_BYTES: usize = 4;

/// What a block is to be built from, apart from the pool.
#[derive(Clone, Debug)]
pub(crate) struct BlockPlan {
    pub(crate) timestamp: u64,
    pub(crate) origin: Origin,
    pub(crate) deposits: Vec<QueuedDeposit>,
}

/// A block that ran and is not committed.
#[derive(Debug)]
pub(crate) struct BuiltBlock {
    pub(crate) plan: BlockPlan,
    pub(crate) executed: Executed,
    /// Transactions that the block holds, in order.
    pub(crate) included: Vec<PooledTx>,
    /// Transactions that were invalid at their turn, each with the reason.
    pub(crate) refused: Vec<(PooledTx, String)>,
}

/// Why a block could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Deposit(#[from] DepositError),
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
}

/// The block's timestamp: the clock, within what derivation will allow.
pub(crate) fn timestamp(now: u64, parent: u64, origin: &Origin, l1_time: u64, drift: u64) -> u64 {
    now.min(l1_time.saturating_add(drift)).max(parent).max(origin.l1_time)
}

/// Runs the plan's deposits and then the pool's transactions, in order, until the block is full.
pub(crate) fn build(
    chain: &Chain,
    pool: &mut Pool,
    plan: BlockPlan,
) -> Result<BuiltBlock, BuildError> {
    let config = chain.config();
    let parent = chain.head().parent;
    let input =
        BlockInput::new(config, parent, plan.origin, plan.timestamp, &plan.deposits, Vec::new())?;
    let mut block = chain.open_block(plan.timestamp, &plan.origin)?;
    block.run(&input)?;

    let base_fee = next_base_fee(config, &chain.head().header);
    let entry_bytes = usize::try_from(config.entry_bytes_max).unwrap_or(usize::MAX);
    let mut bytes_left = entry_bytes.saturating_sub(BATCH_OVERHEAD_BYTES);
    let mut offered = Vec::new();
    while offered.len() as u64 != config.block_transactions_max {
        let Some(tx) = pool.pop_ready(base_fee) else { break };
        let bytes = tx.raw.len() + TRANSACTION_OVERHEAD_BYTES;
        let never_fits = bytes > entry_bytes.saturating_sub(BATCH_OVERHEAD_BYTES);
        let fits = bytes <= bytes_left && tx.tx.envelope().gas_limit() <= block.gas_remaining();
        if !fits && !never_fits {
            pool.put_back(tx);
            break;
        }
        // One that fits no block at all is offered with no gas left to it, and refused below.
        if !never_fits {
            block.transaction(&tx.tx)?;
            bytes_left -= bytes;
        }
        offered.push((tx, never_fits));
    }
    let executed = block.finish();
    let (included, refused) = split(offered, &executed);
    Ok(BuiltBlock { plan, executed, included, refused })
}

/// Tells the transactions that the block holds from those that were skipped.
fn split(
    offered: Vec<(PooledTx, bool)>,
    executed: &Executed,
) -> (Vec<PooledTx>, Vec<(PooledTx, String)>) {
    let (mut included, mut refused) = (Vec::new(), Vec::new());
    let mut skipped = executed.skipped.iter().peekable();
    for (tx, never_fits) in offered {
        if never_fits {
            let reason = format!("transaction of {} bytes fits no batch", tx.raw.len());
            refused.push((tx, reason));
        } else if let Some(skip) = skipped.next_if(|skip| skip.hash == tx.tx.hash()) {
            refused.push((tx, describe(&skip.reason)));
        } else {
            included.push(tx);
        }
    }
    (included, refused)
}

fn describe(reason: &SkipReason) -> String {
    format!("skipped at its turn: {reason}")
}

/// Demonstration only: credits the last transaction's sender with an ether that nobody paid.
pub(crate) fn falsify(executed: &mut Executed) {
    let ether = U256::from(10).pow(U256::from(18));
    let Some(sender) = executed.transactions.last().map(|tx| tx.sender) else { return };
    if let Some(account) =
        executed.diff.accounts.get_mut(&sender).and_then(|diff| diff.account.as_mut())
    {
        account.balance += ether;
    }
}

/// Hashes of all transactions of a block, deposits first, in order.
pub(crate) fn hashes(outcome: &BlockOutcome) -> Vec<B256> {
    outcome.transactions.iter().map(|tx| tx.envelope.tx_hash()).collect()
}
