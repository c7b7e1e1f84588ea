use turnpike_executor::BlockTx;

use crate::{World, terms::Terms};

/// A block to be executed, and the state before it.
#[derive(Clone, Debug)]
pub struct Block<T = BlockTx> {
    /// Its number.
    pub number: u64,
    /// The state before it.
    pub world: World,
    /// The transactions, in order.
    pub transactions: Vec<T>,
    pub(crate) terms: Terms,
}
