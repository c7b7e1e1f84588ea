use revm::primitives::hardfork::SpecId;
use turnpike_protocol::{
    ChainConfig,
    predeploys::{BASE_FEE_VAULT, L1_FEE_VAULT, SEQUENCER_FEE_VAULT},
};

/// What differs between the chains that one state transition runs: Turnpike's own, and Ethereum's by any of its forks,
/// which is what public tests are written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The hard fork in force, up to Osaka.
    pub fork: SpecId,
    /// Where fees go.
    pub fees: FeeRule,
    /// Types of transaction that are taken, deposits apart.
    pub transactions: TransactionTypes,
    /// The most gas a transaction may ask for, where the fork itself does not say (EIP-7825).
    pub transaction_gas_limit_max: Option<u64>,
    /// A precompile call that would cost more gas runs out of gas instead.
    pub precompile_gas_max: u64,
    /// A precompile call with more input runs out of gas instead.
    pub precompile_input_bytes_max: u64,
    /// Whether a block starts by recording its parent's hash (EIP-2935).
    pub records_parent_hash: bool,
}

/// Where a transaction's fees go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeRule {
    /// Base fee, priority fee and L1 data fee each to a vault.
    Vaults,
    /// Priority fee to the block's beneficiary; the base fee is burnt, and there is no L1 data fee.
    Beneficiary,
}

/// A set of transaction types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionTypes {
    /// Blob transactions (EIP-4844). The other types come and go with the fork.
    pub blobs: bool,
}

/// The newest hard fork that revm and Ethereum's mainnet have in common: in force on Turnpike from genesis on.
pub(crate) const FORK: SpecId = SpecId::OSAKA;

/// The recipients of fees under [`FeeRule::Vaults`]: base fee, priority fee, L1 data fee.
pub(crate) const VAULTS: [alloy_primitives::Address; 3] =
    [BASE_FEE_VAULT, SEQUENCER_FEE_VAULT, L1_FEE_VAULT];

impl ChainSpec {
    /// A Turnpike chain.
    pub const fn turnpike(config: &ChainConfig) -> Self {
        Self {
            chain_id: config.chain_id,
            fork: FORK,
            fees: FeeRule::Vaults,
            transactions: TransactionTypes { blobs: false },
            transaction_gas_limit_max: Some(config.transaction_gas_limit_max()),
            precompile_gas_max: config.precompile_gas_max,
            precompile_input_bytes_max: config.precompile_input_bytes_max,
            records_parent_hash: true,
        }
    }

    /// Ethereum by the rules of one of its forks, without block rewards and system calls.
    pub const fn ethereum(chain_id: u64, fork: SpecId) -> Self {
        Self {
            chain_id,
            fork,
            fees: FeeRule::Beneficiary,
            transactions: TransactionTypes { blobs: true },
            transaction_gas_limit_max: None,
            precompile_gas_max: u64::MAX,
            precompile_input_bytes_max: u64::MAX,
            records_parent_hash: false,
        }
    }
}
