//! The newest executed block, and the inputs of the next block.

use std::{convert::Infallible, sync::Arc};

use turnpike_protocol::{ChainConfig, Load, Origin, Parent, backlog, base_fee, open_backlog};
use turnpike_state::FlatState;

use crate::{
    BlockContext, BlockHashes, ChainHead, ChainSpec, DeferredHash, Engine, EngineBlock,
    ExecutionError,
};

/// The newest executed block of a chain: its head, or a closed block whose roots are still being
/// computed.
#[derive(Clone, Debug)]
pub struct Tip {
    /// The fields of the block that derivation needs.
    pub parent: Parent,
    /// Backlog after the block.
    pub backlog: Load,
    /// Hash of the block, which may be deferred.
    pub hash: DeferredHash,
}

impl Tip {
    /// A block whose hash is known.
    pub(crate) fn of(head: &ChainHead) -> Self {
        Self {
            parent: head.parent,
            backlog: backlog(&head.header),
            hash: DeferredHash::known(head.hash()),
        }
    }

    /// Base fee of the next block in wei, if it has this time.
    pub fn base_fee_at(&self, config: &ChainConfig, time_ms: u64) -> u64 {
        base_fee(config, self.open_backlog(config, time_ms))
    }

    fn open_backlog(&self, config: &ChainConfig, time_ms: u64) -> Load {
        open_backlog(config, self.backlog, time_ms.saturating_sub(self.parent.time_ms))
    }

    /// Context of the next block.
    fn next_block(&self, config: &ChainConfig, time_ms: u64, origin: &Origin) -> BlockContext {
        let (number, open) = (self.parent.number + 1, self.open_backlog(config, time_ms));
        let known = self.hash.get();
        // If the hash is deferred, the header receives it at the end of the block.
        let hash = known.unwrap_or_default();
        let context = BlockContext::with_backlog(config, number, hash, open, time_ms, origin);
        match known {
            Some(_) => context,
            None => BlockContext { hashes: BlockHashes::Deferred(self.hash.clone()), ..context },
        }
    }

    /// Opens the next block on `flat`, the state after this block.
    pub(crate) fn open<'a>(
        &self,
        config: &ChainConfig,
        engine: &'a Engine,
        flat: &'a FlatState,
        time_ms: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'a, &'a FlatState>, ExecutionError<Infallible>> {
        let context = self.next_block(config, time_ms, origin);
        engine.open(&ChainSpec::turnpike(config), &context, flat)
    }
}

/// The inputs of the next block, without a borrow of the chain. The chain can be read, and its head
/// can change, while the block runs. Drop this before the chain takes a block or rewinds, because
/// both change the state in place.
#[derive(Debug)]
pub struct NextBlock {
    pub(crate) config: ChainConfig,
    pub(crate) tip: Tip,
    pub(crate) flat: Arc<FlatState>,
    pub(crate) engine: Arc<Engine>,
}

impl NextBlock {
    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The parent.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state before the block.
    pub fn flat(&self) -> &FlatState {
        &self.flat
    }

    /// Opens the block. Reading the parent's hash and ending the block wait until the hash is
    /// known.
    pub fn open(
        &self,
        time_ms: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'_, &FlatState>, ExecutionError<Infallible>> {
        self.tip.open(&self.config, &self.engine, &self.flat, time_ms, origin)
    }
}
