//! The rules and header of a measured block, for Turnpike and for plain revm.

use alloy_primitives::{B256, U256};
use revm::{
    Context, Database, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{BlockEnv, CfgEnv},
    context_interface::block::BlobExcessGasAndPrice,
    handler::MainnetContext,
    primitives::{
        eip4844::{BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN, BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE},
        hardfork::SpecId,
    },
};
use turnpike_executor::{BlockContext, ChainSpec};
use turnpike_protocol::{Genesis, Origin};

/// Seconds from genesis to the block that is measured.
const BLOCK_TIME: u64 = 60;

/// Rules and context of a measured block, the same for every implementation.
#[derive(Clone, Debug)]
pub(crate) struct BlockTerms {
    /// The chain's rules.
    pub(crate) spec: ChainSpec,
    /// Header fields and block hashes known before execution.
    pub(crate) context: BlockContext,
}

impl BlockTerms {
    /// The development chain without block limits and without the L1 fee, which plain revm lacks.
    pub(crate) fn genesis() -> Genesis {
        let mut genesis = Genesis::dev();
        genesis.config.block_gas_limit = 1 << 50;
        genesis.config.gas_backlog_max = 1 << 50;
        genesis.config.work_backlog_max = 1 << 50;
        genesis.config.block_transactions_max = u64::MAX;
        genesis.config.l1_base_fee_scalar = 0;
        genesis.config.l1_blob_base_fee_scalar = 0;
        genesis
    }

    /// Rules and context of the block after genesis.
    pub(crate) fn after(genesis: &Genesis) -> Self {
        let (config, parent) = (&genesis.config, genesis.header(B256::ZERO));
        let (hash, timestamp) = (parent.hash_slow(), genesis.timestamp + BLOCK_TIME);
        Self {
            spec: ChainSpec::turnpike(config),
            context: BlockContext::next(config, &parent, hash, timestamp, &Self::origin()),
        }
    }

    /// Origin of the block after genesis.
    pub(crate) fn origin() -> Origin {
        Origin {
            entry: 0,
            l1_block_number: 1,
            l1_time: 0,
            l1_base_fee: U256::from(1_000_000_000),
            l1_blob_base_fee: U256::from(1),
            l1_hash: B256::ZERO,
        }
    }

    /// The block environment for plain revm.
    pub(crate) fn block_env(&self) -> BlockEnv {
        let header = &self.context.header;
        let blob_fee_fraction = if self.spec.fork.is_enabled_in(SpecId::PRAGUE) {
            BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
        } else {
            BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN
        };
        let excess_blob_gas = header.excess_blob_gas.unwrap_or_default();
        let blob_fee = BlobExcessGasAndPrice::new(excess_blob_gas, blob_fee_fraction);
        BlockEnv {
            number: U256::from(header.number),
            beneficiary: header.beneficiary,
            timestamp: U256::from(header.timestamp),
            gas_limit: header.gas_limit,
            basefee: header.base_fee_per_gas.unwrap_or_default(),
            difficulty: header.difficulty,
            prevrandao: Some(header.mix_hash),
            blob_excess_gas_and_price: Some(blob_fee),
            ..BlockEnv::default()
        }
    }

    /// The fork and limits for plain revm.
    pub(crate) fn cfg_env(&self) -> CfgEnv {
        let mut cfg = CfgEnv::new_with_spec(self.spec.fork).with_chain_id(self.spec.chain_id);
        cfg.tx_gas_limit_cap = self.spec.transaction_gas_limit_max;
        cfg
    }

    /// Plain revm for the measured block.
    pub(crate) fn evm<DB: Database>(&self, db: DB) -> MainnetEvm<MainnetContext<DB>> {
        evm(db, self.cfg_env(), self.block_env())
    }
}

/// Plain revm with mainnet's handler.
pub(crate) fn evm<DB: Database>(
    db: DB,
    cfg: CfgEnv,
    block: BlockEnv,
) -> MainnetEvm<MainnetContext<DB>> {
    Context::mainnet().with_db(db).with_cfg(cfg).with_block(block).build_mainnet()
}
