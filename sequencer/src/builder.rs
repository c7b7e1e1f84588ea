use std::convert::Infallible;

use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, U256};
use turnpike_executor::{
    BlockOutcome, BlockTx, Chain, Executed, ExecutionError, block_transactions,
};
use turnpike_protocol::{
    BlockInput, ChainConfig, DepositError, Origin, QueuedDeposit, next_base_fee,
};

use crate::{Pool, PooledTx};

/// Bytes that a batch adds to the transactions of a block, at most.
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

/// Bytes of transactions that one block may hold, so that even incompressible it fits an entry.
pub(crate) fn block_bytes_max(config: &ChainConfig) -> usize {
    usize::try_from(config.entry_bytes_max)
        .unwrap_or(usize::MAX)
        .saturating_sub(BATCH_OVERHEAD_BYTES)
}

/// Bytes that a transaction takes of a block's.
pub(crate) const fn bytes_in_block(raw: &[u8]) -> usize {
    raw.len() + TRANSACTION_OVERHEAD_BYTES
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
    let (time, origin) = (plan.timestamp, plan.origin);
    let input = BlockInput::new(config, parent, origin, time, &plan.deposits, Vec::new())?;
    let mut block = chain.open_block(plan.timestamp, &plan.origin)?;
    block.execute_slice(block_transactions(&input).collect())?;

    let base_fee = next_base_fee(config, &chain.head().header);
    let mut bytes_left = block_bytes_max(config);
    let mut offered = Vec::new();
    loop {
        let room = Room {
            transactions: config.block_transactions_max.saturating_sub(offered.len() as u64),
            bytes: bytes_left,
            gas: block.gas_remaining(),
        };
        let some = pop_some(pool, base_fee, room);
        if some.is_empty() {
            break;
        }
        bytes_left -= some.iter().map(|tx| bytes_in_block(&tx.raw)).sum::<usize>();
        block.execute_slice(some.iter().map(|tx| BlockTx::User(tx.tx.clone())).collect())?;
        offered.extend(some);
    }
    let (executed, _) = block.finish()?;
    let (included, refused) = split(offered, &executed);
    Ok(BuiltBlock { plan, executed, included, refused })
}

/// What a block has left.
#[derive(Clone, Copy, Debug)]
struct Room {
    transactions: u64,
    bytes: usize,
    gas: u64,
}

/// Transactions that run together, at most: so many that the executor can look ahead, so few that the gas they leave is
/// known soon.
const TOGETHER_MAX: usize = 64;

/// Takes the next transactions, as many as certainly fit.
fn pop_some(pool: &mut Pool, base_fee: u64, mut room: Room) -> Vec<PooledTx> {
    let mut some = Vec::new();
    while some.len() < TOGETHER_MAX && room.transactions > 0 {
        let Some(tx) = pool.pop_ready(base_fee) else { break };
        let bytes = room.bytes.checked_sub(bytes_in_block(&tx.raw));
        let gas = room.gas.checked_sub(tx.tx.envelope().gas_limit());
        let (Some(bytes), Some(gas)) = (bytes, gas) else {
            pool.put_back(tx);
            break;
        };
        room = Room { transactions: room.transactions - 1, bytes, gas };
        some.push(tx);
    }
    some
}

/// Tells the transactions that the block holds from those that were skipped.
fn split(offered: Vec<PooledTx>, executed: &Executed) -> (Vec<PooledTx>, Vec<(PooledTx, String)>) {
    let (mut included, mut refused) = (Vec::new(), Vec::new());
    let mut skipped = executed.skipped.iter().peekable();
    for tx in offered {
        match skipped.next_if(|skip| skip.hash == tx.tx.hash()) {
            Some(skip) => refused.push((tx, format!("skipped at its turn: {}", skip.reason))),
            None => included.push(tx),
        }
    }
    (included, refused)
}

/// Demonstration only: credits the last transaction's sender with an ether that nobody paid.
pub(crate) fn falsify(executed: &mut Executed) {
    let ether = U256::from(10).pow(U256::from(18));
    let Some(sender) = executed.transactions.last().map(|tx| tx.sender) else { return };
    let change = executed.diff().accounts.iter_mut().find(|change| change.address == sender);
    if let Some(account) = change.and_then(|change| change.account.as_mut()) {
        account.balance += ether;
    }
}

/// Hashes of all transactions of a block, deposits first, in order.
pub(crate) fn hashes(outcome: &BlockOutcome) -> Vec<B256> {
    outcome.transactions.iter().map(|tx| tx.envelope().tx_hash()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_clocks_within_what_derivation_allows() {
        let origin = Origin { l1_time: 100, ..Origin::default() };
        assert_eq!(timestamp(130, 110, &origin, 120, 600), 130);
        // Never before the parent or the origin, never further than the drift ahead of L1.
        assert_eq!(timestamp(105, 110, &origin, 120, 600), 110);
        assert_eq!(timestamp(90, 80, &origin, 120, 600), 100);
        assert_eq!(timestamp(9_000, 110, &origin, 120, 600), 720);
    }
}
