//! Plain transfers: ether from one account without code to another, which needs no interpreter.
//!
//! Most of what revm does for a transaction is there for code that may run. A transfer runs none, so that the rules
//! come down to a few comparisons and additions. Whatever is not plainly valid is left to revm, which then also says
//! what is wrong with it: this file refuses nothing.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, TxKind, U256};
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::Cfg as _,
    primitives::hardfork::SpecId,
};
use turnpike_protocol::TxEnvelope;
use turnpike_state::StateView;

use crate::{FeeRule, base::ViewError, block_state::BlockState};

/// Gas of a transaction that carries no data and runs no code, in every fork.
pub(crate) const TRANSFER_GAS: u64 = 21_000;

/// A transaction that carries ether to an address and no data, as far as it can tell by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainTransfer {
    /// EIP-2718 type: legacy, 2930 or 1559.
    pub tx_type: u8,
    /// Chain it is meant for; `None` for any.
    pub chain_id: Option<u64>,
    /// The sender's nonce.
    pub nonce: u64,
    /// Gas it may use.
    pub gas_limit: u64,
    /// The most it pays for a unit of gas, in wei.
    pub max_fee_per_gas: u128,
    /// The most the beneficiary gets of that, if it says so.
    pub max_priority_fee_per_gas: Option<u128>,
    /// Recipient.
    pub to: Address,
    /// Wei, not zero.
    pub value: U256,
}

impl PlainTransfer {
    /// A transaction in revm's form, if it is one.
    pub fn from_env(env: &TxEnv) -> Option<Self> {
        let TxKind::Call(to) = env.kind else { return None };
        let is_plain = env.tx_type <= 2 && env.data.is_empty() && env.access_list.is_empty();
        (is_plain && !env.value.is_zero()).then_some(Self {
            tx_type: env.tx_type,
            chain_id: env.chain_id,
            nonce: env.nonce,
            gas_limit: env.gas_limit,
            max_fee_per_gas: env.gas_price,
            max_priority_fee_per_gas: env.gas_priority_fee,
            to,
            value: env.value,
        })
    }

    /// A user's transaction, if it is one.
    pub(crate) fn from_envelope(tx: &TxEnvelope) -> Option<Self> {
        let (tx_type, access_list) = match tx {
            TxEnvelope::Legacy(_) => (0, None),
            TxEnvelope::Eip2930(tx) => (1, tx.access_list()),
            TxEnvelope::Eip1559(tx) => (2, tx.access_list()),
            _ => return None,
        };
        let TxKind::Call(to) = tx.kind() else { return None };
        let is_plain = tx.input().is_empty() && access_list.is_none_or(|list| list.is_empty());
        (is_plain && !tx.value().is_zero()).then(|| Self {
            tx_type,
            chain_id: tx.chain_id(),
            nonce: tx.nonce(),
            gas_limit: tx.gas_limit(),
            max_fee_per_gas: tx.max_fee_per_gas(),
            max_priority_fee_per_gas: tx.max_priority_fee_per_gas(),
            to,
            value: tx.value(),
        })
    }
}

/// What a transfer does, worked out before anything is changed.
struct TransferCosts {
    /// Wei for the gas: what the beneficiary gets, and what it does not.
    tip: u128,
    base_fee: u128,
    /// What the sender must have.
    needed: U256,
    /// What the sender pays, value included.
    paid: U256,
}

impl TransferCosts {
    /// The plan of a transfer that is valid as far as it can tell by itself.
    fn new(cfg: &CfgEnv, block: &BlockEnv, tx: &PlainTransfer, l1_fee: &U256) -> Option<Self> {
        let fork = cfg.spec();
        let is_in_force = fork.is_enabled_in(match tx.tx_type {
            0 => SpecId::SPURIOUS_DRAGON,
            1 => SpecId::BERLIN,
            _ => SpecId::LONDON,
        });
        let is_on_chain = match tx.chain_id {
            Some(id) => id == cfg.chain_id,
            None => tx.tx_type == 0,
        };
        // That the block has so much gas left is seen to before.
        let gas_is_right = tx.gas_limit >= TRANSFER_GAS && tx.gas_limit <= cfg.tx_gas_limit_cap();
        let base_fee = u128::from(block.basefee);
        let price = match (tx.tx_type, tx.max_priority_fee_per_gas) {
            (2, Some(tip)) if tip <= tx.max_fee_per_gas => {
                base_fee.saturating_add(tip).min(tx.max_fee_per_gas)
            }
            (0 | 1, _) => tx.max_fee_per_gas,
            _ => return None,
        };
        if !is_in_force || !is_on_chain || !gas_is_right || price < base_fee {
            return None;
        }
        let cost = |gas: u64, price: u128| price.checked_mul(u128::from(gas));
        let needed = cost(tx.gas_limit, tx.max_fee_per_gas)?;
        let paid = cost(TRANSFER_GAS, price)?;
        let has_base_fee = fork.is_enabled_in(SpecId::LONDON);
        let base_fee = if has_base_fee { cost(TRANSFER_GAS, base_fee)? } else { 0 };
        let carried = tx.value.checked_add(*l1_fee)?;
        Some(Self {
            tip: paid - base_fee,
            base_fee,
            needed: carried.checked_add(U256::from(needed))?,
            paid: carried.checked_add(U256::from(paid))?,
        })
    }
}

