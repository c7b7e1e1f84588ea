//! The newest sealed block of a chain.

use alloy_primitives::B256;
use turnpike_protocol::{ChainConfig, Header, Origin, OutputRoot, Parent};

use crate::BlockContext;

/// The newest sealed block of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Header.
    pub header: Header,
    /// The fields of the block that derivation needs.
    pub parent: Parent,
    /// Preimage of the output root after it. Contains the block's hash.
    pub output: OutputRoot,
}

impl ChainHead {
    /// Hash.
    pub const fn hash(&self) -> B256 {
        self.output.block_hash
    }

    /// Context of the block after it.
    pub fn next_block(&self, config: &ChainConfig, time_ms: u64, origin: &Origin) -> BlockContext {
        BlockContext::next(config, &self.header, self.hash(), time_ms, origin)
    }
}
