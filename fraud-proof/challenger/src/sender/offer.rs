//! What is offered for gas: pure.

use alloy_primitives::U256;
use turnpike_l1::{Fees, Prices, SignedCall};

/// The base fee may rise by an eighth with each block: it takes six of them to outrun an offer.
const BASE_FEE_MULTIPLE: u128 = 2;

/// Most that an urgent transaction tips, in what the next block asks for: more than that buys nothing.
const URGENT_TIP_MULTIPLE: u128 = 64;

/// The part of what is left that one urgent transaction may reserve above what the next blocks ask for: others come after it.
const URGENT_SHARE: u128 = 4;

/// What a challenger pays for gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// Most that is offered per gas, in wei, for what has time.
    pub max_fee_per_gas: u128,
    /// L1 blocks that a transaction waits before more is offered for it, if it has time.
    pub bump_blocks: u64,
    /// L1 blocks before its deadline from which on a transaction pays what it takes, up to a share of the balance.
    pub urgent_blocks: u64,
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self { max_fee_per_gas: 100_000_000_000, bump_blocks: 3, urgent_blocks: 20 }
    }
}

/// How much a transaction is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It can wait until gas is cheap enough.
    HasTime,
    /// It has to be in one of the next blocks.
    Urgent,
}

/// What to offer at these prices, in place of what was offered before, if that lies within the limit per gas.
pub(crate) fn offer(
    prices: &Prices,
    replaced: Option<&Fees>,
    limit: u128,
    urgency: Urgency,
) -> Option<Fees> {
    let Prices { base_fee, priority_fee, .. } = *prices;
    if base_fee.saturating_add(priority_fee) > limit {
        return None;
    }
    // Pools ask for a tenth more of both, if something is to be replaced.
    let least = |fee: u128| fee.saturating_add(fee / 8).saturating_add(1);
    let (least_max, least_tip) = replaced
        .map_or((0, 0), |fees| (least(fees.max_fee_per_gas), least(fees.max_priority_fee_per_gas)));
    // What the others pay has not been enough.
    let raised_tip = replaced.filter(|_| urgency == Urgency::Urgent).map_or(0, |fees| {
        fees.max_priority_fee_per_gas.saturating_mul(2).min(limit.saturating_sub(base_fee))
    });
    let tip_max = base_fee.saturating_add(priority_fee).saturating_mul(URGENT_TIP_MULTIPLE);
    let tip = priority_fee.max(least_tip).max(raised_tip.min(tip_max));
    if urgency == Urgency::Urgent && tip > tip_max {
        return None;
    }
    let fresh = base_fee.saturating_mul(BASE_FEE_MULTIPLE).saturating_add(tip).min(limit);
    let max_fee = fresh.max(least_max).max(tip);
    (max_fee <= limit).then_some(Fees {
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: tip,
        max_fee_per_blob_gas: 0,
    })
}

/// Most that a transaction can take from its account, in wei.
pub(crate) fn worst_cost(tx: &SignedCall) -> U256 {
    tx.call.value + U256::from(tx.gas_limit) * U256::from(tx.fees.max_fee_per_gas)
}

/// Most that can be offered per gas by an account that has so much left.
pub(crate) fn affordable(available: U256, value: U256, gas_limit: u64) -> u128 {
    let left = available.saturating_sub(value);
    left.checked_div(U256::from(gas_limit)).unwrap_or_default().saturating_to()
}

/// Most that an urgent transaction may offer per gas, of what the account can pay.
pub(crate) fn urgent_limit(can_pay: u128, prices: &Prices) -> u128 {
    let asked = prices.base_fee.saturating_add(prices.priority_fee);
    can_pay.min(asked.saturating_mul(BASE_FEE_MULTIPLE).max(can_pay / URGENT_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices { base_fee: 100, priority_fee: 10, blob_base_fee: 1 };

    fn fees(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> Fees {
        Fees { max_fee_per_gas, max_priority_fee_per_gas, max_fee_per_blob_gas: 0 }
    }

    #[test]
    fn a_first_offer_leaves_room_up_to_the_limit() {
        assert_eq!(offer(&PRICES, None, 1_000, Urgency::HasTime), Some(fees(210, 10)));
        assert_eq!(offer(&PRICES, None, 150, Urgency::HasTime), Some(fees(150, 10)));
        assert_eq!(offer(&PRICES, None, 109, Urgency::HasTime), None, "it would only wait");
    }

    #[test]
    fn a_replacement_is_what_pools_take() {
        let waiting = fees(210, 10);
        let dearer = offer(&PRICES, Some(&waiting), 1_000, Urgency::HasTime).expect("within");
        assert!(dearer.max_fee_per_gas * 10 >= waiting.max_fee_per_gas * 11);
        assert_eq!(dearer.max_priority_fee_per_gas, 12);
        assert_eq!(offer(&PRICES, Some(&waiting), 230, Urgency::HasTime), None);
        let spike = Prices { base_fee: 10_000, ..PRICES };
        assert_eq!(offer(&spike, Some(&waiting), 1_000, Urgency::HasTime), None);
        let dearer = offer(&spike, Some(&waiting), u128::MAX, Urgency::Urgent).expect("no limit");
        assert_eq!(dearer, fees(20_020, 20));
    }

    #[test]
    fn an_urgent_replacement_doubles_its_tip_as_far_as_it_can() {
        let waiting = fees(210, 40);
        let dearer = offer(&PRICES, Some(&waiting), 1_000, Urgency::Urgent).expect("within");
        assert_eq!(dearer, fees(280, 80));
        let dearer = offer(&PRICES, Some(&waiting), 240, Urgency::Urgent).expect("within");
        assert_eq!(dearer, fees(240, 80));
        let dearer = offer(&PRICES, Some(&waiting), 160, Urgency::Urgent);
        assert_eq!(dearer, None, "no pool takes less than a tenth more");
    }

    #[test]
    fn an_urgent_tip_ends_somewhere() {
        let mut waiting = fees(210, 10);
        while let Some(dearer) = offer(&PRICES, Some(&waiting), u128::MAX, Urgency::Urgent) {
            assert!(dearer.max_priority_fee_per_gas > waiting.max_priority_fee_per_gas);
            assert!(dearer.max_priority_fee_per_gas <= 110 * URGENT_TIP_MULTIPLE);
            waiting = dearer;
        }
        assert!(waiting.max_priority_fee_per_gas > 110 * URGENT_TIP_MULTIPLE / 2);
    }

    #[test]
    fn one_urgent_transaction_reserves_a_share_unless_prices_ask_for_more() {
        assert_eq!(urgent_limit(4_000, &PRICES), 1_000);
        assert_eq!(urgent_limit(400, &PRICES), 220);
        assert_eq!(urgent_limit(150, &PRICES), 150);
    }

    #[test]
    fn what_is_affordable_leaves_the_bond_untouched() {
        let wei = |wei: u64| U256::from(wei);
        assert_eq!(affordable(wei(1_000), wei(400), 100), 6);
        assert_eq!(affordable(wei(300), wei(400), 100), 0);
        assert_eq!(affordable(wei(300), wei(0), 0), 0);
    }
}
