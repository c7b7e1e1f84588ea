//! What a transaction bids for gas: pure.

use alloy_primitives::U256;

/// Multiple of the base fee that is bid. The base fee rises by at most an eighth a block: it takes
/// six blocks to outrun a bid.
const BASE_FEE_MULTIPLE: u128 = 2;

/// Largest priority fee of an urgent transaction, in multiples of the next block's price. A larger
/// one buys nothing.
const URGENT_TIP_MULTIPLE: u128 = 64;

/// Part of the remaining balance that one urgent transaction may reserve beyond the next blocks'
/// price: others follow it.
const URGENT_SHARE: u128 = 4;

/// Margin above the gas estimate, in percent: state may change between estimate and inclusion.
const GAS_MARGIN_PERCENT: u64 = 20;

/// Blob gas of a blob (EIP-4844).
pub const BLOB_GAS: u64 = 131_072;

/// What a transaction bids per gas, at most, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Base fee and priority fee together.
    pub max_fee_per_gas: u128,
    /// Priority fee.
    pub max_priority_fee_per_gas: u128,
    /// Blob base fee; zero without blobs.
    pub max_fee_per_blob_gas: u128,
}

/// Prices of the next block, in wei per gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GasPrices {
    /// Base fee.
    pub base_fee: u128,
    /// Priority fee that others pay.
    pub priority_fee: u128,
    /// Blob base fee.
    pub blob_base_fee: u128,
}

/// Largest bids, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeLimits {
    /// Per gas.
    pub max_fee_per_gas: u128,
    /// Per blob gas.
    pub max_fee_per_blob_gas: u128,
}

/// The two types of transactions that pools keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxType {
    /// An ordinary call (EIP-1559).
    Call,
    /// A call with blobs (EIP-4844).
    Blobs,
}

/// What an account pays for gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// Most that a transaction without urgency bids per gas, in wei.
    pub max_fee_per_gas: u128,
    /// Most that a transaction without urgency bids per blob gas, in wei.
    pub max_fee_per_blob_gas: u128,
    /// Blocks after which a pending transaction without urgency is replaced by one that pays more.
    pub bump_blocks: u64,
    /// Blocks before its deadline from which on a transaction bids what it takes, up to a share of
    /// the balance.
    pub urgent_blocks: u64,
    /// Margin above the gas estimate, in percent.
    pub gas_margin_percent: u64,
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self {
            max_fee_per_gas: 100_000_000_000,
            max_fee_per_blob_gas: 100_000_000_000,
            bump_blocks: 3,
            urgent_blocks: 20,
            gas_margin_percent: GAS_MARGIN_PERCENT,
        }
    }
}

/// How soon a transaction has to be on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It can wait until gas is cheap enough.
    Normal,
    /// It has to be in one of the next blocks.
    Urgent,
}

impl FeePolicy {
    /// Limits of a transaction without urgency.
    pub const fn limits(&self) -> FeeLimits {
        FeeLimits {
            max_fee_per_gas: self.max_fee_per_gas,
            max_fee_per_blob_gas: self.max_fee_per_blob_gas,
        }
    }

    /// Gas limit of a call with this estimate.
    pub const fn gas_limit(&self, estimate: u64) -> u64 {
        estimate.saturating_add(estimate.saturating_mul(self.gas_margin_percent) / 100)
    }
}

impl FeeLimits {
    /// No limits.
    pub const NONE: Self = Self { max_fee_per_gas: u128::MAX, max_fee_per_blob_gas: u128::MAX };
}

