//! A block of a real chain, ready for the executor.

use std::{collections::BTreeMap, path::Path};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use turnpike_executor::BlockTransaction as _;
use turnpike_state::NodeState;

use super::format::BlockFile;
use crate::{ConformanceError, TestTransaction, execute::Fork, fork};

/// A block of a real chain, ready for the executor. Hash and signer of each transaction are checked
/// against the block.
#[derive(Debug)]
pub struct RealBlock {
    /// Header.
    pub header: Header,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hard fork that the block runs under.
    pub fork: Fork,
    /// Transactions, in order.
    pub transactions: Vec<TestTransaction>,
    /// The part of the pre-state that the block touches.
    pub state: NodeState,
    /// Hashes of earlier blocks that the block reads, by number.
    pub hashes: BTreeMap<u64, B256>,
}

impl RealBlock {
    /// Reads the block in this folder.
    pub fn load(directory: &Path) -> Result<Self, ConformanceError> {
        let ready = |file: BlockFile| {
            let fork = fork::of_header(file.chain_id, &file.header);
            Self::new(file, fork)
        };
        let block = BlockFile::load(directory).map_err(|error| error.to_string()).and_then(ready);
        block.map_err(|reason| ConformanceError::Block { path: directory.to_owned(), reason })
    }

    pub(super) fn new(file: BlockFile, fork_name: &str) -> Result<Self, String> {
        let fork = fork::named(fork_name).ok_or_else(|| format!("unknown fork {fork_name}"))?;
        let BlockFile { header, chain_id, transactions, state, hashes } = file;
        let mut ready = Vec::with_capacity(transactions.len());
        for transaction in transactions {
            let (hash, from) = (transaction.hash, transaction.from);
            let transaction = transaction.into_test(fork)?;
            check_identity(&transaction, hash, from)?;
            ready.push(transaction);
        }
        Ok(Self { header, chain_id, fork, transactions: ready, state, hashes })
    }
}

/// Checks a transaction's hash and sender against the block.
fn check_identity(tx: &TestTransaction, hash: B256, from: Address) -> Result<(), String> {
    let sender = tx.sender().map_err(|reason| format!("transaction {hash}: {reason}"))?;
    if tx.hash() != hash {
        return Err(format!("transaction {hash}: hash is {}", tx.hash()));
    }
    if sender != from {
        return Err(format!("transaction {hash}: expected signer {from}, got {sender}"));
    }
    Ok(())
}
