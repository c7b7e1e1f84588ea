//! The gas that a block has left.

use turnpike_protocol::{BLOCK_GAS, SKIPPED_GAS, TRANSACTION_GAS_MIN};

/// The backlog that a block opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBacklog {
    /// Gas that the blocks before it used beyond the chain's rate.
    pub gas: u64,
    /// Backlog from which on blocks hold deposits only.
    pub gas_max: u64,
}

/// Gas that transactions used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GasUsed {
    pub(crate) all: u64,
    /// Thereof by deposits.
    deposits: u64,
}

impl GasUsed {
    /// Counts a transaction.
    pub(crate) fn count(&mut self, gas: u64, is_deposit: bool) {
        self.add(Self { all: gas, deposits: if is_deposit { gas } else { 0 } });
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.deposits = self.deposits.saturating_add(other.deposits);
    }
}

/// Counts the gas of a block.
#[derive(Clone, Debug)]
pub(crate) struct BlockGas {
    /// The header's limit.
    limit: u64,
    /// `None` on chains without backlogs.
    backlog: Option<OpenBacklog>,
    pub(crate) used: GasUsed,
    /// What the block and its skipped transactions are charged.
    charged: u64,
    /// Charge for a skipped transaction.
    skipped_gas: u64,
}

impl BlockGas {
    pub(crate) const fn new(limit: u64, backlog: Option<OpenBacklog>) -> Self {
        let (charged, skipped_gas) =
            if backlog.is_some() { (BLOCK_GAS, SKIPPED_GAS) } else { (0, 0) };
        let used = GasUsed { all: 0, deposits: 0 };
        Self { limit, backlog, used, charged, skipped_gas }
    }

    /// Gas that users' transactions may still use. Deposits use gas, but none of the backlog's
    /// room.
    pub(crate) fn remaining(&self) -> u64 {
        let limit = self.backlog_limit().map_or(self.limit, |limit| limit.min(self.limit));
        limit.saturating_sub(self.spent())
    }

    /// Whether the backlog leaves less than the header's limit. A later block has more.
    #[cfg(feature = "std")]
    pub(crate) fn is_gas_backlogged(&self) -> bool {
        self.backlog_limit().is_some_and(|limit| limit < self.limit)
    }

    fn backlog_limit(&self) -> Option<u64> {
        let OpenBacklog { gas, gas_max } = self.backlog?;
        Some(self.used.deposits.saturating_add(gas_max.saturating_sub(gas)))
    }

    /// Whether the block takes no more users' transactions. They are dropped at no charge.
    pub(crate) fn is_full(&self) -> bool {
        self.backlog.is_some() && self.remaining() < TRANSACTION_GAS_MIN
    }

    /// Gas of which transactions may use all without leaving the block full before one of them.
    #[cfg(feature = "std")]
    pub(crate) fn before_full(&self) -> u64 {
        match self.backlog {
            None => self.remaining(),
            Some(_) => self.remaining().saturating_sub(TRANSACTION_GAS_MIN),
        }
    }

    /// Charges for skipped transactions.
    pub(crate) fn skip(&mut self, transactions: u64) {
        let charge = transactions.saturating_mul(self.skipped_gas);
        self.charged = self.charged.saturating_add(charge);
    }

    /// From now on, skipped transactions are not charged.
    #[cfg(feature = "std")]
    pub(crate) const fn leave_out_skipped(&mut self) {
        self.skipped_gas = 0;
    }

    const fn spent(&self) -> u64 {
        self.used.all.saturating_add(self.charged)
    }

    /// The backlog after the block; `None` on chains without.
    pub(crate) fn backlog(&self) -> Option<u64> {
        self.backlog.map(|open| open.gas.saturating_add(self.spent()))
    }
}
