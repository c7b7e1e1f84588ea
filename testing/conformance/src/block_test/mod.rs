//! Real blocks: all transactions in one call of the executor, on the part of the state that they touch.
//!
//! The state root cannot be checked, since the pre-state is a part; gas used, bloom and receipts can. Block rewards,
//! withdrawals and system calls are left out: no receipt depends on them.

mod format;
mod real_block;
mod receipts;

use std::time::Instant;

use turnpike_executor::Engine;

use crate::{
    error::FormatError,
    execute, fork,
    suite::Item,
    tally::{Case, Tally},
};
use format::BlockFile;

pub use real_block::RealBlock;

/// Runs the block in the item's directory.
pub(crate) fn run(
    engine: Option<&Engine>,
    item: &Item,
    tally: &mut Tally<'_>,
) -> Result<(), FormatError> {
    let file = BlockFile::load(&item.path)?;
    let start = Instant::now();
    let fork = fork::of_header(file.chain_id, &file.header);
    let verdict = RealBlock::new(file, fork).and_then(|block| check(engine, block));
    tally.case(Case { test: "", fork, indexes: "" }, verdict, start.elapsed());
    Ok(())
}

fn check(engine: Option<&Engine>, block: RealBlock) -> Result<(), String> {
    let RealBlock { header, chain_id, fork, transactions, mut state, hashes } = block;
    let executed =
        execute::execute(engine, chain_id, fork, header.clone(), hashes, transactions, &mut state)?;
    if let Some(skipped) = executed.skipped.first() {
        return Err(format!("transaction {} was refused: {}", skipped.hash, skipped.reason));
    }
    receipts::check(&header, fork, &executed.transactions)
}
