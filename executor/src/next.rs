use std::{convert::Infallible, sync::Arc};

use turnpike_protocol::{ChainConfig, Origin, Parent, next_base_fee};
use turnpike_state::FlatState;

use crate::{
    BlockContext, BlockHashes, ChainHead, ChainSpec, DeferredHash, Engine, EngineBlock,
    ExecutionError,
};

/// The newest block of a chain that has run: its head, or a block whose roots are being computed.
#[derive(Clone, Debug)]
pub struct Tip {
    /// What derivation needs to know of it.
    pub parent: Parent,
    /// Base fee of the block after it, in wei.
    pub next_base_fee: u64,
    /// Its hash, which may not be known yet.
    pub hash: DeferredHash,
}

impl Tip {
    /// A block whose hash is known.
    pub(crate) fn of(config: &ChainConfig, head: &ChainHead) -> Self {
        Self {
            parent: head.parent,
            next_base_fee: next_base_fee(config, &head.header),
            hash: DeferredHash::known(head.hash()),
        }
    }

    /// The block that follows.
    fn next_block(&self, config: &ChainConfig, timestamp: u64, origin: &Origin) -> BlockContext {
        let (number, base_fee) = (self.parent.number + 1, self.next_base_fee);
        let known = self.hash.get();
        // In the header it is put in when the block ends.
        let hash = known.unwrap_or_default();
        let context =
            BlockContext::with_base_fee(config, number, hash, base_fee, timestamp, origin);
        match known {
            Some(_) => context,
            None => BlockContext { hashes: BlockHashes::Deferred(self.hash.clone()), ..context },
        }
    }

    /// Opens the block that follows on `flat`, which is the state after this one.
    pub(crate) fn open<'a>(
        &self,
        config: &ChainConfig,
        engine: &'a Engine,
        flat: &'a FlatState,
        timestamp: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'a, &'a FlatState>, ExecutionError<Infallible>> {
        let context = self.next_block(config, timestamp, origin);
        engine.open(&ChainSpec::turnpike(config), &context, flat)
    }
}

/// What the next block of a chain runs on, without a hold on the chain: that can be read, and its head moved, while the block
/// runs. To be dropped before the chain takes over a block or goes back, since that changes the state in place.
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

    /// The block that it follows.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state before it.
    pub fn flat(&self) -> &FlatState {
        &self.flat
    }

    /// Opens it. What in it looks at the hash of the block before waits until that is known, and so does its end.
    pub fn open(
        &self,
        timestamp: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'_, &FlatState>, ExecutionError<Infallible>> {
        self.tip.open(&self.config, &self.engine, &self.flat, timestamp, origin)
    }
}