impl Fees {
    /// Bid at these prices, enough to replace `replaced`. `None` if that exceeds a limit.
    pub fn bid(
        prices: &GasPrices,
        tx_type: TxType,
        replaced: Option<&Self>,
        limits: &FeeLimits,
        urgency: Urgency,
    ) -> Option<Self> {
        let GasPrices { base_fee, priority_fee, blob_base_fee } = *prices;
        let limit = limits.max_fee_per_gas;
        let price = base_fee.saturating_add(priority_fee);
        if price > limit
            || (tx_type == TxType::Blobs && blob_base_fee > limits.max_fee_per_blob_gas)
        {
            return None;
        }
        let least = replaced.map(|fees| fees.bumped(tx_type)).unwrap_or_default();
        // Normal priority fees did not suffice before.
        let raised_tip = replaced.filter(|_| urgency == Urgency::Urgent).map_or(0, |fees| {
            fees.max_priority_fee_per_gas.saturating_mul(2).min(limit.saturating_sub(base_fee))
        });
        let tip_max = price.saturating_mul(URGENT_TIP_MULTIPLE);
        let tip = priority_fee.max(least.max_priority_fee_per_gas).max(raised_tip.min(tip_max));
        if urgency == Urgency::Urgent && tip > tip_max {
            return None;
        }
        let fresh = base_fee.saturating_mul(BASE_FEE_MULTIPLE).saturating_add(tip).min(limit);
        let max_fee_per_gas = fresh.max(least.max_fee_per_gas).max(tip);
        let max_fee_per_blob_gas = match tx_type {
            TxType::Call => 0,
            TxType::Blobs => {
                let fresh = blob_base_fee.saturating_mul(BASE_FEE_MULTIPLE).max(1);
                fresh.min(limits.max_fee_per_blob_gas).max(least.max_fee_per_blob_gas)
            }
        };
        let is_within =
            max_fee_per_gas <= limit && max_fee_per_blob_gas <= limits.max_fee_per_blob_gas;
        is_within.then_some(Self {
            max_fee_per_gas,
            max_priority_fee_per_gas: tip,
            max_fee_per_blob_gas,
        })
    }

    /// Least bid that replaces this one in common pools: twice as much on all three fees for blobs,
    /// and a tenth more on both for calls.
    #[must_use]
    pub fn bumped(&self, tx_type: TxType) -> Self {
        let bump = |fee: u128| match tx_type {
            TxType::Blobs => fee.saturating_mul(2),
            TxType::Call => fee.saturating_add(fee / 8).saturating_add(1),
        };
        Self {
            max_fee_per_gas: bump(self.max_fee_per_gas),
            max_priority_fee_per_gas: bump(self.max_priority_fee_per_gas),
            max_fee_per_blob_gas: bump(self.max_fee_per_blob_gas),
        }
    }

    /// Most that gas and blobs can cost, in wei.
    pub fn worst_cost(&self, gas_limit: u64, blobs: usize) -> U256 {
        let product = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
        product(gas_limit, self.max_fee_per_gas)
            + product(BLOB_GAS.saturating_mul(blobs as u64), self.max_fee_per_blob_gas)
    }
}

/// Largest bid per gas that an account with this much left can pay.
pub(crate) fn affordable(available: U256, value: U256, gas_limit: u64) -> u128 {
    let left = available.saturating_sub(value);
    left.checked_div(U256::from(gas_limit)).unwrap_or_default().saturating_to()
}

