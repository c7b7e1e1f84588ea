//! The gas and the work that a block has left.

use turnpike_protocol::{BLOCK_LOAD, Load, SKIPPED_LOAD, TRANSACTION_GAS_MIN};

/// The backlog that a block opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBacklog {
    /// What the blocks before it used beyond the chain's rates.
    pub open: Load,
    /// Backlog from which on blocks hold deposits only.
    pub max: Load,
}

/// What transactions used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) all: Load,
    /// Thereof by deposits.
    deposits: Load,
}

impl Used {
    /// Counts a transaction.
    pub(crate) fn count(&mut self, load: Load, is_deposit: bool) {
        let deposits = if is_deposit { load } else { Load::default() };
        self.add(Self { all: load, deposits });
    }

    pub(crate) const fn add(&mut self, other: Self) {
        self.all = self.all.plus(other.all);
        self.deposits = self.deposits.plus(other.deposits);
    }
}

/// Counts what a block has left.
#[derive(Clone, Debug)]
pub(crate) struct BlockRoom {
    /// The header's limit of gas.
    limit: u64,
    /// `None` on chains without backlogs.
    backlog: Option<OpenBacklog>,
    /// What the backlog leaves to users' transactions at the block's start.
    allowance: Load,
    pub(crate) used: Used,
    /// What the block and its skipped transactions are charged.
    charged: Load,
    /// Charge for a skipped transaction.
    skipped: Load,
}

impl BlockRoom {
    pub(crate) fn new(limit: u64, backlog: Option<OpenBacklog>) -> Self {
        let (charged, skipped) =
            if backlog.is_some() { (BLOCK_LOAD, SKIPPED_LOAD) } else { Default::default() };
        let most = Load { gas: u64::MAX, work: u64::MAX };
        let allowance = backlog.map_or(most, |OpenBacklog { open, max }| max.minus(open));
        Self { limit, backlog, allowance, used: Used::default(), charged, skipped }
    }

    /// Gas that users' transactions may still use. Deposits use gas, but none of the backlog's
    /// room.
    pub(crate) fn gas(&self) -> u64 {
        self.limit.min(self.allowed().gas).saturating_sub(self.spent().gas)
    }

    /// Work that users' transactions may still do; the last one may do more.
    fn work(&self) -> u64 {
        self.allowed().work.saturating_sub(self.spent().work)
    }

    /// Whether the backlog leaves less than the header's limit, or no work. A later block has more.
    #[cfg(feature = "std")]
    pub(crate) fn is_backlogged(&self) -> bool {
        self.work() == 0 || self.allowed().gas < self.limit
    }

    const fn allowed(&self) -> Load {
        self.used.deposits.plus(self.allowance)
    }

    /// Whether the block takes no more users' transactions. They are dropped at no charge.
    pub(crate) fn is_full(&self) -> bool {
        self.backlog.is_some() && (self.gas() < TRANSACTION_GAS_MIN || self.work() == 0)
    }

    /// Gas limits that transactions may have together so that each has its turn, whatever they use.
    #[cfg(feature = "std")]
    pub(crate) fn gas_limits(&self) -> u64 {
        self.gas().min(self.work().saturating_sub(1) / crate::work::WORK_PER_GAS)
    }

    /// [`Self::gas_limits`] of transactions after which the block is not full.
    #[cfg(feature = "std")]
    pub(crate) fn before_full(&self) -> u64 {
        if self.backlog.is_none() {
            return self.gas();
        }
        self.gas_limits().min(self.gas().saturating_sub(TRANSACTION_GAS_MIN))
    }

    /// Charges for skipped transactions.
    pub(crate) const fn skip(&mut self, transactions: u64) {
        self.charged = self.charged.plus(self.skipped.times(transactions));
    }

    /// From now on, skipped transactions are not charged.
    #[cfg(feature = "std")]
    pub(crate) fn leave_out_skipped(&mut self) {
        self.skipped = Load::default();
    }

    const fn spent(&self) -> Load {
        self.used.all.plus(self.charged)
    }

    /// The backlog after the block; `None` on chains without.
    pub(crate) fn backlog(&self) -> Option<Load> {
        self.backlog.map(|backlog| backlog.open.plus(self.spent()))
    }
}
