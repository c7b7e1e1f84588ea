//! The program from start to end: read the agreed block and the entry, derive the disputed block,
//! execute it.

use alloy_primitives::{B256, U256};
use turnpike_executor::execute_next_block;
use turnpike_protocol::{
    BlockInput, ChainConfig, EcrecoverInput, EntryBlocks, Header, LocalInput, Oracle, OutputRoot,
    Parent, SignedTx, time_ms,
};
use turnpike_state::PartialState;

use crate::{Fault, entry::OpenedEntry, reader::Reader};

/// The block before the disputed one, on which both sides agree.
#[derive(Debug)]
struct AgreedBlock {
    output: OutputRoot,
    header: Header,
}

/// Computes the output root after block [`LocalInput::BlockIndex`] of the entry that
/// [`LocalInput::InboxAcc`] ends with, on top of [`LocalInput::OutputRoot`]. If the entry derives
/// no such block, the output root stays the same.
///
/// # Errors
///
/// If the oracle lacks a preimage or returns a wrong one.
pub fn run(oracle: &mut impl Oracle) -> Result<B256, Fault> {
    let mut oracle = Reader::new(oracle);
    let config_hash = oracle.local(LocalInput::ChainConfig)?;
    let agreed_root = oracle.local(LocalInput::OutputRoot)?;
    let (config, _) = oracle.parsed(&config_hash, "chain config", ChainConfig::from_preimage)?;
    let agreed = AgreedBlock::read(&mut oracle, &agreed_root)?;
    match derive_block(&mut oracle, &config, &agreed)? {
        Some(block) => execute(oracle, &config, &agreed, &block),
        None => Ok(agreed_root),
    }
}

impl AgreedBlock {
    fn read(oracle: &mut Reader<'_, impl Oracle>, root: &B256) -> Result<Self, Fault> {
        let output = oracle.parsed(root, "output root", OutputRoot::from_preimage)?;
        let header =
            oracle.parsed(&output.block_hash, "header", |rlp| alloy_rlp::decode_exact(rlp).ok())?;
        Ok(Self { output, header })
    }
}

/// Derives the disputed block and recovers its signers. `None` if the entry has no such block.
fn derive_block(
    oracle: &mut Reader<'_, impl Oracle>,
    config: &ChainConfig,
    agreed: &AgreedBlock,
) -> Result<Option<BlockInput>, Fault> {
    let acc = oracle.local(LocalInput::InboxAcc)?;
    let index = U256::from_be_bytes(oracle.local(LocalInput::BlockIndex)?.0);
    let (Some(opened), Ok(index)) = (OpenedEntry::open(oracle, config, &acc)?, index.try_into())
    else {
        return Ok(None);
    };
    let parent = Parent {
        number: agreed.header.number,
        time_ms: time_ms(&agreed.header),
        origin: parent_origin(&opened, index),
    };
    let blocks = EntryBlocks::open(config, &opened.as_data()).map_err(|_| Fault::Derive)?;
    let mut fault = None;
    let mut ecrecover = |input: &EcrecoverInput| {
        let recovered = oracle.ecrecover(input);
        recovered.unwrap_or_else(|missing| {
            fault.get_or_insert(missing);
            None
        })
    };
    let recover = |envelope| SignedTx::recover_with(envelope, &mut ecrecover);
    let block = blocks.block(index, parent).map_err(|_| Fault::Derive)?;
    let block = block.map(|block| block.map_transactions(recover));
    fault.map_or(Ok(block), Err)
}

/// The origin of the block before `index`. All blocks of an entry share one origin; the block
/// before the first has the previous entry's, and the genesis block has none.
const fn parent_origin(opened: &OpenedEntry, index: usize) -> Option<u64> {
    match (index, opened.previous.index) {
        (0, 0) => None,
        (0, _) => Some(opened.previous.origin),
        _ => Some(opened.entry.origin),
    }
}

fn execute(
    oracle: Reader<'_, impl Oracle>,
    config: &ChainConfig,
    agreed: &AgreedBlock,
    block: &BlockInput,
) -> Result<B256, Fault> {
    let mut state = PartialState::new(agreed.output.state_root, oracle);
    let outcome =
        execute_next_block(config, &agreed.header, agreed.output.block_hash, block, &mut state);
    match (state.into_source().fault(), outcome) {
        (Some(fault), _) => Err(fault),
        (None, outcome) => Ok(outcome.map_err(|_| Fault::Execute)?.output.hash()),
    }
}
