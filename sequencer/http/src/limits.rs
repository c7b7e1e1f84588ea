//! What a client may take of the listener, and how long it may take over it.

use std::time::Duration;

use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Connections at the same time, unless told otherwise: at most so many, and half of what the system lets the process open.
const CONNECTIONS_DEFAULT_MAX: u64 = 16_384;

/// Connections of one address that is not this machine, unless told otherwise.
const CONNECTIONS_PER_ADDRESS_DEFAULT: usize = 512;

/// Units that one address other than this machine may spend in a second, unless told otherwise: 500 transactions.
const UNITS_PER_SECOND_DEFAULT: u32 = 5_000;

/// Longest request body, in bytes, unless told otherwise.
const BODY_BYTES_DEFAULT: usize = 10 * 1024 * 1024;

/// Seconds of its rate that a client may spend at once, unless told otherwise.
const BURST_SECONDS_DEFAULT: u32 = 10;

/// Bounds of the listener. Whoever sets a bound for an address has it hold for this machine's own addresses as well; the defaults
/// do not.
#[derive(Clone, Debug, Default)]
pub struct HttpLimits {
    /// Connections at the same time, WebSockets included. `None`: half of the files that the process may open, 16,384 at most.
    pub connections_max: Option<usize>,
    /// Connections of one client: an IPv4 address, or an IPv6 network of 64 bits. `None`: 512, and no bound on loopback.
    pub connections_per_address: Option<usize>,
    /// Units that a client may spend in a second; a method's costs are in `rpc-methods.md`. 0 is no bound. `None`: 5,000, and no
    /// bound on loopback.
    pub units_per_second: Option<u32>,
    /// Units that a client may spend at once after it was quiet. `None`: those of ten seconds.
    pub burst_units: Option<u32>,
    /// Longest request body and WebSocket message, in bytes. `None`: 10 MiB.
    pub body_bytes_max: Option<usize>,
    /// Proxies whose `X-Forwarded-For` is believed. Their own connections are not counted per address.
    pub trusted_proxies: Vec<IpNet>,
    /// How long clients may take.
    pub timeouts: Timeouts,
}

/// How long clients may take over each part of an request_guard.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Over the head of a request, from its first byte or, the first on a connection, from the connection on.
    pub head: Duration,
    /// Between two requests on a connection.
    pub idle: Duration,
    /// For how long a body, or the reading of an answer, may be behind [`Timeouts::bytes_per_second`].
    pub stall: Duration,
    /// How fast bodies have to come and answers have to be read.
    pub bytes_per_second: u32,
    /// How long requests under way may take once the node stops.
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

/// How much a client may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) units_per_second: u32,
    pub(super) burst_units: u32,
}

impl HttpLimits {
    /// Connections at the same time. Has the system let the process open as many files as it ever may.
    pub fn connections(&self) -> usize {
        let files = raise_file_limit();
        let default = (files / 2).clamp(1, CONNECTIONS_DEFAULT_MAX);
        let default = usize::try_from(default).unwrap_or(usize::MAX);
        let connections = self.connections_max.unwrap_or(default).max(1);
        if connections as u64 > files {
            warn!(connections, files, "the system allows fewer open files than connections");
        }
        connections
    }

    /// Connections of one client, and whether this machine's own are counted.
    pub(super) fn per_address(&self) -> (usize, bool) {
        let given = self.connections_per_address;
        (given.unwrap_or(CONNECTIONS_PER_ADDRESS_DEFAULT).max(1), given.is_some())
    }

    /// Longest request body and WebSocket message, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes_max.unwrap_or(BODY_BYTES_DEFAULT)
    }

    /// What a client may spend, if that is bounded, and whether this machine's own clients are bounded.
    pub(super) fn rate(&self) -> (Option<Rate>, bool) {
        let units_per_second = self.units_per_second.unwrap_or(UNITS_PER_SECOND_DEFAULT);
        let burst = units_per_second.saturating_mul(BURST_SECONDS_DEFAULT);
        let burst_units = self.burst_units.unwrap_or(burst).max(1);
        let rate = (units_per_second > 0).then_some(Rate { units_per_second, burst_units });
        (rate, self.units_per_second.is_some())
    }
}

/// Raises the number of files that may be open to what the system allows at most; that number.
fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current else { return u64::MAX };
    let raised = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            debug!(%error, "the limit of open files stays as it is");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_spare_this_machine_and_flags_do_not() {
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
    fn connections_leave_room_for_other_files() {
        let default = HttpLimits::default().connections() as u64;
        assert!(default <= CONNECTIONS_DEFAULT_MAX && default * 2 <= raise_file_limit());
        let given = HttpLimits { connections_max: Some(9), ..HttpLimits::default() };
        assert_eq!(given.connections(), 9);
    }
}
