//! The parameters of a chain and their validation.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Decodable as _, Encodable as _, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{ATTRIBUTES_GAS_LIMIT, BatchLimits, CHUNK_BYTES_MAX, TAIL_BLOCKS_MAX};

/// Maximum gas limit of one transaction (EIP-7825). Deposits obey it too.
const TRANSACTION_GAS_LIMIT_MAX: u64 = 1 << 24;

/// Upper bounds that a proof and one L1 transaction can handle. A chain with higher limits could
/// have blocks that nobody can prove.
const PROVABLE: Limits = Limits {
    block_gas: 1 << 28,
    precompile_gas: 6_000_000,
    precompile_input_bytes: CHUNK_BYTES_MAX as u64,
    inflated_bytes: 8 << 20,
    mixed_bytes: 1 << 16,
    blobs: 6,
    output_blocks: 1 << 28,
};

/// Maximum gas or work of a base fee window. With the next two it bounds the base fee's numbers to
/// 128 bits.
const RATE_OF_WINDOW_MAX: u64 = 1 << 38;

/// Maximum backlog, in windows: the base fee is at most e^10 times its minimum.
const BACKLOG_WINDOWS_MAX: u64 = 10;

/// Maximum of the least base fee: 17 gwei.
const BASE_FEE_MIN_MAX: u64 = 1 << 34;

struct Limits {
    block_gas: u64,
    precompile_gas: u64,
    precompile_input_bytes: u64,
    inflated_bytes: u64,
    mixed_bytes: u64,
    blobs: u64,
    /// Of all entries of an output, at most.
    output_blocks: u64,
}

