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

/// Under which terms a measured block runs, alike for every implementation.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The chain's rules.
    pub(crate) spec: ChainSpec,
    /// What is known of the block beforehand.
    pub(crate) context: BlockContext,
}

impl Terms {
    /// The development chain, with no limit on a block and without the L1 fee, which plain revm knows nothing of.
    pub(crate) fn genesis() -> Genesis {
        let mut genesis = Genesis::dev();
        genesis.config.block_gas_limit = 1 << 50;
        genesis.config.block_transactions_max = u64::MAX;
        genesis.config.l1_base_fee_scalar = 0;
        genesis.config.l1_blob_base_fee_scalar = 0;
        genesis
    }

    /// Those of the block after genesis.
    pub(crate) fn after(genesis: &Genesis) -> Self {
        let (config, parent) = (&genesis.config, genesis.header(B256::ZERO));
        let (hash, timestamp) = (parent.hash_slow(), genesis.timestamp + BLOCK_TIME);
        Self {
            spec: ChainSpec::turnpike(config),
            context: BlockContext::next(config, &parent, hash, timestamp, &Self::origin()),
        }
    }

    /// Where a block after genesis comes from.
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

    /// The measured block, as plain revm takes it.
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

    /// The chain's fork and flags, as plain revm takes them.
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

/// revm as it is, with mainnet's handler.
pub(crate) fn evm<DB: Database>(
    db: DB,
    cfg: CfgEnv,
    block: BlockEnv,
) -> MainnetEvm<MainnetContext<DB>> {
    Context::mainnet().with_db(db).with_cfg(cfg).with_block(block).build_mainnet()
}