/// Largest bid per gas of an urgent transaction, of what the account can pay.
pub(crate) fn urgent_limit(can_pay: u128, prices: &GasPrices) -> u128 {
    let price = prices.base_fee.saturating_add(prices.priority_fee);
    can_pay.min(price.saturating_mul(BASE_FEE_MULTIPLE).max(can_pay / URGENT_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: GasPrices = GasPrices { base_fee: 100, priority_fee: 10, blob_base_fee: 7 };

    fn fees(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> Fees {
        Fees { max_fee_per_gas, max_priority_fee_per_gas, max_fee_per_blob_gas: 0 }
    }

    fn bid(
        prices: &GasPrices,
        replaced: Option<&Fees>,
        limit: u128,
        urgency: Urgency,
    ) -> Option<Fees> {
        let limits = FeeLimits { max_fee_per_gas: limit, max_fee_per_blob_gas: 0 };
        Fees::bid(prices, TxType::Call, replaced, &limits, urgency)
    }

    fn blob_bid(prices: &GasPrices, replaced: Option<&Fees>, limits: (u128, u128)) -> Option<Fees> {
        let limits = FeeLimits { max_fee_per_gas: limits.0, max_fee_per_blob_gas: limits.1 };
        Fees::bid(prices, TxType::Blobs, replaced, &limits, Urgency::Normal)
    }

    #[test]
    fn first_bid_leaves_room_up_to_the_limit() {
        assert_eq!(bid(&PRICES, None, 1_000, Urgency::Normal), Some(fees(210, 10)));
        assert_eq!(bid(&PRICES, None, 150, Urgency::Normal), Some(fees(150, 10)));
        assert_eq!(bid(&PRICES, None, 109, Urgency::Normal), None, "it would only wait");
        let with_blobs = blob_bid(&PRICES, None, (150, 10)).expect("within");
        assert_eq!((with_blobs.max_fee_per_gas, with_blobs.max_fee_per_blob_gas), (150, 10));
        let unlimited = Fees::bid(&PRICES, TxType::Call, None, &FeeLimits::NONE, Urgency::Normal);
        assert_eq!(unlimited, Some(fees(210, 10)));
    }

    #[test]
    fn bid_never_exceeds_the_limit() {
        let spike = GasPrices { base_fee: 10_000, ..PRICES };
        assert_eq!(bid(&spike, None, 150, Urgency::Normal), None);
        let spike = GasPrices { blob_base_fee: 700, ..PRICES };
        assert_eq!(blob_bid(&spike, None, (150, 10)), None);
        assert!(bid(&spike, None, 150, Urgency::Normal).is_some());
        assert_eq!(bid(&PRICES, Some(&fees(150, 0)), 150, Urgency::Normal), None);
    }

    #[test]
    fn replacement_pays_what_pools_ask_for() {
        let pending = fees(210, 10);
        let higher = bid(&PRICES, Some(&pending), 1_000, Urgency::Normal).expect("within");
        assert!(higher.max_fee_per_gas * 10 >= pending.max_fee_per_gas * 11);
        assert_eq!(higher.max_priority_fee_per_gas, 12);
        assert_eq!(bid(&PRICES, Some(&pending), 230, Urgency::Normal), None);
        let spike = GasPrices { base_fee: 10_000, ..PRICES };
        assert_eq!(bid(&spike, Some(&pending), 1_000, Urgency::Normal), None);
        let higher = bid(&spike, Some(&pending), u128::MAX, Urgency::Urgent).expect("no limit");
        assert_eq!(higher, fees(20_020, 20));
    }

    #[test]
    fn replacement_doubles_all_three_fees_with_blobs_and_adds_a_tenth_without() {
        let pending = Fees { max_fee_per_blob_gas: 3, ..fees(100, 1) };
        let bump = pending.bumped(TxType::Call);
        assert!(bump.max_fee_per_gas >= 110 && bump.max_priority_fee_per_gas >= 2);
        assert_eq!(pending.bumped(TxType::Blobs), Fees { max_fee_per_blob_gas: 6, ..fees(200, 2) });
        let pending = Fees { max_fee_per_blob_gas: 30, ..fees(300, 40) };
        let higher = blob_bid(&PRICES, Some(&pending), (1_000, 100)).expect("within");
        assert_eq!(higher, Fees { max_fee_per_blob_gas: 60, ..fees(600, 80) });
        assert_eq!(blob_bid(&PRICES, Some(&pending), (1_000, 59)), None);
    }

    #[test]
    fn urgent_replacement_doubles_its_tip_as_far_as_it_can() {
        let pending = fees(210, 40);
        let higher = bid(&PRICES, Some(&pending), 1_000, Urgency::Urgent).expect("within");
        assert_eq!(higher, fees(280, 80));
        let higher = bid(&PRICES, Some(&pending), 240, Urgency::Urgent).expect("within");
        assert_eq!(higher, fees(240, 80));
        let higher = bid(&PRICES, Some(&pending), 160, Urgency::Urgent);
        assert_eq!(higher, None, "no pool accepts less than a tenth more");
    }

    #[test]
    fn urgent_tip_is_bounded() {
        let mut pending = fees(210, 10);
        while let Some(higher) = bid(&PRICES, Some(&pending), u128::MAX, Urgency::Urgent) {
            assert!(higher.max_priority_fee_per_gas > pending.max_priority_fee_per_gas);
            assert!(higher.max_priority_fee_per_gas <= 110 * URGENT_TIP_MULTIPLE);
            pending = higher;
        }
        assert!(pending.max_priority_fee_per_gas > 110 * URGENT_TIP_MULTIPLE / 2);
    }

    #[test]
    fn urgent_transaction_reserves_a_share_unless_prices_ask_for_more() {
        assert_eq!(urgent_limit(4_000, &PRICES), 1_000);
        assert_eq!(urgent_limit(400, &PRICES), 220);
        assert_eq!(urgent_limit(150, &PRICES), 150);
    }

    #[test]
    fn affordable_bid_leaves_the_bond_untouched() {
        let wei = |wei: u64| U256::from(wei);
        assert_eq!(affordable(wei(1_000), wei(400), 100), 6);
        assert_eq!(affordable(wei(300), wei(400), 100), 0);
        assert_eq!(affordable(wei(300), wei(0), 0), 0);
    }

    #[test]
    fn gas_limit_has_the_margin_of_the_policy() {
        assert_eq!(FeePolicy::default().gas_limit(100_000), 120_000);
        let wide = FeePolicy { gas_margin_percent: 60, ..FeePolicy::default() };
        assert_eq!(wide.gas_limit(100_000), 160_000);
    }
}
