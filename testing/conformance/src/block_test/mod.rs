//! Executes real blocks on the part of the state that they touch.
//!
//! Checks gas used, logs bloom and receipts root. The state root cannot be checked on a partial
//! state. Block rewards, withdrawals and system calls are omitted, because no receipt depends on
//! them.

mod format;
mod real_block;
mod receipts;

use std::time::Instant;

use turnpike_executor::Engine;

use crate::{case::Case, error::FormatError, execute, fork, suite::SuiteItem, tally::Tally};
use format::BlockFile;

pub use real_block::RealBlock;

/// Runs the block in the item's folder.
pub(crate) fn run(
    engine: Option<&Engine>,
    item: &SuiteItem,
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