impl<S: StateView> BlockState<S> {
    /// Runs a transfer if it is plainly valid: says whether it did.
    pub(crate) fn transfer_plainly(
        &mut self,
        cfg: &CfgEnv,
        block: &BlockEnv,
        sender: Address,
        tx: &PlainTransfer,
        fees: FeeRule,
        l1_fee: &U256,
    ) -> Result<bool, ViewError<S::Error>> {
        if tx.to == sender {
            return Ok(false);
        }
        let Some(costs) = TransferCosts::new(cfg, block, tx, l1_fee) else { return Ok(false) };
        let Some(from) = self.sender_of_transfer(sender, tx.nonce, costs.needed)? else {
            return Ok(false);
        };
        let Some(to) = self.recipient_of_transfer(tx.to, tx.value)? else { return Ok(false) };
        match fees {
            FeeRule::Vaults => self.credit(costs.base_fee, costs.tip, l1_fee),
            FeeRule::Beneficiary if self.is_lane() => self.credit(costs.tip, 0, &U256::ZERO),
            // A reward of nothing still touches the account.
            FeeRule::Beneficiary if costs.tip == 0 => return Ok(false),
            FeeRule::Beneficiary => {
                let beneficiary = self.place(block.beneficiary)?;
                let tip = U256::from(costs.tip);
                if !self.can_hold(beneficiary, tip) || !self.can_hold(beneficiary, tip + tx.value) {
                    return Ok(false);
                }
                self.give(beneficiary, tip);
            }
        }
        self.pay(from, costs.paid);
        self.give(to, tx.value);
        self.own(from);
        self.own(to);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
    use alloy_eips::eip2930::{AccessList, AccessListItem};
    use alloy_primitives::{Bytes, Signature};

    use turnpike_protocol::ecrecover;

    use super::*;
    use crate::env::tx_env;

    #[test]
    fn both_forms_of_a_transaction_say_the_same() {
        let to = TxKind::Call(Address::repeat_byte(1));
        let listed = AccessList(vec![AccessListItem::default()]);
        let signature = Signature::test_signature();
        let mut transfers = 0;
        for (kind, input, value, list) in [
            (to, Bytes::new(), 5, AccessList::default()),
            (to, Bytes::new(), 0, AccessList::default()),
            (to, Bytes::from_static(&[0]), 5, AccessList::default()),
            (TxKind::Create, Bytes::new(), 5, AccessList::default()),
            (to, Bytes::new(), 5, listed),
        ] {
            let (value, nonce, gas_limit) = (U256::from(value), 3, 21_000);
            let legacy = TxLegacy {
                chain_id: Some(7),
                nonce,
                gas_price: 9,
                gas_limit,
                to: kind,
                value,
                input: input.clone(),
            };
            let listing = TxEip2930 {
                chain_id: 7,
                nonce,
                gas_price: 9,
                gas_limit,
                to: kind,
                value,
                input: input.clone(),
                access_list: list.clone(),
            };
            let dynamic = TxEip1559 {
                chain_id: 7,
                nonce,
                gas_limit,
                max_fee_per_gas: 9,
                max_priority_fee_per_gas: 2,
                to: kind,
                value,
                input,
                access_list: list,
            };
            let envelopes: [TxEnvelope; 3] = [
                legacy.into_signed(signature).into(),
                listing.into_signed(signature).into(),
                dynamic.into_signed(signature).into(),
            ];
            for envelope in envelopes {
                let transfer = PlainTransfer::from_envelope(&envelope);
                assert_eq!(
                    transfer,
                    PlainTransfer::from_env(&tx_env(&envelope, Address::ZERO, &mut ecrecover))
                );
                transfers += usize::from(transfer.is_some());
            }
        }
        // All three types of the first, and the legacy form of the last, which has no list.
        assert_eq!(transfers, 4);
        let delegating: TxEnvelope =
            TxEip7702 { value: U256::from(5), ..Default::default() }.into_signed(signature).into();
        assert_eq!(PlainTransfer::from_envelope(&delegating), None);
        assert_eq!(
            PlainTransfer::from_env(&tx_env(&delegating, Address::ZERO, &mut ecrecover)),
            None
        );
    }
}
