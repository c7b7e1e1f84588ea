//! The rate limiter: each request costs units, and each client may spend a number of units a
//! second.
//!
//! # State
//!
//! One instant per client: when its full burst will be available again (the generic cell rate
//! algorithm).
//!
//! # Limits
//!
//! The accounts of the [`CLIENTS_MAX`] clients that were seen last. A forgotten client starts with
//! a full burst.

use std::{
    net::IpAddr,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::HeaderMap;
use ipnet::IpNet;
use lru::LruCache;

use super::{
    client::{Client, sender},
    limits::{HttpLimits, Rate},
    metrics::HttpMetrics,
};

/// Clients whose accounts are kept.
const CLIENTS_MAX: NonZero<usize> = NonZero::new(65_536).unwrap();

/// Bytes of a request body that cost one unit.
const BYTES_PER_UNIT: usize = 4 * 1024;

/// Keeps the accounts of clients.
#[derive(Debug)]
pub(super) struct RateLimiter {
    rate: Option<Rate>,
    counts_loopback: bool,
    trusted: Vec<IpNet>,
    accounts: Mutex<LruCache<Client, Instant>>,
    metrics: HttpMetrics,
}

/// The account of a request's sender. The server adds it to each request's extensions.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// `None`: unlimited.
    account: Option<(Arc<RateLimiter>, Client)>,
}

/// The client does not have enough units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit exceeded: retry in {} s", self.seconds())]
pub struct RateExceeded {
    /// Time after which the client has enough units.
    pub after: Duration,
}

impl RateExceeded {
    /// Whole seconds, for `Retry-After`.
    pub fn seconds(&self) -> u64 {
        self.after.as_secs() + u64::from(self.after.subsec_nanos() > 0)
    }
}

impl RateLimiter {
    pub(super) fn new(limits: &HttpLimits) -> Arc<Self> {
        let (rate, counts_loopback) = limits.rate();
        let trusted = limits.trusted_proxies.clone();
        let accounts = Mutex::new(LruCache::new(CLIENTS_MAX));
        Arc::new(Self { rate, counts_loopback, trusted, accounts, metrics: HttpMetrics::default() })
    }

    /// The allowance of a request's sender.
    pub(super) fn allowance(self: &Arc<Self>, peer: IpAddr, headers: &HeaderMap) -> Allowance {
        let client = Client::of(sender(peer, headers, &self.trusted));
        let is_counted = self.rate.is_some() && (self.counts_loopback || !client.is_loopback());
        Allowance { account: is_counted.then(|| (Arc::clone(self), client)) }
    }

    fn charge(&self, client: Client, units: u32, now: Instant) -> Result<(), RateExceeded> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut accounts = self.lock();
        let full_at = accounts.get_or_insert_mut(client, || now);
        let from = (*full_at).max(now);
        // A cost above the burst needs the full burst and leaves a debt.
        let (cost, burst) = (rate.time(units), rate.burst());
        let over = ((from - now) + cost.min(burst)).saturating_sub(burst);
        if !over.is_zero() {
            self.metrics.rate_limited.increment(1);
            return Err(RateExceeded { after: over });
        }
        *full_at = from + cost;
        Ok(())
    }

    fn debit(&self, client: Client, units: u32, now: Instant) {
        let Some(rate) = self.rate else { return };
        let mut accounts = self.lock();
        let full_at = accounts.get_or_insert_mut(client, || now);
        *full_at = (*full_at).max(now) + rate.time(units);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Client, Instant>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    /// How long it takes to earn these units.
    fn time(&self, units: u32) -> Duration {
        Duration::from_nanos(u64::from(units) * 1_000_000_000 / u64::from(self.units_per_second))
    }

    fn burst(&self) -> Duration {
        self.time(self.burst_units)
    }
}

impl Allowance {
    /// The client; `None` if it is unlimited.
    pub(super) fn client(&self) -> Option<Client> {
        self.account.as_ref().map(|(_, client)| *client)
    }

    /// Spends units if the client has enough.
    pub fn charge(&self, units: u32) -> Result<(), RateExceeded> {
        let Some((limiter, client)) = &self.account else { return Ok(()) };
        limiter.charge(*client, units, Instant::now())
    }

    /// Spends units of work that was done already. The client may go into debt.
    pub fn debit(&self, units: u32) {
        if let Some((limiter, client)) = &self.account {
            limiter.debit(*client, units, Instant::now());
        }
    }

    /// Spends the cost of a body of `bytes` bytes.
    pub fn charge_bytes(&self, bytes: usize) -> Result<(), RateExceeded> {
        match u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX) {
            0 => Ok(()),
            units => self.charge(units),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(units_per_second: u32, burst_units: u32) -> Arc<RateLimiter> {
        let limits = HttpLimits {
            units_per_second: Some(units_per_second),
            burst_units: Some(burst_units),
            ..HttpLimits::default()
        };
        RateLimiter::new(&limits)
    }

    fn client(last: u8) -> Client {
        Client::of([10, 0, 0, last].into())
    }

    #[test]
    fn burst_is_spent_and_earned_again() {
        let (limiter, now) = (limiter(10, 30), Instant::now());
        let charge = |units, after| limiter.charge(client(1), units, now + after);
        assert_eq!(charge(20, Duration::ZERO), Ok(()));
        assert_eq!(charge(10, Duration::ZERO), Ok(()));
        let exceeded = charge(5, Duration::ZERO).expect_err("is spent");
        assert_eq!((exceeded.after, exceeded.seconds()), (Duration::from_millis(500), 1));
        assert_eq!(limiter.charge(client(2), 30, now), Ok(()), "another has its own");
        // A refused charge costs nothing.
        assert_eq!(charge(5, Duration::from_millis(500)), Ok(()));
        assert!(charge(1, Duration::from_millis(500)).is_err());
        // An account never exceeds the burst.
        assert!(charge(30, Duration::from_secs(3_600)).is_ok());
        assert!(charge(1, Duration::from_secs(3_600)).is_err());
    }

    #[test]
    fn cost_above_burst_leaves_a_debt() {
        let (limiter, now) = (limiter(10, 30), Instant::now());
        assert!(limiter.charge(client(1), 100, now).is_ok());
        let exceeded = limiter.charge(client(1), 1, now).expect_err("is in debt");
        assert_eq!(exceeded.after, Duration::from_millis(7_100));
    }

    #[test]
    fn debit_may_leave_a_debt() {
        let (limiter, now) = (limiter(10, 30), Instant::now());
        limiter.debit(client(1), 40, now);
        let exceeded = limiter.charge(client(1), 1, now).expect_err("is in debt");
        assert_eq!(exceeded.after, Duration::from_millis(1_100));
    }

    #[test]
    fn accounts_are_bounded() {
        let (limiter, now) = (limiter(10, 30), Instant::now());
        for address in 0..u32::try_from(CLIENTS_MAX.get()).expect("small") + 5 {
            let client = Client::of(IpAddr::from(address.to_be_bytes()));
            assert!(limiter.charge(client, 1, now).is_ok());
        }
        assert_eq!(limiter.lock().len(), CLIENTS_MAX.get());
    }

    #[test]
    fn loopback_is_unlimited_by_default() {
        let headers = HeaderMap::new();
        let (local, remote) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let by_default = RateLimiter::new(&HttpLimits::default());
        assert!(by_default.allowance(local, &headers).account.is_none());
        assert!(by_default.allowance(remote, &headers).account.is_some());
        assert!(limiter(1, 1).allowance(local, &headers).account.is_some());
    }
}
