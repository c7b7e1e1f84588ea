//! Flags of the roles that serve an API.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use ipnet::IpNet;
use turnpike_api::{AdminConfig, LogControl};
use turnpike_http::{HttpLimits, JwtSecret};

/// What clients may take of the listener.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of the API")]
pub(crate) struct LimitArgs {
    /// Connections at the same time, WebSockets included; without it half of the files that the process may open, 16384 at most.
    #[arg(long, value_name = "COUNT")]
    connections_max: Option<usize>,
    /// Connections of one address (of one /64 network with IPv6); without it 512, and as many as there are from this machine.
    #[arg(long, value_name = "COUNT")]
    connections_per_ip: Option<usize>,
    /// Units that one address may spend in a second, 0 for no limit; what methods cost is in rpc-methods.md. Without it 5000, and no
    /// limit for this machine.
    #[arg(long, value_name = "UNITS")]
    rate_limit: Option<u32>,
    /// Units that one address may spend at once; without it those of ten seconds.
    #[arg(long, value_name = "UNITS")]
    rate_burst: Option<u32>,
    /// Longest request body and WebSocket message, in bytes; without it 10 MiB.
    #[arg(long, value_name = "BYTES")]
    body_bytes_max: Option<usize>,
    /// Believe the X-Forwarded-For of proxies in this network; may be given several times.
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

/// Where administrators are served.
#[derive(Debug, Args)]
pub(crate) struct AdminServerArgs {
    /// Serve administrators (`turnpike admin`), and health, at this address. Only with --admin-secret.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9547")]
    admin: SocketAddr,
    /// File with the secret that administrators share with the node, 32 bytes in hexadecimal; without it there are none.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_ADMIN_SECRET")]
    admin_secret: Option<PathBuf>,
}

impl AdminServerArgs {
    /// How the node is administered, if it is.
    pub(crate) fn config(self, log: LogControl) -> anyhow::Result<Option<AdminConfig>> {
        let Some(path) = self.admin_secret else { return Ok(None) };
        let secret = JwtSecret::from_file(&path).context("--admin-secret")?;
        Ok(Some(AdminConfig { listen: self.admin, secret, log }))
    }
}