/// The parameters of a chain. They are fixed at genesis, and [`ChainConfig::hash`] commits to them.
///
/// Every limit is part of the rules: two parties with different limits derive different chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainConfig {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Gas limit of every block.
    pub block_gas_limit: u64,
    /// Maximum number of transactions in one block, without deposits.
    pub block_transactions_max: u64,
    /// Gas a second that the chain may use for good. What blocks use beyond it is their backlog.
    pub gas_rate: u64,
    /// Backlog of gas from which on blocks hold deposits only.
    pub gas_backlog_max: u64,
    /// Work a second that the chain may do for good, in nanoseconds of a reference core.
    pub work_rate: u64,
    /// Backlog of work from which on blocks hold deposits only, in nanoseconds.
    pub work_backlog_max: u64,
    /// Seconds of a rate in backlog that multiply the base fee by e.
    pub base_fee_window: u64,
    /// Base fee without backlog, in wei: the least that a block can have.
    pub base_fee_min: u64,
    /// Weight of the L1 base fee in the L1 data fee, in millionths.
    pub l1_base_fee_scalar: u32,
    /// Weight of the L1 blob base fee in the L1 data fee, in millionths.
    pub l1_blob_base_fee_scalar: u32,
    /// Maximum gas of a precompile call, so that L1 can repeat every call. A call that costs more
    /// runs out of gas.
    pub precompile_gas_max: u64,
    /// Maximum input of a precompile call, in bytes. A call with more input runs out of gas.
    pub precompile_input_bytes_max: u64,
    /// Maximum seconds that a block's time may be ahead of its entry's L1 time.
    pub time_drift_max: u64,
    /// Maximum seconds of L1 time between an entry and its origin.
    pub origin_age_max: u64,
    /// Maximum batch bytes, as posted, in an entry whose data is calldata.
    pub entry_bytes_max: u64,
    /// Maximum number of blobs of one entry.
    pub entry_blobs_max: u64,
    /// Maximum inflated batch bytes of one entry.
    pub entry_inflated_bytes_max: u64,
    /// Maximum bytes of one entry that the batch codec's mixed contexts code.
    pub entry_mixed_bytes_max: u64,
    /// Maximum number of blocks in the batch of one entry. Tail blocks come on top.
    pub entry_blocks_max: u64,
    /// Maximum number of deposits that one entry consumes.
    pub entry_deposits_max: u64,
    /// Maximum sum of the gas limits of one block's deposits.
    pub deposit_gas_per_block: u64,
    /// Maximum number of batches in one L1 block.
    pub entries_per_l1_block_max: u16,
    /// Age in seconds at which the next entry must consume a deposit.
    pub force_window: u64,
    /// Maximum number of entries between an output and its parent.
    pub output_entries_max: u64,
    /// Seconds in which an output may be challenged.
    pub challenge_window: u64,
    /// Bond of an output's proposer, in wei.
    pub proposer_bond: U256,
    /// Bond of a challenger and of a defender, in wei.
    pub game_bond: U256,
    /// Seconds that each side of a game has for all its moves.
    pub game_clock: u64,
    /// Minimum seconds that each side has for its next move.
    pub game_increment: u64,
    /// Account that may pause withdrawals for a bounded time, but has no other power; zero for
    /// none.
    pub guardian: Address,
    /// Maximum seconds of a pause. In any period four times as long, withdrawals are paused for at
    /// most this long.
    pub pause_max: u64,
    /// Account that may name another batcher, effective after a delay, but has no other power; zero
    /// for none.
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
    /// A limit is higher than a proof can handle.
    #[error("chain config: `{field}` is {found}, no more than {max} can be proven")]
    Unprovable {
        /// The limit.
        field: &'static str,
        /// The limit's value.
        found: u64,
        /// The limit's upper bound.
        max: u64,
    },
    /// An account of the genesis block has more code than a proof can handle.
    #[error("genesis: {address} has {found} bytes of code, no more than {max} can be proven")]
    Code {
        /// The account.
        address: Address,
        /// Bytes of the account's code.
        found: usize,
        /// Maximum bytes of code.
        max: usize,
    },
    /// The deposits of a block, or the attributes transaction beside them, do not fit one block.
    #[error("chain config: `{field}` is {found}, at least {min} are needed")]
    TooLow {
        /// The limit.
        field: &'static str,
        /// The limit's value.
        found: u64,
        /// The lowest sufficient value.
        min: u64,
    },
    /// The base fee could overflow.
    #[error("chain config: `{field}` is {found}, at most {max} are possible")]
    TooHigh {
        /// The parameter.
        field: &'static str,
        /// The parameter's value.
        found: u64,
        /// The highest possible value.
        max: u64,
    },
    /// The tail blocks of an entry cannot hold its deposits.
    #[error(
        "chain config: entryDepositsMax deposits of 2^24 gas need {needed} blocks of depositGasPerBlock, an entry has {TAIL_BLOCKS_MAX}"
    )]
    DepositsDoNotFit {
        /// Number of blocks that the deposits may need.
        needed: u64,
    },
    /// Naming a batcher would take effect at once.
    #[error("chain config: `keyAdmin` is set, and `keyDelay` is zero")]
    NoKeyDelay,
}

