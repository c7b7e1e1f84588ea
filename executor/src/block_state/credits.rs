//! Fees that have not reached their recipients yet.

use alloy_primitives::{Address, U256};
use turnpike_state::StateView;

use super::BlockState;
use crate::base::ViewError;

/// Fees for the few accounts that nearly every transaction pays and hardly any reads.
///
/// The block state sums these fees and pays them to an account when it is loaded, so paying a fee
/// is an addition. In a lane the fees are not paid out, because the recipient's balance depends on
/// other lanes. A lane only notes that the recipient was read.
#[derive(Debug, Default)]
pub(super) struct FeeCredits {
    recipients: [Address; RECIPIENTS_MAX],
    amounts: FeeAmounts,
    /// Number of recipients.
    len: usize,
    /// Whether this is a lane's block state.
    in_lane: bool,
    /// Whether the outcome depends on the order of transactions in other lanes.
    order_matters: bool,
}

/// Maximum number of recipients: the three fee vaults.
const RECIPIENTS_MAX: usize = 3;

/// Amount per recipient.
pub(crate) type FeeAmounts = [U256; RECIPIENTS_MAX];

impl FeeCredits {
    pub(super) fn position(&self, address: &Address) -> Option<usize> {
        self.recipients[..self.len].iter().position(|recipient| recipient == address)
    }

    /// The fees that an account has not received yet.
    #[cfg(feature = "std")]
    pub(super) fn waiting(&self, address: &Address) -> U256 {
        self.position(address).map_or(U256::ZERO, |recipient| self.amounts[recipient])
    }
}

impl<S: StateView> BlockState<S> {
    /// Sets the recipients of [`Self::credit`]. Call it before any account is loaded.
    pub(crate) fn set_credit_recipients(&mut self, recipients: &[Address]) {
        assert!(
            self.tables.accounts.len() == 0,
            "invariant: recipients are named before any account is loaded"
        );
        let mut credits = FeeCredits { len: recipients.len(), ..FeeCredits::default() };
        credits.recipients[..recipients.len()].copy_from_slice(recipients);
        self.credits = credits;
    }

    /// Makes this a lane's block state. Call it before any account is loaded.
    pub(crate) const fn enter_lane(&mut self) {
        self.credits.in_lane = true;
    }

    /// Whether this is a lane's block state.
    pub(crate) const fn is_lane(&self) -> bool {
        self.credits.in_lane
    }

    /// Notes that a lane's outcome depends on the order of transactions in other lanes.
    pub(crate) const fn note_order(&mut self) {
        self.credits.order_matters = true;
    }

    /// Amounts that a lane paid. `None` if its outcome depends on the order of transactions in
    /// other lanes.
    pub(super) fn take_credits(&mut self) -> Option<FeeAmounts> {
        let amounts = core::mem::take(&mut self.credits.amounts);
        let order_matters = core::mem::take(&mut self.credits.order_matters);
        (!order_matters).then_some(amounts)
    }

    /// Pays the recipients, in the order in which they were set. It cannot be undone, so call it at
    /// the end of a transaction.
    pub(crate) fn credit(&mut self, base_fee: u128, tip: u128, l1_fee: &U256) {
        self.credit_all(&[U256::from(base_fee), U256::from(tip), *l1_fee]);
    }

    /// Pays these amounts to the recipients.
    pub(crate) fn credit_all(&mut self, amounts: &FeeAmounts) {
        for (sum, amount) in self.credits.amounts.iter_mut().zip(amounts) {
            *sum = sum.saturating_add(*amount);
        }
    }

    /// Pays an account the fees that it has not received yet.
    #[inline]
    pub(super) fn collect_credit(&mut self, at: usize) {
        let Some(recipient) = self.tables.accounts[at].credit else { return };
        if self.credits.in_lane {
            return self.note_order();
        }
        let amount = core::mem::take(&mut self.credits.amounts[recipient]);
        self.add_balance(at, amount);
    }

    /// Adds to a balance outside of any transaction.
    pub(crate) fn add_balance(&mut self, at: usize, amount: U256) {
        if amount.is_zero() {
            return;
        }
        let entry = &mut self.tables.accounts[at];
        let balance = &mut entry.account.info.balance;
        *balance = balance.saturating_add(amount);
        (entry.exists, entry.changed) = (true, true);
    }

    /// Pays out to all recipients.
    pub(super) fn collect_credits(&mut self) -> Result<(), ViewError<S::Error>> {
        for recipient in 0..self.credits.len {
            if !self.credits.amounts[recipient].is_zero() {
                let at = self.place(self.credits.recipients[recipient])?;
                self.collect_credit(at);
            }
        }
        Ok(())
    }
}

/// The steps of a plain transfer, which is never undone.
impl<S: StateView> BlockState<S> {
    /// The sender's position, if it has no code, this nonce and at least the balance `needed`.
    pub(crate) fn sender_of_transfer(
        &mut self,
        address: Address,
        nonce: u64,
        needed: U256,
    ) -> Result<Option<usize>, ViewError<S::Error>> {
        let at = self.place(address)?;
        self.collect_credit(at);
        let info = &self.tables.accounts[at].account.info;
        let is_ready = info.nonce == nonce
            && nonce < u64::MAX
            && info.is_empty_code_hash()
            && info.balance >= needed;
        Ok(is_ready.then_some(at))
    }

    /// The recipient's position, if it has no code, is no precompile, and its balance does not
    /// overflow.
    pub(crate) fn recipient_of_transfer(
        &mut self,
        address: Address,
        value: U256,
    ) -> Result<Option<usize>, ViewError<S::Error>> {
        if self.warm.is_precompile(&address) {
            return Ok(None);
        }
        let at = self.place(address)?;
        self.collect_credit(at);
        let info = &self.tables.accounts[at].account.info;
        let is_plain = info.is_empty_code_hash() && info.balance.checked_add(value).is_some();
        Ok(is_plain.then_some(at))
    }

    /// Whether an account has neither nonce nor balance nor code.
    pub(crate) fn is_empty_account(&self, at: usize) -> bool {
        self.tables.accounts[at].account.info.is_empty()
    }

    /// Whether an account's balance can grow by this amount.
    pub(crate) fn can_hold(&self, at: usize, amount: U256) -> bool {
        self.tables.accounts[at].account.info.balance.checked_add(amount).is_some()
    }

    /// Marks an account of a plain transfer as owned by this lane. It was assigned to this lane in
    /// advance.
    pub(crate) fn mark_owned(&mut self, at: usize) {
        self.tables.accounts[at].owned = true;
    }

    /// Subtracts from a sufficient balance and bumps the nonce.
    pub(crate) fn charge(&mut self, at: usize, amount: U256) {
        let entry = &mut self.tables.accounts[at];
        let info = &mut entry.account.info;
        let rest = info.balance.checked_sub(amount);
        info.balance = rest.expect("invariant: the sender's balance was checked");
        info.nonce += 1;
        entry.changed = true;
    }
}
