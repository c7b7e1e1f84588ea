//! Plain transfers: ether from one account without code to another, which needs no interpreter.
//!
//! Most of what revm does for a transaction is there for code that may run. A transfer runs none, so that the rules
//! come down to a few comparisons and additions. Whatever is not plainly valid is left to revm, which then also says
//! what is wrong with it: this file refuses nothing.

use alloy_primitives::{Address, TxKind, U256};
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::Cfg as _,
    primitives::hardfork::SpecId,
};
use turnpike_state::StateView;

use crate::{FeeRule, base::ViewError, journal::Journal};

/// Gas of a transaction that carries no data and runs no code, in every fork.
pub(crate) const TRANSFER_GAS: u64 = 21_000;

/// What a transfer does, worked out before anything is changed.
struct Plan {
    to: Address,
    /// Price of a unit of gas, and of that what the beneficiary gets.
    price: u128,
    tip: u128,
    /// What the sender must have.
    needed: U256,
    /// What the sender pays, value included.
    paid: U256,
}

impl Plan {
    /// The plan of a transaction that is a valid transfer as far as it can tell by itself.
    fn new(cfg: &CfgEnv, block: &BlockEnv, tx: &TxEnv, l1_fee: U256) -> Option<Self> {
        let TxKind::Call(to) = tx.kind else { return None };
        let fork = cfg.spec();
        let is_known_type = match tx.tx_type {
            0 => true,
            1 => fork.is_enabled_in(SpecId::BERLIN),
            2 => fork.is_enabled_in(SpecId::LONDON),
            _ => false,
        };
        let is_plain = is_known_type
            && fork.is_enabled_in(SpecId::SPURIOUS_DRAGON)
            && tx.data.is_empty()
            && tx.access_list.is_empty()
            && to != tx.caller
            && !tx.value.is_zero();
        let is_on_chain = match tx.chain_id {
            Some(id) => id == cfg.chain_id,
            None => tx.tx_type == 0,
        };
        let gas_is_right = tx.gas_limit >= TRANSFER_GAS
            && tx.gas_limit <= block.gas_limit
            && tx.gas_limit <= cfg.tx_gas_limit_cap();
        let base_fee = u128::from(block.basefee);
        let price = match (tx.tx_type, tx.gas_priority_fee) {
            (2, Some(tip)) if tip <= tx.gas_price => base_fee.saturating_add(tip).min(tx.gas_price),
            (0 | 1, _) => tx.gas_price,
            _ => return None,
        };
        if !is_plain || !is_on_chain || !gas_is_right || price < base_fee {
            return None;
        }
        let cost = |gas: u64, price: u128| U256::from(price).checked_mul(U256::from(gas));
        let needed =
            cost(tx.gas_limit, tx.gas_price)?.checked_add(tx.value)?.checked_add(l1_fee)?;
        let paid = cost(TRANSFER_GAS, price)?.checked_add(tx.value)?.checked_add(l1_fee)?;
        let tip = if fork.is_enabled_in(SpecId::LONDON) { price - base_fee } else { price };
        Some(Self { to, price, tip, needed, paid })
    }
}

impl<S: StateView> Journal<S> {
    /// Runs a transaction if it is plainly a valid transfer: says whether it did.
    pub(crate) fn transfer_plainly(
        &mut self,
        cfg: &CfgEnv,
        block: &BlockEnv,
        tx: &TxEnv,
        fees: FeeRule,
        l1_fee: U256,
    ) -> Result<bool, ViewError<S::Error>> {
        let Some(plan) = Plan::new(cfg, block, tx, l1_fee) else { return Ok(false) };
        let Some(from) = self.sender_of_transfer(tx.caller, tx.nonce, plan.needed)? else {
            return Ok(false);
        };
        let Some(to) = self.recipient_of_transfer(plan.to, tx.value)? else { return Ok(false) };
        let reward = U256::from(plan.tip) * U256::from(TRANSFER_GAS);
        match fees {
            FeeRule::Vaults => {
                let base_fee = U256::from(plan.price - plan.tip) * U256::from(TRANSFER_GAS);
                self.credit([base_fee, reward, l1_fee]);
            }
            // A reward of nothing still touches the account.
            FeeRule::Beneficiary if reward.is_zero() => return Ok(false),
            FeeRule::Beneficiary => {
                let beneficiary = self.place(block.beneficiary)?;
                self.give(beneficiary, reward);
            }
        }
        self.pay(from, plan.paid);
        self.give(to, tx.value);
        Ok(true)
    }
}
