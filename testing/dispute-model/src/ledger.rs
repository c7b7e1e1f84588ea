//! Money that a contract holds.

use std::collections::BTreeMap;

/// An account.
pub type Account = u32;

/// What one contract took, holds and gave away, in thousandths of an ether.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Paid in, in all.
    pub paid_in: u64,
    /// Held.
    pub held: u64,
    /// Burned.
    pub burned: u64,
    /// Paid back to those that paid it in.
    pub returned: BTreeMap<Account, u64>,
    /// Credited to others for what they did.
    pub credited: BTreeMap<Account, u64>,
}

impl Ledger {
    /// Takes a bond or a stake.
    pub fn take(&mut self, amount: u64) {
        self.paid_in += amount;
        self.held += amount;
    }

    /// Gives a bond or a stake back.
    pub fn give_back(&mut self, account: Account, amount: u64) {
        self.held -= amount;
        *self.returned.entry(account).or_default() += amount;
    }

    /// Burns half, and what does not divide, and credits a quarter to each of two accounts.
    pub fn lose(&mut self, amount: u64, to: [Account; 2]) {
        let quarter = amount / 4;
        self.held -= amount;
        self.burned += amount - 2 * quarter;
        for account in to {
            *self.credited.entry(account).or_default() += quarter;
        }
    }

    /// Asserts that nothing appeared or vanished, and that half of what is lost is burned.
    pub fn assert_conserved(&self) {
        let returned: u64 = self.returned.values().sum();
        let credited: u64 = self.credited.values().sum();
        assert_eq!(self.paid_in, self.held + self.burned + returned + credited, "{self:?}");
        assert!(self.burned >= credited, "{self:?}");
    }
}
