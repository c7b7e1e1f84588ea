//! Limits of the listener: how many connections and requests a client may use, and how slow it may
//! be.

use std::time::Duration;

use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Default of the connections at the same time. Half of the process's file limit applies as well.
const CONNECTIONS_DEFAULT_MAX: u64 = 16_384;

/// Default of the connections of one address. Loopback is unlimited by default.
const CONNECTIONS_PER_ADDRESS_DEFAULT: usize = 512;

/// Default of the units that one address may spend in a second: 500 transactions. Loopback is
/// unlimited by default.
const UNITS_PER_SECOND_DEFAULT: u32 = 5_000;

/// Default of the longest request body, in bytes.
const BODY_BYTES_DEFAULT: usize = 10 * 1024 * 1024;

/// Default of the burst, in seconds of the client's rate.
const BURST_SECONDS_DEFAULT: u32 = 10;

/// Limits of the listener. An explicit limit per address also applies to loopback; the defaults do
/// not.
#[derive(Clone, Debug, Default)]
pub struct HttpLimits {
    /// Connections at the same time, WebSockets included. `None`: half of the process's file limit,
    /// 16,384 at most.
    pub connections_max: Option<usize>,
    /// Connections of one client: an IPv4 address or an IPv6 network of 64 bits. `None`: 512, and
    /// no limit on loopback.
    pub connections_per_address: Option<usize>,
    /// Units that a client may spend in a second. The router decides what a request costs. 0 is no
    /// limit. `None`: 5,000, and no limit on loopback.
    pub units_per_second: Option<u32>,
    /// Units that an idle client may spend at once. `None`: the units of ten seconds.
    pub burst_units: Option<u32>,
    /// Longest request body and WebSocket message, in bytes. `None`: 10 MiB.
    pub body_bytes_max: Option<usize>,
    /// Proxies whose `X-Forwarded-For` is trusted. Their own connections are not counted per
    /// address.
    pub trusted_proxies: Vec<IpNet>,
    /// How slow clients may be.
    pub timeouts: Timeouts,
}

/// How long clients may take for each part of a request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Time to send a request's head, from its first byte on. A connection's first head counts from
    /// the opening of the connection.
    pub head: Duration,
    /// Time between two requests on a connection.
    pub idle: Duration,
    /// How long a body or the reading of a response may be behind [`Timeouts::bytes_per_second`].
    pub stall: Duration,
    /// Bytes per second that a client must send of a body, and read of a response.
    pub bytes_per_second: u32,
    /// How long requests may still take after the stop.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(15),
            bytes_per_second: 16 * 1024,
            grace: Duration::from_secs(5),
        }
    }
}

/// A client's rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) units_per_second: u32,
    pub(super) burst_units: u32,
}

impl HttpLimits {
    /// Connections at the same time. Raises the process's file limit to its maximum.
    pub fn connections(&self) -> usize {
        let files = raise_file_limit();
        let default = (files / 2).clamp(1, CONNECTIONS_DEFAULT_MAX);
        let default = usize::try_from(default).unwrap_or(usize::MAX);
        let connections = self.connections_max.unwrap_or(default).max(1);
        if connections as u64 > files {
            warn!(connections, files, "the file limit is lower than the connection limit");
        }
        connections
    }

    /// Connections of one client, and whether loopback is counted.
    pub(super) fn per_address(&self) -> (usize, bool) {
        let given = self.connections_per_address;
        (given.unwrap_or(CONNECTIONS_PER_ADDRESS_DEFAULT).max(1), given.is_some())
    }

    /// Longest request body and WebSocket message, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes_max.unwrap_or(BODY_BYTES_DEFAULT)
    }

    /// A client's rate limit, `None` for no limit, and whether the limit applies to loopback.
    pub(super) fn rate(&self) -> (Option<Rate>, bool) {
        let units_per_second = self.units_per_second.unwrap_or(UNITS_PER_SECOND_DEFAULT);
        let burst = units_per_second.saturating_mul(BURST_SECONDS_DEFAULT);
        let burst_units = self.burst_units.unwrap_or(burst).max(1);
        let rate = (units_per_second > 0).then_some(Rate { units_per_second, burst_units });
        (rate, self.units_per_second.is_some())
    }
}

/// Raises the limit of open files to the system's maximum and returns it.
fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current else { return u64::MAX };
    let raised = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            debug!(%error, "cannot raise the file limit");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_exempt_loopback_and_explicit_limits_do_not() {
        let none = HttpLimits::default();
        assert_eq!(none.per_address(), (512, false));
        let rate = Rate { units_per_second: 5_000, burst_units: 50_000 };
        assert_eq!(none.rate(), (Some(rate), false));
        let some = HttpLimits {
            connections_per_address: Some(3),
            units_per_second: Some(7),
            ..HttpLimits::default()
        };
        assert_eq!(some.per_address(), (3, true));
        assert_eq!(some.rate(), (Some(Rate { units_per_second: 7, burst_units: 70 }), true));
        let off = HttpLimits { units_per_second: Some(0), ..HttpLimits::default() };
        assert_eq!(off.rate(), (None, true));
    }

    #[test]
    fn connection_limit_is_half_the_file_limit() {
        let default = HttpLimits::default().connections() as u64;
        assert!(default <= CONNECTIONS_DEFAULT_MAX && default * 2 <= raise_file_limit());
        let given = HttpLimits { connections_max: Some(9), ..HttpLimits::default() };
        assert_eq!(given.connections(), 9);
    }
}