impl ChainConfig {
    /// Maximum gas limit of one transaction (EIP-7825).
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
            mixed_bytes_max: at_most(self.entry_mixed_bytes_max),
        }
    }

    /// Maximum number of blocks that one entry derives, with its tail blocks.
    pub const fn blocks_per_entry_max(&self) -> u64 {
        self.entry_blocks_max.saturating_add(TAIL_BLOCKS_MAX)
    }

    /// Commitment to configuration and genesis block. The inbox's accumulator starts from it.
    pub fn hash(&self, genesis_hash: B256) -> B256 {
        keccak256(self.preimage(genesis_hash))
    }

    /// The bytes that [`Self::hash`] hashes: the configuration's RLP, then the genesis hash.
    pub fn preimage(&self, genesis_hash: B256) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        self.encode(&mut bytes);
        bytes.extend_from_slice(genesis_hash.as_slice());
        bytes
    }

    /// Decodes the configuration and the genesis hash from a [`Self::preimage`]. Returns `None` for
    /// other bytes.
    pub fn from_preimage(mut bytes: &[u8]) -> Option<(Self, B256)> {
        let config = Self::decode(&mut bytes).ok()?;
        Some((config, B256::try_from(bytes).ok()?))
    }

    /// Checks the parameters against each other and against the limits of proofs.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let nonzero = [
            (self.chain_id, "chainId"),
            (self.block_transactions_max, "blockTransactionsMax"),
            (self.gas_rate, "gasRate"),
            (self.gas_backlog_max, "gasBacklogMax"),
            (self.work_rate, "workRate"),
            (self.work_backlog_max, "workBacklogMax"),
            (self.base_fee_window, "baseFeeWindow"),
            (self.base_fee_min, "baseFeeMin"),
            (self.precompile_gas_max, "precompileGasMax"),
            (self.precompile_input_bytes_max, "precompileInputBytesMax"),
            (self.origin_age_max, "originAgeMax"),
            (self.entry_bytes_max, "entryBytesMax"),
            (self.entry_blobs_max, "entryBlobsMax"),
            (self.entry_inflated_bytes_max, "entryInflatedBytesMax"),
            (self.entry_blocks_max, "entryBlocksMax"),
            (self.entry_deposits_max, "entryDepositsMax"),
            (self.entries_per_l1_block_max.into(), "entriesPerL1BlockMax"),
            (self.output_entries_max, "outputEntriesMax"),
            (self.game_clock, "gameClock"),
            (self.game_increment, "gameIncrement"),
            (u64::from(!self.proposer_bond.is_zero()), "proposerBond"),
            (u64::from(!self.game_bond.is_zero()), "gameBond"),
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
            (self.entry_mixed_bytes_max, PROVABLE.mixed_bytes, "entryMixedBytesMax"),
            (self.entry_blobs_max, PROVABLE.blobs, "entryBlobsMax"),
            (
                self.output_entries_max.saturating_mul(self.blocks_per_entry_max()),
                PROVABLE.output_blocks,
                "blocks of outputEntriesMax entries",
            ),
        ];
        if let Some((found, max, field)) = provable.into_iter().find(|(found, max, _)| found > max)
        {
            return Err(ConfigError::Unprovable { field, found, max });
        }
        self.check_base_fee()?;
        if self.key_admin != Address::ZERO && self.key_delay == 0 {
            return Err(ConfigError::NoKeyDelay);
        }
        self.check_deposits()
    }

    /// Checks that the base fee does not overflow at any backlog.
    fn check_base_fee(&self) -> Result<(), ConfigError> {
        let of_window = |rate: u64| rate.saturating_mul(self.base_fee_window);
        let (gas, work) = (of_window(self.gas_rate), of_window(self.work_rate));
        let max = |of_window: u64| of_window.saturating_mul(BACKLOG_WINDOWS_MAX);
        for (field, found, max) in [
            ("gasRate times baseFeeWindow", gas, RATE_OF_WINDOW_MAX),
            ("gasBacklogMax", self.gas_backlog_max, max(gas)),
            ("workRate times baseFeeWindow", work, RATE_OF_WINDOW_MAX),
            ("workBacklogMax", self.work_backlog_max, max(work)),
            ("baseFeeMin", self.base_fee_min, BASE_FEE_MIN_MAX),
        ] {
            if found > max {
                return Err(ConfigError::TooHigh { field, found, max });
            }
        }
        Ok(())
    }

    /// Checks that one block holds the largest deposit, and the tail blocks every entry's deposits.
    fn check_deposits(&self) -> Result<(), ConfigError> {
        let per_block = self.deposit_gas_per_block;
        let with_attributes = per_block.saturating_add(ATTRIBUTES_GAS_LIMIT);
        for (field, found, min) in [
            ("depositGasPerBlock", per_block, TRANSACTION_GAS_LIMIT_MAX),
            ("blockGasLimit", self.block_gas_limit, with_attributes),
        ] {
            if found < min {
                return Err(ConfigError::TooLow { field, found, min });
            }
        }
        // Each block but the last holds more than this, or the next deposit would fit it.
        let filled = per_block - TRANSACTION_GAS_LIMIT_MAX + 1;
        let gas = self.entry_deposits_max.saturating_mul(TRANSACTION_GAS_LIMIT_MAX);
        let needed = gas.div_ceil(filled);
        if needed > TAIL_BLOCKS_MAX {
            return Err(ConfigError::DepositsDoNotFit { needed });
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
    fn dev_config_is_valid() {
        assert_eq!(dev().validate(), Ok(()));
    }

    #[test]
    fn hash_commits_to_config_and_genesis() {
        let config = dev();
        let mut other = config.clone();
        other.game_bond += U256::from(1);
        assert_ne!(config.hash(B256::ZERO), other.hash(B256::ZERO));
        assert_ne!(config.hash(B256::ZERO), config.hash(B256::repeat_byte(1)));
    }

    #[test]
    fn config_preimages_round_trip() {
        let genesis_hash = B256::repeat_byte(0xf8);
        let bytes = dev().preimage(genesis_hash);
        assert_eq!(keccak256(&bytes), dev().hash(genesis_hash));
        assert_eq!(ChainConfig::from_preimage(&bytes), Some((dev(), genesis_hash)));
        assert_eq!(ChainConfig::from_preimage(&bytes[..bytes.len() - 1]), None);
        assert_eq!(ChainConfig::from_preimage(&bytes[1..]), None);
    }

    #[test]
    fn limits_beyond_proofs_are_rejected() {
        let config = ChainConfig { precompile_gas_max: 6_000_001, ..dev() };
        let expected =
            ConfigError::Unprovable { field: "precompileGasMax", found: 6_000_001, max: 6_000_000 };
        assert_eq!(config.validate(), Err(expected));
        for config in [
            ChainConfig { block_gas_limit: (1 << 28) + 1, ..dev() },
            ChainConfig { precompile_input_bytes_max: 98_305, ..dev() },
            ChainConfig { entry_inflated_bytes_max: (8 << 20) + 1, ..dev() },
            ChainConfig { entry_mixed_bytes_max: (1 << 16) + 1, ..dev() },
            ChainConfig { entry_blobs_max: 7, ..dev() },
            ChainConfig { output_entries_max: (1 << 20) + 1, ..dev() },
        ] {
            assert!(matches!(config.validate(), Err(ConfigError::Unprovable { .. })));
        }
    }

    #[test]
    fn zeros_and_deposits_beyond_a_block_are_rejected() {
        let config = ChainConfig { base_fee_window: 0, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::Zero("baseFeeWindow")));
        for config in [
            ChainConfig { block_gas_limit: 242_591_909, ..dev() },
            ChainConfig { deposit_gas_per_block: (1 << 24) - 1, ..dev() },
        ] {
            assert!(matches!(config.validate(), Err(ConfigError::TooLow { .. })));
        }
        let config = ChainConfig { entry_deposits_max: 322, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::DepositsDoNotFit { needed: 25 }));
    }

    #[test]
    fn base_fees_that_could_overflow_are_rejected() {
        let base = || ChainConfig {
            gas_rate: 1 << 37,
            base_fee_window: 2,
            work_backlog_max: 10 * 2 * dev().work_rate,
            ..dev()
        };
        assert_eq!(ChainConfig { gas_backlog_max: 10 << 38, ..base() }.validate(), Ok(()));
        for config in [
            ChainConfig { gas_backlog_max: (10 << 38) + 1, ..base() },
            ChainConfig { gas_rate: (1 << 37) + 1, ..base() },
            ChainConfig { work_backlog_max: 10 * 2 * base().work_rate + 1, ..base() },
            ChainConfig { work_rate: (1 << 37) + 1, ..base() },
            ChainConfig { base_fee_min: (1 << 34) + 1, ..dev() },
        ] {
            assert!(matches!(config.validate(), Err(ConfigError::TooHigh { .. })));
        }
    }

    #[test]
    fn bonds_and_the_delay_of_a_key_admin_are_not_zero() {
        let config = ChainConfig { proposer_bond: U256::ZERO, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::Zero("proposerBond")));
        let config = ChainConfig { game_bond: U256::ZERO, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::Zero("gameBond")));
        let config = ChainConfig { key_delay: 0, ..dev() };
        assert_eq!(config.validate(), Err(ConfigError::NoKeyDelay));
        let config = ChainConfig { key_delay: 0, key_admin: Address::ZERO, ..dev() };
        assert_eq!(config.validate(), Ok(()));
    }
}
