//! The context of a block: its inputs before its transactions run.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::B256;
use turnpike_protocol::{
    ChainConfig, Header, L1Fee, Load, Origin, base_fee, extra_data, mix_hash, next_open_backlog,
    predeploys::SEQUENCER_FEE_VAULT,
};

use crate::{BlockHashes, OpenBacklog};

/// The context of a block: its inputs before its transactions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The header, with the fields that are known in advance.
    pub header: Header,
    /// The source of BLOCKHASH.
    pub hashes: BlockHashes,
    /// Price of L1 data. `None` if transactions do not pay for it.
    pub l1_fee: Option<L1Fee>,
    /// The backlog. `None` if only the header limits the block's gas.
    pub backlog: Option<OpenBacklog>,
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
        let open = next_open_backlog(config, parent, time_ms);
        Self::with_backlog(config, parent.number + 1, parent_hash, open, time_ms, origin)
    }

    /// The block with this number and this backlog, on the parent with this hash.
    pub(crate) fn with_backlog(
        config: &ChainConfig,
        number: u64,
        parent_hash: B256,
        open: Load,
        time_ms: u64,
        origin: &Origin,
    ) -> Self {
        let max = Load { gas: config.gas_backlog_max, work: config.work_backlog_max };
        let backlog = OpenBacklog { open, max };
        let header = Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: SEQUENCER_FEE_VAULT,
            number,
            gas_limit: config.block_gas_limit,
            timestamp: time_ms / 1_000,
            // The end of the block replaces the backlog.
            extra_data: extra_data(open, time_ms),
            mix_hash: mix_hash(origin, number),
            base_fee_per_gas: Some(base_fee(config, open)),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        };
        let hashes = BlockHashes::History { parent: parent_hash };
        let l1_fee = Some(L1Fee::new(config, origin));
        Self { header, hashes, l1_fee, backlog: Some(backlog) }
    }
}
