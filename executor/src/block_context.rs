//! The context of a block: its inputs before its transactions run.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::B256;
use turnpike_protocol::{
    ChainConfig, Header, L1Fee, Origin, extra_data, mix_hash, next_base_fee,
    predeploys::SEQUENCER_FEE_VAULT,
};

use crate::BlockHashes;

/// The context of a block: its inputs before its transactions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The header, with the fields that are known in advance.
    pub header: Header,
    /// The source of BLOCKHASH.
    pub hashes: BlockHashes,
    /// Price of L1 data. `None` if transactions do not pay for it.
    pub l1_fee: Option<L1Fee>,
}

impl BlockContext {
    /// The block after `parent` of a Turnpike chain.
    pub fn next(
        config: &ChainConfig,
        parent: &Header,
        parent_hash: B256,
        time_ms: u64,
        origin: &Origin,
    ) -> Self {
        let base_fee = next_base_fee(config, parent);
        Self::with_base_fee(config, parent.number + 1, parent_hash, base_fee, time_ms, origin)
    }

    /// The block with this number and base fee, on the parent with this hash.
    pub(crate) fn with_base_fee(
        config: &ChainConfig,
        number: u64,
        parent_hash: B256,
        base_fee: u64,
        time_ms: u64,
        origin: &Origin,
    ) -> Self {
        let header = Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: SEQUENCER_FEE_VAULT,
            number,
            gas_limit: config.block_gas_limit,
            timestamp: time_ms / 1_000,
            extra_data: extra_data(time_ms),
            mix_hash: mix_hash(origin, number),
            base_fee_per_gas: Some(base_fee),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        };
        let hashes = BlockHashes::History { parent: parent_hash };
        Self { header, hashes, l1_fee: Some(L1Fee::new(config, origin)) }
    }
}
