//! Client addresses, as limits count them.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Header in which proxies append the address that they forward for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Prefix bits that identify an IPv6 client: a client usually owns its whole /64 network.
const IPV6_CLIENT_BITS: u32 = 64;

/// The unit of limits: an IPv4 address or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let mask = u128::MAX << (u128::BITS - IPV6_CLIENT_BITS);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
            address => address,
        })
    }

    pub(super) const fn is_loopback(&self) -> bool {
        self.0.is_loopback()
    }
}

/// The sender of a request: the peer or, behind trusted proxies, the last address of
/// `X-Forwarded-For` that is no trusted proxy.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let mut sender = peer;
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for named in value.to_str().unwrap_or_default().rsplit(',') {
            // The entries before an invalid one may be forged.
            let Ok(address) = named.trim().parse::<IpAddr>() else { return sender };
            sender = address.to_canonical();
            if !is_trusted(sender, trusted) {
                return sender;
            }
        }
    }
    sender
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("is an address")
    }

    #[test]
    fn ipv6_network_is_one_client() {
        let client = |text| Client::of(ip(text));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert!(client("::1").is_loopback() && client("127.9.9.9").is_loopback());
        assert!(client("::ffff:127.0.0.1").is_loopback());
    }

    #[test]
    fn only_trusted_proxies_name_senders() {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("is a network")).into();
        let of = |peer: &str, values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, value.parse().expect("is a value"));
            }
            sender(ip(peer), &headers, &trusted)
        };
        assert_eq!(
            of("9.9.9.9", &["1.1.1.1"]),
            ip("9.9.9.9"),
            "an untrusted peer may forge the header"
        );
        assert_eq!(of("10.0.0.1", &[]), ip("10.0.0.1"));
        assert_eq!(of("10.0.0.1", &["1.1.1.1"]), ip("1.1.1.1"));
        assert_eq!(of("::ffff:10.0.0.1", &["1.1.1.1"]), ip("1.1.1.1"));
        assert_eq!(
            of("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"]),
            ip("1.1.1.1"),
            "the first entry may be forged"
        );
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "1.1.1.1, fd00::1"]), ip("1.1.1.1"));
        assert_eq!(of("10.0.0.1", &["1.1.1.1, unknown"]), ip("10.0.0.1"));
        assert_eq!(of("10.0.0.1", &["1.1.1.1, x, 10.0.0.2"]), ip("10.0.0.2"));
    }
}
