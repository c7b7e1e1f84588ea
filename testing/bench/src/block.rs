//! A block to execute.

use turnpike_executor::BlockTx;

use crate::{PreState, terms::BlockTerms};

/// A block to execute, with the state before it.
#[derive(Clone, Debug)]
pub struct BenchBlock<T = BlockTx> {
    /// Number.
    pub number: u64,
    /// State before the block.
    pub pre_state: PreState,
    /// Transactions, in order.
    pub transactions: Vec<T>,
    pub(crate) terms: BlockTerms,
}
