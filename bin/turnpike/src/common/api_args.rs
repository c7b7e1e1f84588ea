//! Flags of the roles that serve an API.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use ipnet::IpNet;
use turnpike_api::{AdminConfig, LogControl};
use turnpike_http::{HttpLimits, JwtSecret};

/// Limits on what clients may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of the API")]
pub(crate) struct LimitArgs {
    /// Most connections at the same time, with WebSockets. By default half of the files that the process may open, at most 16384.
    #[arg(long, value_name = "COUNT")]
    connections_max: Option<usize>,
    /// Most connections of one address (of one /64 network with IPv6). By default 512, and no limit for this machine.
    #[arg(long, value_name = "COUNT")]
    connections_per_ip: Option<usize>,
    /// Units that one address may spend in a second, 0 for no limit; rpc-methods.md lists what methods cost. By default 5000, and no
    /// limit for this machine.
    #[arg(long, value_name = "UNITS")]
    rate_limit: Option<u32>,
    /// Units that one address may spend at once. By default those of ten seconds.
    #[arg(long, value_name = "UNITS")]
    rate_burst: Option<u32>,
    /// Longest request body and WebSocket message, in bytes. By default 10 MiB.
    #[arg(long, value_name = "BYTES")]
    body_bytes_max: Option<usize>,
    /// Trust the X-Forwarded-For header of proxies in this network. May be given several times.
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,
}

impl From<LimitArgs> for HttpLimits {
    fn from(args: LimitArgs) -> Self {
        Self {
            connections_max: args.connections_max,
            connections_per_address: args.connections_per_ip,
            units_per_second: args.rate_limit,
            burst_units: args.rate_burst,
            body_bytes_max: args.body_bytes_max,
            trusted_proxies: args.trusted_proxy,
            ..Self::default()
        }
    }
}

/// Flags of the administration endpoint.
#[derive(Debug, Args)]
pub(crate) struct AdminServerArgs {
    /// Serve administrators (`turnpike admin`) and health at this address. Needs --admin-secret.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9547")]
    admin: SocketAddr,
    /// File with the secret that administrators share with the node, 32 bytes in hexadecimal. Without it, there is no administration.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_ADMIN_SECRET")]
    admin_secret: Option<PathBuf>,
}

impl AdminServerArgs {
    /// The administration endpoint, if there is a secret.
    pub(crate) fn config(self, log: LogControl) -> anyhow::Result<Option<AdminConfig>> {
        let Some(path) = self.admin_secret else { return Ok(None) };
        let secret = JwtSecret::from_file(&path).context("--admin-secret")?;
        Ok(Some(AdminConfig { listen: self.admin, secret, log }))
    }
}
