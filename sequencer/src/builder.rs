use std::convert::Infallible;

use alloy_consensus::Transaction as _;
use alloy_primitives::B256;
use turnpike_executor::{
    BlockOutcome, BlockTx, Chain, Executed, ExecutionError, SliceReport, block_transactions,
};
use turnpike_protocol::{
    BlockInput, ChainConfig, DepositError, Origin, QueuedDeposit, blob_data_bytes, next_base_fee,
};

use crate::{Pool, PooledTx};

/// Blobs that a transaction can carry in any fork so far known, and more: keeps the arithmetic in bounds.
const BLOBS_MAX: usize = 1_024;

/// Bytes that a batch adds to the transactions of a block.
const BATCH_OVERHEAD_BYTES: usize = 16 * 1024;

/// The part of an entry, one in so many bytes, that is left to transactions made to be coded badly: what the codec's model
/// takes for unlikely takes more bytes than it has.
const RESERVED_PART: usize = 8;

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
    /// How it ran, slice by slice.
    pub(crate) slices: Vec<SliceReport>,
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

/// Bytes of batch data that an entry may hold, in blobs or as calldata, whichever carries more: where the price of one is
/// against it, a block that only fits the other waits for nothing else.
pub(crate) fn entry_bytes_max(config: &ChainConfig) -> usize {
    let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let blobs = blob_data_bytes(at_most(config.entry_blobs_max).min(BLOBS_MAX));
    at_most(config.entry_bytes_max).max(blobs).min(at_most(config.entry_inflated_bytes_max))
}

/// Bytes of transactions that one block may hold, so that even incompressible, or worse, it fits an entry.
pub(crate) fn block_bytes_max(config: &ChainConfig) -> usize {
    let entry = entry_bytes_max(config);
    (entry - entry / RESERVED_PART).saturating_sub(BATCH_OVERHEAD_BYTES)
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
    let (executed, slices) = block.finish()?;
    let (included, refused) = split(offered, &executed);
    Ok(BuiltBlock { plan, executed, slices, included, refused })
}

/// What a block has left.
#[derive(Clone, Copy, Debug)]
struct Room {
    transactions: u64,
    bytes: usize,
    gas: u64,
}

/// Transactions in a slice, at most: so many that few blocks take more than one, since the more the engine sees at once
/// the more can run side by side; so few that the gas which generous limits leave is known while there is a block to fill.
const SLICE_TRANSACTIONS_MAX: usize = 4_096;

