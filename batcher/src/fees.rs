//! What a batch costs on L1, in calldata and in blobs: pure.

use alloy_primitives::U256;
use turnpike_protocol::blobs_for;
use turnpike_tx_manager::{BLOB_GAS, GasPrices};

/// Gas of any transaction.
const TRANSACTION_GAS: u64 = 21_000;

/// Gas of an inbox entry besides its data: one new slot, the log, and its share of the updates. Used
/// to compare costs, never to bid.
const APPEND_GAS: u64 = 60_000;

/// Gas that the first batch of a call takes at most besides its data, and each further one: if the
/// contract has to search the queue for the end of the overdue deposits, as deep as it can.
const FIRST_GAS_MAX: u64 = 135_000;
const FURTHER_GAS_MAX: u64 = 95_000;

/// Bytes of the arguments of `append` besides the data, for one batch.
const APPEND_ARGUMENT_BYTES: u64 = 420;

/// EIP-7623: gas per token of calldata, and its floor.
const TOKEN_GAS: u64 = 4;
const TOKEN_FLOOR_GAS: u64 = 10;

/// EIP-7623: tokens of a non-zero byte.
const NONZERO_TOKENS: u64 = 4;

/// Gas of copying and hashing 32 bytes of calldata.
const WORD_GAS: u64 = 12;

/// Size of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DataSize {
    pub(crate) bytes: usize,
    /// Zero bytes among them.
    pub(crate) zeros: usize,
}

impl DataSize {
    pub(crate) fn of(data: &[u8]) -> Self {
        Self { bytes: data.len(), zeros: data.iter().filter(|byte| **byte == 0).count() }
    }
}

/// Gas that a call which appends `batches` takes at most.
pub(crate) fn append_gas(batches: usize, input: &[u8]) -> u64 {
    let DataSize { bytes, zeros } = DataSize::of(input);
    let tokens = zeros as u64 + (bytes - zeros) as u64 * NONZERO_TOKENS;
    let run = tokens * TOKEN_GAS
        + (bytes as u64).div_ceil(32) * WORD_GAS
        + FIRST_GAS_MAX
        + (batches as u64).saturating_sub(1) * FURTHER_GAS_MAX;
    TRANSACTION_GAS + run.max(tokens * TOKEN_FLOOR_GAS)
}

/// Cost of a batch in calldata at these prices, in wei, in as many entries as it needs.
pub(crate) fn calldata_cost(prices: &GasPrices, size: DataSize, entry_bytes_max: u64) -> U256 {
    let (bytes, zeros) = (size.bytes as u64, size.zeros as u64);
    let entries = bytes.div_ceil(entry_bytes_max.max(1)).max(1);
    let arguments = entries * APPEND_ARGUMENT_BYTES * NONZERO_TOKENS;
    let tokens = zeros + (bytes - zeros) * NONZERO_TOKENS + arguments;
    let run = tokens * TOKEN_GAS + entries * APPEND_GAS + bytes.div_ceil(32) * WORD_GAS;
    let gas = entries * TRANSACTION_GAS + run.max(tokens * TOKEN_FLOOR_GAS);
    U256::from(gas) * U256::from(prices.base_fee.saturating_add(prices.priority_fee))
}

/// Cost of a batch in blobs at these prices, in wei, in as many entries as it needs.
pub(crate) fn blobs_cost(prices: &GasPrices, size: DataSize, entry_blobs_max: u64) -> U256 {
    let blobs = blobs_for(size.bytes) as u64;
    let entries = blobs.div_ceil(entry_blobs_max.max(1)).max(1);
    let arguments = APPEND_ARGUMENT_BYTES * NONZERO_TOKENS * TOKEN_GAS;
    let gas = entries * (TRANSACTION_GAS + APPEND_GAS + arguments);
    U256::from(gas) * U256::from(prices.base_fee.saturating_add(prices.priority_fee))
        + U256::from(blobs * BLOB_GAS) * U256::from(prices.blob_base_fee)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_costs_match_l1_gas_rules() {
        // Without zero bytes, the floor of 40 gas a byte exceeds 16 gas a byte plus the entry.
        let prices = GasPrices { base_fee: 1, priority_fee: 0, blob_base_fee: 1 };
        let size = |bytes| DataSize { bytes, zeros: 0 };
        let calldata = |bytes| calldata_cost(&prices, size(bytes), 98_304);
        assert_eq!(calldata(10_000), U256::from(21_000 + (10_000 + 420) * 40));
        assert_eq!(DataSize::of(&[0, 1, 0]), DataSize { bytes: 3, zeros: 2 });
        let blobs_cost = |bytes| blobs_cost(&prices, size(bytes), 6);
        let blobs = blobs_cost(10_000);
        assert_eq!(blobs, U256::from(21_000 + 60_000 + 420 * 16 + 131_072));
        // A small batch is cheaper in calldata if blob gas costs as much as gas.
        assert!(calldata(100) < blobs_cost(100));
        assert_eq!(blobs_cost(130_045) - blobs_cost(130_044), U256::from(131_072));
    }
}
