//! The URL of a node.

use std::{fmt, str::FromStr};

/// A node's URL: `http://host[:port][/path]`. TLS is not supported, because it would be measured as
/// well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host and port.
    pub(crate) authority: String,
    /// Path, at least `/`.
    pub(crate) path: String,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("the URL must start with http://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        if authority.is_empty() || authority.contains('@') {
            return Err("the URL must have a host and no user".into());
        }
        let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if port { authority.into() } else { format!("{authority}:80") };
        Ok(Self { authority, path: path.into() })
    }
}

/// Omits the path, which may hold a key.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_has_a_host_and_optional_port_and_path() {
        let parse = |url: &str| url.parse::<Endpoint>().map(|e| (e.authority, e.path));
        let of = |authority: &str, path: &str| Ok((authority.to_string(), path.to_string()));
        assert_eq!(parse("http://127.0.0.1:9545"), of("127.0.0.1:9545", "/"));
        assert_eq!(parse("http://node/v3/key"), of("node:80", "/v3/key"));
        assert_eq!(parse("http://[::1]:80/"), of("[::1]:80", "/"));
        parse("https://node").unwrap_err();
        parse("http://").unwrap_err();
    }

    #[test]
    fn path_is_never_displayed() {
        let endpoint: Endpoint = "http://node:1/secret".parse().unwrap();
        assert_eq!(endpoint.to_string(), "http://node:1");
    }
}
