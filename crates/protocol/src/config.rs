//! The parameters of a chain, and which of them are valid.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Decodable as _, Encodable as _, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{BatchLimits, CHUNK_BYTES_MAX};

/// The most gas one transaction may ask for (EIP-7825). Deposits obey it too.
const TRANSACTION_GAS_LIMIT_MAX: u64 = 1 << 24;

/// Upper bounds of what a proof, and one L1 transaction, can hold. A chain that allowed more could
/// have blocks that nobody can prove.
const PROVABLE: Limits = Limits {
    block_gas: 1_000_000_000,
    precompile_gas: 6_000_000,
    precompile_input_bytes: CHUNK_BYTES_MAX as u64,
    inflated_bytes: 8 << 20,
    blobs: 6,
};

struct Limits {
    block_gas: u64,
    precompile_gas: u64,
    precompile_input_bytes: u64,
    inflated_bytes: u64,
    blobs: u64,
}

/// The parameters of a chain: fixed at genesis, committed to by [`ChainConfig::hash`].
///
/// Every limit is part of the rules: two parties that disagree on one derive different chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainConfig {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Gas limit of every block.
    pub block_gas_limit: u64,
    /// Transactions (deposits apart) in one block, at most.
    pub block_transactions_max: u64,
    /// EIP-1559: gas limit divided by gas target.
    pub base_fee_elasticity: u64,
    /// EIP-1559: the base fee moves by at most one part in this many.
    pub base_fee_denominator: u64,
    /// Base fee of the genesis block, in wei.
    pub initial_base_fee: u64,
    /// Weight of the L1 base fee in the L1 data fee, in millionths.
    pub l1_base_fee_scalar: u32,
    /// Weight of the L1 blob base fee in the L1 data fee, in millionths.
    pub l1_blob_base_fee_scalar: u32,
    /// A precompile call that costs more gas than this runs out of gas, so that L1 can repeat every
    /// call.
    pub precompile_gas_max: u64,
    /// A precompile call with more input than this runs out of gas.
    pub precompile_input_bytes_max: u64,
    /// Seconds that a block's time may be ahead of its entry's L1 time.
    pub time_drift_max: u64,
    /// Entries between an entry and its origin, at most.
    pub origin_lag_max: u64,
    /// Batch bytes in one entry whose data is calldata, as posted.
    pub entry_bytes_max: u64,
    /// Blobs of one entry, at most.
    pub entry_blobs_max: u64,
    /// Batch bytes in one entry, inflated.
    pub entry_inflated_bytes_max: u64,
    /// Blocks that one entry may derive.
    pub entry_blocks_max: u64,
    /// Deposits that one entry consumes at most.
    pub entry_deposits_max: u64,
    /// Age in seconds from which a deposit must be consumed by the next entry.
    pub force_window: u64,
    /// Entries between an output and its parent, at most.
    pub output_entries_max: u64,
    /// Seconds in which an output may be challenged.
    pub challenge_window: u64,
    /// Bond of an output's proposer, in wei.
    pub proposer_bond: U256,
    /// Bond of a challenger and of a defender, in wei.
    pub game_bond: U256,
    /// Seconds that each side of a game has for all its moves.
    pub game_clock: u64,
    /// Seconds that each side has for its next move, at least.
    pub game_increment: u64,
    /// Account that may pause withdrawals for a bounded time, and nothing else; zero for none.
    pub guardian: Address,
    /// Seconds of a pause, at most; also the paused part of any period four times as long, at most.
    pub pause_max: u64,
    /// Account that may name another batcher, effective after a delay, and nothing else; zero for
    /// none.
    pub key_admin: Address,
    /// Seconds until a newly named batcher may post.
    pub key_delay: u64,
}

/// Why a configuration is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A divisor or a limit is zero.
    #[error("chain config: `{0}` must not be zero")]
    Zero(&'static str),
    /// A limit exceeds what can be proven.
    #[error("chain config: `{field}` is {found}, no more than {max} can be proven")]
    Unprovable {
        /// The limit.
        field: &'static str,
        /// Its value.
        found: u64,
        /// Its upper bound.
        max: u64,
    },
    /// An account of the genesis block has more code than can be proven.
    #[error("genesis: {address} has {found} bytes of code, no more than {max} can be proven")]
    Code {
        /// The account.
        address: Address,
        /// Bytes of its code.
        found: usize,
        /// Its upper bound.
        max: usize,
    },
    /// The deposits that an entry may have to carry do not fit one block.
    #[error(
        "chain config: blockGasLimit {limit} is too low for entryDepositsMax deposits of 2^24 gas: {needed} needed"
    )]
    DepositsDoNotFit {
        /// The gas limit found.
        limit: u64,
        /// The least gas limit that suffices.
        needed: u64,
    },
}

impl ChainConfig {
    /// The most gas one transaction may ask for (EIP-7825).
    pub const fn transaction_gas_limit_max(&self) -> u64 {
        TRANSACTION_GAS_LIMIT_MAX
    }

    /// Limits of the decoded batch of one entry.
    pub fn batch_limits(&self) -> BatchLimits {
        let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        BatchLimits {
            blocks_max: at_most(self.entry_blocks_max),
            block_transactions_max: at_most(self.block_transactions_max),
            deposits_max: at_most(self.entry_deposits_max),
            inflated_bytes_max: at_most(self.entry_inflated_bytes_max),
        }
    }

