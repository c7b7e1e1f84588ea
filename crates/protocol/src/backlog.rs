//! The backlog of gas and of work, and the base fee that follows it.
//!
//! A chain may use [`ChainConfig::gas_rate`] gas and [`ChainConfig::work_rate`] nanoseconds of work
//! a second for good. What blocks use beyond it is their backlog. It shrinks with time, it limits
//! what the next block may use, and the base fee rises exponentially with it. A header holds the
//! backlog after its block in `extraData`, so that the next block depends on its parent's header
//! only.
//!
//! ```text
//! open    = max(0, parent's backlog − rate · time since the parent)       of gas and of work
//! base fee = base_fee_min · e^(the larger of open / (rate · window))
//! backlog = open + what the block's transactions used + charges
//! ```
//!
//! Load bound: in `t` seconds of block time, blocks use at most `rate · t + backlog_max` of either,
//! what deposits, blocks and skipped transactions are charged, and the work of one transaction.

use alloy_eips::eip4844::fake_exponential;

use crate::{
    ChainConfig, Header,
    extra_data::{backlog, time_ms},
};

/// What a block adds to the backlog for what it costs without transactions: roots, header, index.
pub const BLOCK_LOAD: Load = Load { gas: 200_000, work: 100_000 };

/// What a skipped transaction adds to the backlog: it was decoded and its signer recovered.
pub const SKIPPED_LOAD: Load = Load { gas: 5_000, work: 10_000 };

/// Least gas of a transaction. A block with less left is full.
pub const TRANSACTION_GAS_MIN: u64 = 21_000;

/// Gas, and work in nanoseconds of a reference core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Gas.
    pub gas: u64,
    /// Work in nanoseconds.
    pub work: u64,
}

impl Load {
    /// The sum.
    pub const fn plus(self, other: Self) -> Self {
        Self { gas: self.gas.saturating_add(other.gas), work: self.work.saturating_add(other.work) }
    }

    /// The sum of this many.
    pub const fn times(self, count: u64) -> Self {
        Self { gas: self.gas.saturating_mul(count), work: self.work.saturating_mul(count) }
    }

    /// The difference, zero where it would be negative.
    pub const fn minus(self, other: Self) -> Self {
        Self { gas: self.gas.saturating_sub(other.gas), work: self.work.saturating_sub(other.work) }
    }
}

/// What is left of a block's backlog after `elapsed_ms` milliseconds.
pub fn open_backlog(config: &ChainConfig, backlog: Load, elapsed_ms: u64) -> Load {
    let paid_off = |rate: u64| {
        let paid_off = u128::from(rate) * u128::from(elapsed_ms) / 1_000;
        u64::try_from(paid_off).unwrap_or(u64::MAX)
    };
    backlog.minus(Load { gas: paid_off(config.gas_rate), work: paid_off(config.work_rate) })
}

/// Base fee of a block that opens with this backlog, in wei.
pub fn base_fee(config: &ChainConfig, open: Load) -> u64 {
    let of = |open: u64, max: u64, rate: u64| {
        (u128::from(open.min(max)), u128::from(rate) * u128::from(config.base_fee_window))
    };
    let gas = of(open.gas, config.gas_backlog_max, config.gas_rate);
    let work = of(open.work, config.work_backlog_max, config.work_rate);
    // The parameters are at most 2^42, so that no product overflows.
    let (open, rate_of_window) = if gas.0 * work.1 >= work.0 * gas.1 { gas } else { work };
    let fee = fake_exponential(config.base_fee_min.into(), open, rate_of_window);
    u64::try_from(fee).unwrap_or(u64::MAX)
}

/// The backlog with which a block of this time after `parent` opens.
pub fn next_open_backlog(config: &ChainConfig, parent: &Header, block_time_ms: u64) -> Load {
    let elapsed_ms = block_time_ms.saturating_sub(time_ms(parent));
    open_backlog(config, backlog(parent), elapsed_ms)
}