/// Takes the next transactions, as many as certainly fit.
fn pop_some(pool: &mut Pool, base_fee: u64, mut room: Room) -> Vec<PooledTx> {
    let mut some = Vec::new();
    while some.len() < SLICE_TRANSACTIONS_MAX && room.transactions > 0 {
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

/// Hashes of all transactions of a block, deposits first, in order.
pub(crate) fn hashes(outcome: &BlockOutcome) -> Vec<B256> {
    outcome.transactions.iter().map(|tx| tx.envelope().tx_hash()).collect()
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEip1559};
    use alloy_primitives::{Address, Signature, TxKind, U256};
    use turnpike_protocol::{Genesis, GenesisAccount, SignedTx};

    use super::*;
    use crate::PoolLimits;

    const TRANSFER_GAS: u64 = 21_000;

    /// A plain transfer between two accounts that nobody else touches, with this much gas.
    fn transfer(number: u64, gas_limit: u64) -> PooledTx {
        let account = |side: u64| Address::left_padding_from(&(number << 1 | side).to_be_bytes());
        let envelope = TxEip1559 {
            chain_id: Genesis::dev().config.chain_id,
            gas_limit,
            max_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(account(1)),
            value: U256::from(1),
            ..Default::default()
        };
        let signature = Signature::new(U256::from(1), U256::from(number + 1), false);
        let sender = account(0);
        let tx = SignedTx::new_unchecked(envelope.into_signed(signature).into(), sender);
        PooledTx { raw: tx.encoded().into(), tx, sender, arrival: number }
    }

    #[test]
    fn time_is_the_clocks_within_what_derivation_allows() {
        let origin = Origin { l1_time: 100, ..Origin::default() };
        assert_eq!(timestamp(130, 110, &origin, 120, 600), 130);
        // Never before the parent or the origin, never further than the drift ahead of L1.
        assert_eq!(timestamp(105, 110, &origin, 120, 600), 110);
        assert_eq!(timestamp(90, 80, &origin, 120, 600), 100);
        assert_eq!(timestamp(9_000, 110, &origin, 120, 600), 720);
    }

    /// Builds a block by other rules than the development chain's, from so many transfers that ask for this much gas.
    fn build_from(
        count: u64,
        gas_limit: u64,
        rules: impl FnOnce(&mut ChainConfig),
    ) -> (BuiltBlock, Pool) {
        let mut genesis = Genesis::dev();
        rules(&mut genesis.config);
        let limits = PoolLimits { transactions_max: usize::MAX, ..PoolLimits::default() };
        let mut pool = Pool::new(limits);
        // Above the precompiles.
        for tx in (0..count).map(|number| transfer(number + 1_000_000, gas_limit)) {
            let balance = U256::from(10).pow(U256::from(18));
            genesis.alloc.insert(tx.sender, GenesisAccount { balance, ..Default::default() });
            pool.add(tx, 0).expect("fits the pool");
        }
        let chain = Chain::from_genesis(&genesis);
        let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
        let plan = BlockPlan { timestamp: genesis.timestamp, origin, deposits: Vec::new() };
        let built = build(&chain, &mut pool, plan).expect("builds");
        assert!(built.refused.is_empty());
        let arrivals: Vec<u64> = built.included.iter().map(|tx| tx.arrival - 1_000_000).collect();
        assert_eq!(arrivals, (0..arrivals.len() as u64).collect::<Vec<_>>(), "in order");
        let taken = built.included.len() as u64;
        let next = pool.pop_ready(0).inspect(|tx| pool.put_back(tx.clone()));
        let first_left = next.map(|tx| tx.arrival - 1_000_000);
        assert_eq!(first_left, Some(taken).filter(|taken| *taken < count), "the others wait");
        (built, pool)
    }

    /// Gas that a block of these transactions used, deposits included.
    fn gas_used(built: &BuiltBlock) -> u64 {
        built.executed.transactions.iter().map(|tx| tx.gas_used).sum()
    }

    #[test]
    fn generous_gas_limits_leave_no_block_half_empty() {
        let (block_gas, gas_limit) = (20_000_000, 1_000_000);
        let (built, pool) =
            build_from(1_000, gas_limit, |config| config.block_gas_limit = block_gas);
        assert!(!pool.is_empty());
        let used = gas_used(&built);
        assert!(used <= block_gas);
        assert!(used + gas_limit > block_gas, "{used} gas used, another transaction would fit");
        assert!(built.included.len() as u64 > (block_gas - gas_limit) / TRANSFER_GAS - 10);
    }

    #[test]
    fn a_block_holds_what_fits_by_gas_bytes_and_count() {
        let block_gas = 2_000_000;
        let (built, _) = build_from(200, TRANSFER_GAS, |config| config.block_gas_limit = block_gas);
        assert!((block_gas - TRANSFER_GAS + 1..=block_gas).contains(&gas_used(&built)));

        let (built, _) = build_from(200, TRANSFER_GAS, |config| config.block_transactions_max = 7);
        assert_eq!(built.included.len(), 7);

        let bytes_max = (BATCH_OVERHEAD_BYTES + 1_000) * RESERVED_PART / (RESERVED_PART - 1);
        let (built, _) = build_from(200, TRANSFER_GAS, |config| {
            config.entry_inflated_bytes_max = bytes_max as u64;
        });
        let bytes: usize = built.included.iter().map(|tx| bytes_in_block(&tx.raw)).sum();
        assert!((800..=1_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn an_entry_holds_what_calldata_or_blobs_hold() {
        let rules = |bytes, blobs, inflated| ChainConfig {
            entry_bytes_max: bytes,
            entry_blobs_max: blobs,
            entry_inflated_bytes_max: inflated,
            ..Genesis::dev().config
        };
        assert_eq!(entry_bytes_max(&rules(100_000, 6, u64::MAX)), blob_data_bytes(6));
        assert_eq!(entry_bytes_max(&rules(1_000_000, 6, u64::MAX)), 1_000_000);
        assert_eq!(entry_bytes_max(&rules(1_000_000, 6, 50_000)), 50_000);
        assert_eq!(entry_bytes_max(&rules(10, u64::MAX, u64::MAX)), blob_data_bytes(BLOBS_MAX));
    }

    #[test]
    fn what_certainly_fits_runs_together() {
        let count = SLICE_TRANSACTIONS_MAX as u64 + 100;
        let (built, pool) = build_from(count, TRANSFER_GAS, |config| {
            config.entry_bytes_max = 10_000_000;
            config.entry_inflated_bytes_max = 20_000_000;
        });
        assert!(pool.is_empty());
        let slices: Vec<_> = built.slices.iter().map(|slice| slice.transactions).collect();
        assert_eq!(slices, [1, SLICE_TRANSACTIONS_MAX, 100], "the deposit runs first");
    }
}
