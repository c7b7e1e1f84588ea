use alloy_primitives::U256;
use turnpike_l1::{Fees, Prices};
use turnpike_protocol::{DataKind, blobs_for};

/// Gas of any transaction.
const TRANSACTION_GAS: u64 = 21_000;

/// Gas that the inbox takes for an entry besides its data: one new slot, one update, the log. Compared, never offered.
const APPEND_GAS: u64 = 85_000;

/// Bytes of an `append`'s arguments besides the data.
const APPEND_ARGUMENT_BYTES: u64 = 196;

/// EIP-7623: gas per token of calldata, and the least that it may come to.
const TOKEN_GAS: u64 = 4;
const TOKEN_FLOOR_GAS: u64 = 10;

/// EIP-7623: tokens of a byte that is not zero.
const NONZERO_TOKENS: u64 = 4;

/// Gas of hashing 32 bytes of calldata, memory and copying included.
const WORD_GAS: u64 = 12;

/// EIP-4844: blob gas of a blob.
pub(crate) const BLOB_GAS: u64 = 131_072;

/// What is left of the base fee's rise is paid for: blocks until it outruns an offer.
const BASE_FEE_MULTIPLE: u128 = 2;

/// Most that is offered, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeeLimits {
    pub(crate) max_fee_per_gas: u128,
    pub(crate) max_fee_per_blob_gas: u128,
}

/// What to offer at these prices, and at least `floor`, if that lies within the limits.
pub(crate) fn offer(
    prices: &Prices,
    kind: DataKind,
    floor: Option<&Fees>,
    limits: Option<&FeeLimits>,
) -> Option<Fees> {
    let unlimited = FeeLimits { max_fee_per_gas: u128::MAX, max_fee_per_blob_gas: u128::MAX };
    let limits = limits.unwrap_or(&unlimited);
    let needed = prices.base_fee.saturating_add(prices.priority_fee);
    let blobs = kind == DataKind::Blobs;
    if needed > limits.max_fee_per_gas
        || (blobs && prices.blob_base_fee > limits.max_fee_per_blob_gas)
    {
        return None;
    }
    let ahead = |price: u128| price.saturating_mul(BASE_FEE_MULTIPLE);
    let floor = floor.copied().unwrap_or_default();
    let fresh = ahead(prices.base_fee).saturating_add(prices.priority_fee);
    let max_fee_per_gas = fresh.min(limits.max_fee_per_gas).max(floor.max_fee_per_gas);
    let fresh = ahead(prices.blob_base_fee).max(1);
    let max_fee_per_blob_gas =
        fresh.min(limits.max_fee_per_blob_gas).max(floor.max_fee_per_blob_gas);
    let fees = Fees {
        max_fee_per_gas,
        max_priority_fee_per_gas: prices
            .priority_fee
            .max(floor.max_priority_fee_per_gas)
            .min(max_fee_per_gas),
        max_fee_per_blob_gas: if blobs { max_fee_per_blob_gas } else { 0 },
    };
    let within = fees.max_fee_per_gas <= limits.max_fee_per_gas
        && fees.max_fee_per_blob_gas <= limits.max_fee_per_blob_gas;
    within.then_some(fees)
}

/// The least that replaces a transaction in the pools of L1's nodes: blobs have to pay twice as much, others a tenth more.
pub(crate) fn bumped(fees: &Fees, kind: DataKind) -> Fees {
    let bump = |fee: u128| match kind {
        DataKind::Blobs => fee.saturating_mul(2),
        DataKind::None | DataKind::Calldata => fee.saturating_add(fee / 8).saturating_add(1),
    };
    Fees {
        max_fee_per_gas: bump(fees.max_fee_per_gas),
        max_priority_fee_per_gas: bump(fees.max_priority_fee_per_gas),
        max_fee_per_blob_gas: bump(fees.max_fee_per_blob_gas),
    }
}

/// The larger of each.
pub(crate) fn larger(a: &Fees, b: &Fees) -> Fees {
    Fees {
        max_fee_per_gas: a.max_fee_per_gas.max(b.max_fee_per_gas),
        max_priority_fee_per_gas: a.max_priority_fee_per_gas.max(b.max_priority_fee_per_gas),
        max_fee_per_blob_gas: a.max_fee_per_blob_gas.max(b.max_fee_per_blob_gas),
    }
}

/// Most that a transaction may cost, in wei.
pub(crate) fn worst_cost(fees: &Fees, gas_limit: u64, blobs: usize) -> U256 {
    let product = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
    product(gas_limit, fees.max_fee_per_gas)
        + product(BLOB_GAS.saturating_mul(blobs as u64), fees.max_fee_per_blob_gas)
}

