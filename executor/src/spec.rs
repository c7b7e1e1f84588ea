//! The rules in which chains differ.

use revm::primitives::hardfork::SpecId;
use turnpike_protocol::{
    ChainConfig,
    predeploys::{BASE_FEE_VAULT, L1_FEE_VAULT, SEQUENCER_FEE_VAULT},
};

/// The rules in which chains differ: those of Turnpike, and those of Ethereum at each fork, which
/// public test suites need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The hard fork in force, up to Osaka.
    pub fork: SpecId,
    /// Recipients of fees.
    pub fees: FeeRule,
    /// Accepted transaction types, besides deposits.
    pub transactions: TransactionTypes,
    /// Maximum gas limit of a transaction, unless the fork sets it (EIP-7825).
    pub transaction_gas_limit_max: Option<u64>,
    /// A precompile call that costs more gas runs out of gas instead.
    pub precompile_gas_max: u64,
    /// A precompile call with more input runs out of gas instead.
    pub precompile_input_bytes_max: u64,
    /// Whether a block starts by recording its parent's hash (EIP-2935).
    pub records_parent_hash: bool,
    /// Whether transactions have work as well as gas.
    pub meters_work: bool,
}

/// Recipients of a transaction's fees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeRule {
    /// Base fee, priority fee and L1 data fee each go to a vault.
    Vaults,
    /// The priority fee goes to the block's beneficiary, and the base fee is burned. There is no L1
    /// data fee.
    Beneficiary,
}

/// A set of transaction types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionTypes {
    /// Blob transactions (EIP-4844). The fork decides about the other types.
    pub blobs: bool,
}

/// The newest hard fork that both revm and Ethereum's mainnet support. Turnpike uses it from
/// genesis on.
pub(crate) const FORK: SpecId = SpecId::OSAKA;

/// Recipients of fees under [`FeeRule::Vaults`]: base fee, priority fee, L1 data fee.
pub(crate) const VAULTS: [alloy_primitives::Address; 3] =
    [BASE_FEE_VAULT, SEQUENCER_FEE_VAULT, L1_FEE_VAULT];

impl ChainSpec {
    /// The rules of a Turnpike chain.
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
            meters_work: true,
        }
    }

    /// Ethereum's rules at a fork, without block rewards and system calls.
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
            meters_work: false,
        }
    }
}
