//! Plain transfers: ether from one account without code to another, without the interpreter.
//!
//! Most of revm's work for a transaction serves code that may run. A transfer runs no code, so a
//! few comparisons and additions are enough. A transfer that is not certainly valid goes to revm,
//! which also reports the reason if it is invalid. This module rejects nothing.

use alloy_primitives::{Address, U256};
use revm::{
    context::{BlockEnv, CfgEnv},
    context_interface::Cfg as _,
    primitives::hardfork::SpecId,
};
use turnpike_state::StateView;

use crate::{
    FeeRule,
    base::ViewError,
    block_state::BlockState,
    plain_transfer::{PlainTransfer, TRANSFER_GAS},
};

/// The costs of a transfer, computed before any change.
struct TransferCosts {
    /// Wei for the gas: the part that the beneficiary receives, and the rest.
    tip: u128,
    base_fee: u128,
    /// Minimum balance of the sender.
    needed: U256,
    /// Wei that the sender pays, including the value.
    paid: U256,
}

impl TransferCosts {
    /// The costs of a transfer, if its own fields are valid.
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
        // The caller checked that the block has this much gas left.
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
    /// Executes a transfer if it is certainly valid. Returns whether it creates an account; `None`
    /// if it did not execute.
    pub(crate) fn transfer_plainly(
        &mut self,
        cfg: &CfgEnv,
        block: &BlockEnv,
        sender: Address,
        tx: &PlainTransfer,
        fees: FeeRule,
        l1_fee: &U256,
    ) -> Result<Option<bool>, ViewError<S::Error>> {
        if tx.to == sender {
            return Ok(None);
        }
        let Some(costs) = TransferCosts::new(cfg, block, tx, l1_fee) else { return Ok(None) };
        let Some(from) = self.sender_of_transfer(sender, tx.nonce, costs.needed)? else {
            return Ok(None);
        };
        let Some(to) = self.recipient_of_transfer(tx.to, tx.value)? else { return Ok(None) };
        let creates_account = self.is_empty_account(to);
        match fees {
            FeeRule::Vaults => self.credit(costs.base_fee, costs.tip, l1_fee),
            FeeRule::Beneficiary if self.is_lane() => self.credit(costs.tip, 0, &U256::ZERO),
            // A reward of zero still touches the account.
            FeeRule::Beneficiary if costs.tip == 0 => return Ok(None),
            FeeRule::Beneficiary => {
                let beneficiary = self.place(block.beneficiary)?;
                let tip = U256::from(costs.tip);
                if !self.can_hold(beneficiary, tip) || !self.can_hold(beneficiary, tip + tx.value) {
                    return Ok(None);
                }
                self.add_balance(beneficiary, tip);
            }
        }
        self.charge(from, costs.paid);
        self.add_balance(to, tx.value);
        self.mark_owned(from);
        self.mark_owned(to);
        Ok(Some(creates_account))
    }
}