/// Base fee of a block of this time after `parent`, in wei.
pub fn next_base_fee(config: &ChainConfig, parent: &Header, block_time_ms: u64) -> u64 {
    base_fee(config, next_open_backlog(config, parent, block_time_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Genesis;

    /// 4 Ggas and 0.8 s of work a second, 40 s of it at most, a window of 4 s, 0.001 gwei.
    fn config() -> ChainConfig {
        Genesis::dev().config
    }

    const fn gas(gas: u64) -> Load {
        Load { gas, work: 0 }
    }

    const fn work(work: u64) -> Load {
        Load { gas: 0, work }
    }

    #[test]
    fn time_pays_the_backlog_off_at_the_rate() {
        let config = config();
        let backlog = Load { gas: 1_000_000_000, work: 100_000_000 };
        let left = |elapsed_ms| open_backlog(&config, backlog, elapsed_ms);
        assert_eq!(left(0), backlog);
        assert_eq!(left(100), Load { gas: 600_000_000, work: 20_000_000 });
        assert_eq!(left(200), gas(200_000_000));
        assert_eq!(left(250), Load::default());
        let most = Load { gas: u64::MAX, work: u64::MAX };
        assert_eq!(open_backlog(&config, most, u64::MAX), Load::default());
        let slow = ChainConfig { gas_rate: 1, work_rate: 1, ..config };
        let five = Load { gas: 5, work: 5 };
        assert_eq!(open_backlog(&slow, five, 1_999), Load { gas: 4, work: 4 }, "whole units");
    }

    #[test]
    fn base_fee_grows_e_fold_with_each_window_of_backlog() {
        let config = config();
        let window = config.gas_rate * config.base_fee_window;
        let fee = |open| base_fee(&config, gas(open));
        assert_eq!([0, 1].map(fee), [1_000_000, 1_000_000]);
        assert_eq!([window / 2, window, 2 * window].map(fee), [1_648_721, 2_718_281, 7_389_056]);
        let cap = config.gas_backlog_max;
        assert_eq!(cap, 10 * window);
        assert_eq!(
            [cap - 1, cap, u64::MAX].map(fee),
            [22_026_465_793, 22_026_465_794, 22_026_465_794]
        );
        let window = config.work_rate * config.base_fee_window;
        let fee = |open| base_fee(&config, work(open));
        assert_eq!([window / 2, window, 2 * window].map(fee), [1_648_721, 2_718_281, 7_389_056]);
        let cap = config.work_backlog_max;
        assert_eq!([cap, u64::MAX].map(fee), [22_026_465_794, 22_026_465_794]);
    }

    #[test]
    fn base_fee_follows_the_larger_backlog() {
        let config = config();
        let (of_gas, of_work) =
            (config.gas_rate * config.base_fee_window, config.work_rate * config.base_fee_window);
        let fee = |gas, work| base_fee(&config, Load { gas, work });
        assert_eq!(fee(of_gas, of_work / 2), 2_718_281);
        assert_eq!(fee(of_gas / 2, of_work), 2_718_281);
        assert_eq!(fee(of_gas, of_work), 2_718_281);
        assert_eq!(fee(of_gas, 2 * of_work), 7_389_056);
    }

    /// Wei that 900 transactions of 2^24 gas cost which fill new slots, 16 in each block.
    fn cost_of_growth(interval_ms: u64) -> u128 {
        // The values of deploy/genesis/production.json.
        let config = ChainConfig {
            gas_rate: 3_500_000_000,
            gas_backlog_max: 420_000_000_000,
            work_rate: 1_200_000_000,
            work_backlog_max: 144_000_000_000,
            base_fee_window: 12,
            base_fee_min: 10_000_000,
            ..config()
        };
        // A new slot takes 22,100 gas, and two nanoseconds of work for each.
        let each = Load { gas: 1 << 24, work: 2 << 24 };
        let (mut backlog, mut paid) = (Load::default(), 0);
        for sent in (0_u64..900).step_by(16) {
            let sent = each.times(16.min(900 - sent));
            let open = open_backlog(&config, backlog, interval_ms);
            paid += u128::from(base_fee(&config, open)) * u128::from(sent.gas);
            backlog = open.plus(sent).plus(BLOCK_LOAD);
        }
        paid
    }

    #[test]
    fn growth_of_the_state_costs_more_the_faster_it_comes() {
        let ether = |wei: u128| wei as f64 / 1e18;
        let (slow, fast, at_once) =
            (cost_of_growth(60_000), cost_of_growth(100), cost_of_growth(0));
        assert!((0.15..0.16).contains(&ether(slow)), "{}", ether(slow));
        assert!((0.3..0.4).contains(&ether(fast)), "{}", ether(fast));
        assert!(ether(at_once) >= 0.5, "{}", ether(at_once));
    }

    #[test]
    fn largest_parameters_do_not_overflow() {
        let config = ChainConfig {
            gas_rate: 1 << 37,
            gas_backlog_max: 10 << 38,
            work_rate: 1 << 37,
            work_backlog_max: 10 << 38,
            base_fee_window: 2,
            base_fee_min: 1 << 34,
            ..config()
        };
        assert_eq!(config.validate(), Ok(()));
        for load in [gas(u64::MAX), work(u64::MAX), Load { gas: u64::MAX, work: u64::MAX }] {
            assert_eq!(base_fee(&config, load) / (1 << 34), 22_026);
        }
    }
}
