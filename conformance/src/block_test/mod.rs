//! Real blocks: all transactions in one call of the executor, on the part of the state that they touch.
//!
//! The state root cannot be checked, since the pre-state is a part; gas used, bloom and receipts can. Block rewards,
//! withdrawals and system calls are left out: no receipt depends on them.

mod format;
mod receipts;

use std::time::Instant;

use alloy_primitives::{Address, B256};
use turnpike_executor::BlockTransaction as _;

use crate::{
    error::FormatError,
    execute, fork,
    suite::Item,
    tally::{Case, Tally},
    transaction::TestTransaction,
};
use format::BlockFile;

/// Runs the block in the item's directory.
pub(crate) fn run(item: &Item, tally: &mut Tally<'_>) -> Result<(), FormatError> {
    let file = BlockFile::load(&item.path)?;
    let start = Instant::now();
    let fork = fork::of_header(file.chain_id, &file.header);
    let verdict = check(file, fork);
    tally.case(Case { test: "", fork, indexes: "" }, verdict, start.elapsed());
    Ok(())
}

fn check(file: BlockFile, fork_name: &str) -> Result<(), String> {
    let fork = fork::named(fork_name).ok_or_else(|| format!("unknown fork {fork_name}"))?;
    let BlockFile { header, chain_id, transactions, mut state, hashes } = file;
    let mut ready = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        let (hash, from) = (transaction.hash, transaction.from);
        let transaction = transaction.into_test(fork)?;
        check_identity(&transaction, hash, from)?;
        ready.push(transaction);
    }
    let executed = execute::execute(chain_id, fork, header.clone(), hashes, ready, &mut state)?;
    if let Some(skipped) = executed.skipped.first() {
        return Err(format!("transaction {} was refused: {}", skipped.hash, skipped.reason));
    }
    receipts::check(&header, fork, &executed.transactions)
}

/// Checks that a transaction has the hash and the sender that its block says.
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
