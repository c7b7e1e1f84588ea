//! The backlog of gas, and the base fee that follows it.
//!
//! A chain may use [`ChainConfig::gas_rate`] gas a second for good. What blocks use beyond it is
//! their backlog. It shrinks with time, it limits what the next block may use, and the base fee
//! rises exponentially with it. A header holds the backlog after its block in `extraData`, so that
//! the next block depends on its parent's header only.
//!
//! ```text
//! open    = max(0, parent's backlog − rate · time since the parent)
//! base fee = base_fee_min · e^(open / (rate · window))
//! backlog = open + gas of the block's transactions + charges
//! ```
//!
//! Load bound: in `t` seconds of block time, blocks use at most `rate · t + gas_backlog_max`, and
//! what deposits, blocks and skipped transactions are charged.

use alloy_eips::eip4844::fake_exponential;

use crate::{
    ChainConfig, Header,
    extra_data::{gas_backlog, time_ms},
};

/// Gas that a block adds to the backlog for what it costs without transactions: roots, header,
/// index.
pub const BLOCK_GAS: u64 = 200_000;

/// Gas that a skipped transaction adds to the backlog: it was decoded and its signer recovered.
pub const SKIPPED_GAS: u64 = 5_000;

/// Least gas of a transaction. A block with less left is full.
pub const TRANSACTION_GAS_MIN: u64 = 21_000;

/// What is left of a block's backlog of gas after `elapsed_ms` milliseconds.
pub fn open_backlog(config: &ChainConfig, gas_backlog: u64, elapsed_ms: u64) -> u64 {
    let paid_off = u128::from(config.gas_rate) * u128::from(elapsed_ms) / 1_000;
    gas_backlog.saturating_sub(u64::try_from(paid_off).unwrap_or(u64::MAX))
}

/// Base fee of a block that opens with this backlog, in wei.
pub fn base_fee(config: &ChainConfig, open_backlog: u64) -> u64 {
    let rate_of_window = u128::from(config.gas_rate) * u128::from(config.base_fee_window);
    let open = open_backlog.min(config.gas_backlog_max);
    let fee = fake_exponential(config.base_fee_min.into(), open.into(), rate_of_window);
    u64::try_from(fee).unwrap_or(u64::MAX)
}

/// The backlog of gas with which a block of this time after `parent` opens.
pub fn next_open_backlog(config: &ChainConfig, parent: &Header, block_time_ms: u64) -> u64 {
    let elapsed_ms = block_time_ms.saturating_sub(time_ms(parent));
    open_backlog(config, gas_backlog(parent), elapsed_ms)
}

/// Base fee of a block of this time after `parent`, in wei.
pub fn next_base_fee(config: &ChainConfig, parent: &Header, block_time_ms: u64) -> u64 {
    base_fee(config, next_open_backlog(config, parent, block_time_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Genesis;

    /// 4 Ggas a second, 160 Ggas at most, a window of 4 s, 0.001 gwei.
    fn config() -> ChainConfig {
        Genesis::dev().config
    }

    #[test]
    fn time_pays_the_backlog_off_at_the_rate() {
        let config = config();
        assert_eq!(open_backlog(&config, 1_000_000_000, 0), 1_000_000_000);
        assert_eq!(open_backlog(&config, 1_000_000_000, 100), 600_000_000);
        assert_eq!(open_backlog(&config, 1_000_000_000, 250), 0);
        assert_eq!(open_backlog(&config, u64::MAX, u64::MAX), 0);
        assert_eq!(open_backlog(&ChainConfig { gas_rate: 1, ..config }, 5, 1_999), 4, "whole gas");
    }

    #[test]
    fn base_fee_grows_e_fold_with_each_window_of_backlog() {
        let config = config();
        let window = config.gas_rate * config.base_fee_window;
        let fee = |open| base_fee(&config, open);
        assert_eq!([0, 1].map(fee), [1_000_000, 1_000_000]);
        assert_eq!([window / 2, window, 2 * window].map(fee), [1_648_721, 2_718_281, 7_389_056]);
        let cap = config.gas_backlog_max;
        assert_eq!(cap, 10 * window);
        assert_eq!(
            [cap - 1, cap, u64::MAX].map(fee),
            [22_026_465_793, 22_026_465_794, 22_026_465_794]
        );
    }

    #[test]
    fn largest_parameters_do_not_overflow() {
        let config = ChainConfig {
            gas_rate: 1 << 37,
            base_fee_window: 2,
            gas_backlog_max: 10 << 38,
            base_fee_min: 1 << 34,
            ..config()
        };
        assert_eq!(config.validate(), Ok(()));
        let fee = base_fee(&config, u64::MAX);
        assert_eq!(fee / (1 << 34), 22_026);
    }
}