/// How large a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DataSize {
    pub(crate) bytes: usize,
    /// Bytes of it that are zero.
    pub(crate) zeros: usize,
}

impl DataSize {
    pub(crate) fn of(data: &[u8]) -> Self {
        Self { bytes: data.len(), zeros: data.iter().filter(|byte| **byte == 0).count() }
    }
}

/// What a batch costs in calldata at these prices, in wei, in as many entries as it takes.
pub(crate) fn calldata_cost(prices: &Prices, size: DataSize, entry_bytes_max: u64) -> U256 {
    let (bytes, zeros) = (size.bytes as u64, size.zeros as u64);
    let entries = bytes.div_ceil(entry_bytes_max.max(1)).max(1);
    let arguments = entries * APPEND_ARGUMENT_BYTES * NONZERO_TOKENS;
    let tokens = zeros + (bytes - zeros) * NONZERO_TOKENS + arguments;
    let run = tokens * TOKEN_GAS + entries * APPEND_GAS + bytes.div_ceil(32) * WORD_GAS;
    let gas = entries * TRANSACTION_GAS + run.max(tokens * TOKEN_FLOOR_GAS);
    U256::from(gas) * U256::from(prices.base_fee.saturating_add(prices.priority_fee))
}

/// What a batch costs in blobs at these prices, in wei, in as many entries as it takes.
pub(crate) fn blobs_cost(prices: &Prices, size: DataSize, entry_blobs_max: u64) -> U256 {
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

    const PRICES: Prices = Prices { base_fee: 100, priority_fee: 10, blob_base_fee: 7 };
    const LIMITS: FeeLimits = FeeLimits { max_fee_per_gas: 150, max_fee_per_blob_gas: 10 };

    #[test]
    fn an_offer_leaves_room_below_the_limit() {
        let fees = offer(&PRICES, DataKind::Calldata, None, None).expect("no limit");
        assert_eq!((fees.max_fee_per_gas, fees.max_priority_fee_per_gas), (210, 10));
        assert_eq!(fees.max_fee_per_blob_gas, 0);
        let fees = offer(&PRICES, DataKind::Blobs, None, Some(&LIMITS)).expect("within");
        assert_eq!((fees.max_fee_per_gas, fees.max_fee_per_blob_gas), (150, 10));
    }

    #[test]
    fn nothing_is_offered_above_the_limit() {
        let spike = Prices { base_fee: 10_000, ..PRICES };
        assert_eq!(offer(&spike, DataKind::Calldata, None, Some(&LIMITS)), None);
        let spike = Prices { blob_base_fee: 700, ..PRICES };
        assert_eq!(offer(&spike, DataKind::Blobs, None, Some(&LIMITS)), None);
        assert!(offer(&spike, DataKind::Calldata, None, Some(&LIMITS)).is_some());
        let sent = Fees { max_fee_per_gas: 150, ..Fees::default() };
        let floor = bumped(&sent, DataKind::Calldata);
        assert_eq!(offer(&PRICES, DataKind::Calldata, Some(&floor), Some(&LIMITS)), None);
    }

    #[test]
    fn replacements_pay_what_pools_ask_for() {
        let fees =
            Fees { max_fee_per_gas: 100, max_priority_fee_per_gas: 1, max_fee_per_blob_gas: 3 };
        let bump = bumped(&fees, DataKind::Calldata);
        assert!(bump.max_fee_per_gas >= 110 && bump.max_priority_fee_per_gas >= 2);
        let bump = bumped(&fees, DataKind::Blobs);
        assert_eq!((bump.max_fee_per_gas, bump.max_fee_per_blob_gas), (200, 6));
    }

    #[test]
    fn costs_follow_the_rules_of_l1() {
        // No byte is zero: the floor of 40 gas each is more than 16 each and the entry itself.
        let prices = Prices { base_fee: 1, priority_fee: 0, blob_base_fee: 1 };
        let size = |bytes| DataSize { bytes, zeros: 0 };
        let calldata = |bytes| calldata_cost(&prices, size(bytes), 98_304);
        assert_eq!(calldata(10_000), U256::from(21_000 + (10_000 + 196) * 40));
        assert_eq!(DataSize::of(&[0, 1, 0]), DataSize { bytes: 3, zeros: 2 });
        let blobs_cost = |bytes| blobs_cost(&prices, size(bytes), 6);
        let blobs = blobs_cost(10_000);
        assert_eq!(blobs, U256::from(21_000 + 85_000 + 196 * 16 + 131_072));
        // A small batch does not pay for a blob that costs as much per gas.
        assert!(calldata(100) < blobs_cost(100));
        assert_eq!(blobs_cost(130_045) - blobs_cost(130_044), U256::from(131_072));
    }
}
