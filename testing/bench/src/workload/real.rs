//! Blocks of real chains, each on the part of the state that it touches and by the rules of its
//! fork, without block rewards and system calls.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use turnpike_conformance::{RealBlock, TestTransaction, blocks};
use turnpike_executor::{BlockContext, BlockHashes, ChainSpec};

use crate::{BenchBlock, PreState, terms::BlockTerms};

/// Folders of a suite's blocks, below the folder of public test data.
pub(super) fn directories(test_data: Option<&Path>, suite: &str) -> anyhow::Result<Vec<PathBuf>> {
    let needed = || format!("set TURNPIKE_TEST_DATA to a directory that holds {suite}");
    let root = test_data.with_context(needed)?;
    let found = blocks(root, suite).with_context(needed)?;
    if found.is_empty() {
        bail!("{suite} is not below {}: {}", root.display(), needed());
    }
    Ok(found)
}

/// Reads the blocks in these folders, by number, each with at most `transactions_max` transactions.
/// Empty blocks are left out.
pub(super) fn read(
    directories: &[PathBuf],
    transactions_max: Option<usize>,
) -> anyhow::Result<Vec<BenchBlock<TestTransaction>>> {
    let blocks = directories.iter().map(|directory| {
        let mut block = block(RealBlock::load(directory)?);
        block.transactions.truncate(transactions_max.unwrap_or(usize::MAX));
        Ok(block)
    });
    let mut blocks: Vec<_> = blocks.collect::<anyhow::Result<_>>()?;
    blocks.retain(|block| !block.transactions.is_empty());
    blocks.sort_by_key(|block| block.number);
    Ok(blocks)
}

fn block(real: RealBlock) -> BenchBlock<TestTransaction> {
    let RealBlock { header, chain_id, fork, transactions, state, hashes } = real;
    let number = header.number;
    let context =
        BlockContext { header, hashes: BlockHashes::Given(hashes), l1_fee: None, backlog: None };
    let terms = BlockTerms { spec: ChainSpec::ethereum(chain_id, fork), context };
    BenchBlock { number, pre_state: PreState::of_flat(state.flat()), transactions, terms }
}