    /// Commitment to configuration and genesis block, from which the inbox's first accumulator
    /// starts.
    pub fn hash(&self, genesis_hash: B256) -> B256 {
        keccak256(self.preimage(genesis_hash))
    }

    /// What [`Self::hash`] hashes: the configuration's RLP, then the genesis hash.
    pub fn preimage(&self, genesis_hash: B256) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        self.encode(&mut bytes);
        bytes.extend_from_slice(genesis_hash.as_slice());
        bytes
    }

    /// The configuration of this preimage, and the genesis hash. `None` for bytes that are not a
    /// [`Self::preimage`].
    pub fn from_preimage(mut bytes: &[u8]) -> Option<(Self, B256)> {
        let config = Self::decode(&mut bytes).ok()?;
        Some((config, B256::try_from(bytes).ok()?))
    }

    /// Checks the parameters against each other and against what can be proven.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let nonzero = [
            (self.chain_id, "chainId"),
            (self.block_transactions_max, "blockTransactionsMax"),
            (self.base_fee_elasticity, "baseFeeElasticity"),
            (self.base_fee_denominator, "baseFeeDenominator"),
            (self.initial_base_fee, "initialBaseFee"),
            (self.precompile_gas_max, "precompileGasMax"),
            (self.precompile_input_bytes_max, "precompileInputBytesMax"),
            (self.origin_lag_max, "originLagMax"),
            (self.entry_bytes_max, "entryBytesMax"),
            (self.entry_blobs_max, "entryBlobsMax"),
            (self.entry_inflated_bytes_max, "entryInflatedBytesMax"),
            (self.entry_blocks_max, "entryBlocksMax"),
            (self.entry_deposits_max, "entryDepositsMax"),
            (self.output_entries_max, "outputEntriesMax"),
            (self.game_clock, "gameClock"),
            (self.game_increment, "gameIncrement"),
        ];
        if let Some((_, name)) = nonzero.into_iter().find(|(value, _)| *value == 0) {
            return Err(ConfigError::Zero(name));
        }
        let provable = [
            (self.block_gas_limit, PROVABLE.block_gas, "blockGasLimit"),
            (self.precompile_gas_max, PROVABLE.precompile_gas, "precompileGasMax"),
            (
                self.precompile_input_bytes_max,
                PROVABLE.precompile_input_bytes,
                "precompileInputBytesMax",
            ),
            (self.entry_inflated_bytes_max, PROVABLE.inflated_bytes, "entryInflatedBytesMax"),
            (self.entry_blobs_max, PROVABLE.blobs, "entryBlobsMax"),
        ];
        if let Some((found, max, field)) = provable.into_iter().find(|(found, max, _)| found > max)
        {
            return Err(ConfigError::Unprovable { field, found, max });
        }
        let needed = self
            .entry_deposits_max
            .saturating_mul(TRANSACTION_GAS_LIMIT_MAX)
            .saturating_add(crate::ATTRIBUTES_GAS_LIMIT);
        if self.block_gas_limit < needed {
            return Err(ConfigError::DepositsDoNotFit { limit: self.block_gas_limit, needed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Genesis;

    fn dev() -> ChainConfig {
        Genesis::dev().config
    }

    #[test]
    fn dev_is_valid() {
        assert_eq!(dev().validate(), Ok(()));
    }

    #[test]
    fn hash_binds_every_part() {
        let config = dev();
        let mut other = config.clone();
        other.game_bond += U256::from(1);
        assert_ne!(config.hash(B256::ZERO), other.hash(B256::ZERO));
        assert_ne!(config.hash(B256::ZERO), config.hash(B256::repeat_byte(1)));
    }

    #[test]
    fn preimages_are_read_back() {
        let genesis_hash = B256::repeat_byte(0xf8);
        let bytes = dev().preimage(genesis_hash);
        assert_eq!(keccak256(&bytes), dev().hash(genesis_hash));
        assert_eq!(ChainConfig::from_preimage(&bytes), Some((dev(), genesis_hash)));
        assert_eq!(ChainConfig::from_preimage(&bytes[..bytes.len() - 1]), None);
        assert_eq!(ChainConfig::from_preimage(&bytes[1..]), None);
    }

    #[test]
    fn rejects_what_could_not_be_proven() {
        let config = ChainConfig { precompile_gas_max: 6_000_001, ..dev() };
        let expected =
            ConfigError::Unprovable { field: "precompileGasMax", found: 6_000_001, max: 6_000_000 };
        assert_eq!(config.validate(), Err(expected));
        for config in [
            ChainConfig { block_gas_limit: 1_000_000_001, ..dev() },
            ChainConfig { precompile_input_bytes_max: 98_305, ..dev() },
            ChainConfig { entry_inflated_bytes_max: (8 << 20) + 1, ..dev() },
            ChainConfig { entry_blobs_max: 7, ..dev() },
        ] {
            assert!(matches!(config.validate(), Err(ConfigError::Unprovable { .. })));
        }
    }

    #[test]
    fn rejects_zero_and_deposits_that_do_not_fit() {
        let config = ChainConfig { base_fee_denominator: 0, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::Zero("baseFeeDenominator")));
        let config = ChainConfig { block_gas_limit: 30_000_000, ..dev() };
        assert!(matches!(config.validate(), Err(ConfigError::DepositsDoNotFit { .. })));
    }
}
