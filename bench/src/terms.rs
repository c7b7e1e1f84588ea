use alloy_primitives::{B256, U256};
use revm::{
    Context, Database, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{BlockEnv, CfgEnv},
    handler::MainnetContext,
    primitives::hardfork::SpecId,
};
use turnpike_protocol::{
    Genesis, GenesisAccount, Origin, mix_hash, next_base_fee, predeploys::SEQUENCER_FEE_VAULT,
};

/// Seconds from genesis to the block that is measured.
const BLOCK_TIME: u64 = 60;

/// Under which terms the measured block runs, alike for every implementation.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The rules, and the state of block 0 without any workload's.
    pub(crate) genesis: Genesis,
}

impl Terms {
    /// The development chain's, with no limit on a block and without the L1 fee, which plain revm knows nothing of.
    pub(crate) fn new() -> Self {
        let mut genesis = Genesis::dev();
        genesis.config.block_gas_limit = 1 << 50;
        genesis.config.block_transactions_max = u64::MAX;
        genesis.config.l1_base_fee_scalar = 0;
        genesis.config.l1_blob_base_fee_scalar = 0;
        Self { genesis }
    }

    pub(crate) const fn chain_id(&self) -> u64 {
        self.genesis.config.chain_id
    }

    pub(crate) const fn timestamp(&self) -> u64 {
        self.genesis.timestamp + BLOCK_TIME
    }

    /// Genesis with these accounts.
    pub(crate) fn genesis_with(
        &self,
        accounts: impl Iterator<Item = (alloy_primitives::Address, GenesisAccount)>,
    ) -> Genesis {
        Genesis { alloc: accounts.collect(), ..self.genesis.clone() }
    }

    /// Where the measured block comes from.
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
        let config = &self.genesis.config;
        let parent = self.genesis.header(B256::ZERO);
        BlockEnv {
            number: U256::from(1),
            beneficiary: SEQUENCER_FEE_VAULT,
            timestamp: U256::from(self.timestamp()),
            gas_limit: config.block_gas_limit,
            basefee: next_base_fee(config, &parent),
            prevrandao: Some(mix_hash(&Self::origin(), 1)),
            ..BlockEnv::default()
        }
    }

    /// The chain's fork and flags, as plain revm takes them.
    pub(crate) fn cfg_env(&self) -> CfgEnv {
        let config = &self.genesis.config;
        let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA).with_chain_id(config.chain_id);
        cfg.tx_gas_limit_cap = Some(config.transaction_gas_limit_max());
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
