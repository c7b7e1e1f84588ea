//! A block prepared for plain revm.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use anyhow::{Context as _, ensure};
use revm::{
    context::TxEnv,
    database::{CacheDB, EmptyDB},
};
use turnpike_executor::{BlockHashes, BlockTransaction};
use turnpike_protocol::ecrecover;

use crate::BenchBlock;

/// How many blocks BLOCKHASH looks back.
const BLOCK_HASHES: u64 = 256;

/// A block with its pre-state and transactions in plain revm's form.
#[derive(Debug)]
pub(crate) struct Prepared<'a, T> {
    pub(crate) block: &'a BenchBlock<T>,
    /// Pre-state.
    pub(crate) db: CacheDB<EmptyDB>,
    /// Transactions.
    pub(crate) envs: Vec<TxEnv>,
    /// The first transactions, this many, are deposits.
    pub(crate) deposits: usize,
}

impl<'a, T: BlockTransaction> Prepared<'a, T> {
    pub(crate) fn new(block: &'a BenchBlock<T>) -> anyhow::Result<Self> {
        let mut db = block.pre_state.cache_db();
        if let BlockHashes::Given(hashes) = &block.terms.context.hashes {
            // revm's empty database would invent hashes.
            for number in block.number.saturating_sub(BLOCK_HASHES)..block.number {
                let hash = hashes.get(&number).copied().unwrap_or(B256::ZERO);
                db.cache.block_hashes.insert(U256::from(number), hash);
            }
        }
        let transactions = &block.transactions;
        let deposits = transactions.iter().take_while(|tx| tx.mint().is_some()).count();
        let later = transactions[deposits..].iter().position(|tx| tx.mint().is_some());
        ensure!(later.is_none(), "block {}: a deposit after other transactions", block.number);
        let mut envs = free_envs(block, deposits)?;
        for tx in &transactions[deposits..] {
            envs.push(tx.tx_env(tx.sender()?, &mut ecrecover));
        }
        Ok(Self { block, db, envs, deposits })
    }
}

/// The deposits as ordinary transactions for plain revm, with their sender's current nonce.
fn free_envs<T: BlockTransaction>(
    block: &BenchBlock<T>,
    count: usize,
) -> anyhow::Result<Vec<TxEnv>> {
    let mut nonces = AddressMap::<u64>::default();
    let mut nonce_of = |sender: Address| {
        let before = block.pre_state.account(&sender).map_or(0, |account| account.nonce);
        let nonce = nonces.entry(sender).or_insert(before);
        *nonce += 1;
        *nonce - 1
    };
    let deposits = block.transactions[..count].iter();
    let envs = deposits.map(|tx| {
        let sender = tx.sender()?;
        ensure!(tx.mint() == Some(0), "a deposit that mints, which plain revm cannot");
        Ok(TxEnv { nonce: nonce_of(sender), chain_id: None, ..tx.tx_env(sender, &mut ecrecover) })
    });
    let envs: anyhow::Result<_> = envs.collect();
    envs.with_context(|| format!("block {}", block.number))
}
