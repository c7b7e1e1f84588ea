//! The L1 data fee (the OP stack's Fjord formula).

use alloy_primitives::U256;

use crate::{ChainConfig, Origin};

/// Gas per byte of L1 calldata in the formula.
const L1_GAS_PER_BYTE: u64 = 16;
/// Scale of the estimated size and of the scalars: millionths.
const SCALE: u64 = 1_000_000;

/// The L1 data fee of the blocks of one origin (the OP stack's Fjord formula): an estimate of a
/// transaction's compressed size times a weighted sum of the L1 fees that the origin recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Fee {
    /// `16 · baseFeeScalar · l1BaseFee + blobBaseFeeScalar · l1BlobBaseFee`.
    scaled_price: U256,
}

impl L1Fee {
    /// The fee for blocks with this origin.
    pub fn new(config: &ChainConfig, origin: &Origin) -> Self {
        let calldata = origin
            .l1_base_fee
            .saturating_mul(U256::from(L1_GAS_PER_BYTE))
            .saturating_mul(U256::from(config.l1_base_fee_scalar));
        let blob =
            origin.l1_blob_base_fee.saturating_mul(U256::from(config.l1_blob_base_fee_scalar));
        Self { scaled_price: calldata.saturating_add(blob) }
    }

    /// Fee of a transaction in wei, from its EIP-2718 bytes.
    pub fn of(&self, encoded_transaction: &[u8]) -> U256 {
        self.of_size(Self::size_of(encoded_transaction))
    }

    /// Fee in wei for this estimated size.
    pub fn of_size(&self, size: u64) -> U256 {
        if self.scaled_price.is_zero() {
            return U256::ZERO;
        }
        self.scaled_price.saturating_mul(U256::from(size)) / U256::from(SCALE * SCALE)
    }

    /// Estimate of a transaction's compressed size, in millionths of a byte.
    pub fn size_of(encoded_transaction: &[u8]) -> u64 {
        op_alloy_flz::tx_estimated_size_fjord(encoded_transaction)
    }

    /// Calldata gas of the estimated compressed size, as receipts report it.
    pub fn gas_of(encoded_transaction: &[u8]) -> u64 {
        op_alloy_flz::data_gas_fjord(encoded_transaction)
    }
}
