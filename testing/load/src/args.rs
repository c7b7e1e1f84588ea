use std::path::PathBuf;

use alloy_primitives::B256;
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use crate::{endpoint::Endpoint, workload::Kind};

/// What `turnpike load` is told.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true, group(ArgGroup::new("loop").args(["closed", "open", "find_max"])))]
pub struct LoadArgs {
    /// The node, by plain HTTP; WebSocket is expected at the same address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9545")]
    pub(crate) rpc: Endpoint,
    /// Key of the account that pays for everything; by default the first development account's. At most a quarter of its ether is
    /// handed out.
    #[arg(long, value_name = "KEY", env = "TURNPIKE_LOAD_KEY", hide_env_values = true)]
    pub(crate) key: Option<B256>,
    /// What is sent.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Kind::Erc20Random)]
    pub(crate) workload: Kind,
    /// Accounts that send.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) senders: u32,

    /// Closed loop: so many transactions are under way, each answer lets the next one go (default: 64).
    #[arg(long, value_name = "IN_FLIGHT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) closed: Option<u32>,
    /// Open loop: so many transactions a second arrive, whatever the node does.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) open: Option<u32>,
    /// Closed loops with more and more in flight, until that does not bring more throughput.
    #[arg(long)]
    pub(crate) find_max: bool,
    /// After that, an open loop at half of the maximum.
    #[arg(long, requires = "find_max")]
    pub(crate) half: bool,
    /// Transactions of a closed loop (default: 20000), and at most of each one that looks for the maximum (default: as many as it takes).
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) transactions: Option<u32>,
    /// Seconds of an open loop (default: 10), or a closed loop at most; of one that looks for the maximum (default: 4).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) duration: Option<u32>,
    /// How arrivals of an open loop are spaced.
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    pub(crate) arrivals: Arrivals,

    /// How transactions are handed in.
    #[arg(long, value_enum, default_value_t = Transport::JsonRpc)]
    pub(crate) transport: Transport,
    /// Transactions in a request, at most: with more than one, a JSON-RPC batch, or a longer REST body. Nothing waits for a request to fill.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,
    /// Connections. By default 32 of an open loop, 8 with WebSocket; of a closed loop over HTTP as many as it takes, with a request
    /// under way on each.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) connections: Option<u32>,
    /// Threads that send.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: u32,

    /// Whether inclusion in blocks is timed, too. Every accepted transaction is looked for in any case.
    #[arg(long, value_enum, default_value_t = Until::Included)]
    pub(crate) until: Until,
    /// Whose receipts are read: of 1000 transactions, or of all.
    #[arg(long, value_enum, default_value_t = Receipts::Sample)]
    pub(crate) receipts: Receipts,
    /// Seconds after the last answer in which everything must be included.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) drain: u32,

    /// The same on another node afterwards, and the ratios: a URL, or `anvil`, which is started for it.
    #[arg(long, value_name = "URL|anvil")]
    pub(crate) against: Option<Against>,
    /// How that anvil makes blocks: `automine` (one for each transaction), or one after so many seconds.
    #[arg(long, value_name = "automine|SECONDS", default_value = "1")]
    pub(crate) anvil_blocks: AnvilBlocks,

    /// Write the report as JSON; `-` is standard output, which then has nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How arrivals of an open loop are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrivals {
    /// Independent of each other.
    Poisson,
    /// At equal distances.
    Even,
}

/// How transactions are handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// JSON-RPC over HTTP, connections kept alive.
    JsonRpc,
    /// REST: transactions in bulk, as bytes. Turnpike only; another node gets JSON-RPC batches.
    Rest,
    /// JSON-RPC over WebSocket, many requests under way on a connection.
    WebSocket,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Until {
    /// Until the answer.
    Acknowledged,
    /// Until the block, too.
    Included,
}

/// Whose receipts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Receipts {
    /// Of some, evenly spread.
    Sample,
    /// Of all.
    All,
}

/// The node to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// An anvil of our own.
    Anvil,
    /// One that runs already.
    Node(Endpoint),
}

impl std::str::FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anvil" { Ok(Self::Anvil) } else { text.parse().map(Self::Node) }
    }
}

/// How an anvil of our own makes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnvilBlocks {
    /// One for each transaction.
    Automine,
    /// One after so many seconds.
    Every(u32),
}

impl std::str::FromStr for AnvilBlocks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "automine" {
            return Ok(Self::Automine);
        }
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
        seconds.map(Self::Every).ok_or_else(|| "expected `automine` or seconds".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_nodes_are_named_by_url_or_as_anvil() {
        assert_eq!("anvil".parse(), Ok(Against::Anvil));
        assert!(matches!("http://h:1".parse(), Ok(Against::Node(_))));
        "h:1".parse::<Against>().unwrap_err();
    }

    #[test]
    fn anvil_never_runs_without_mining() {
        assert_eq!("automine".parse(), Ok(AnvilBlocks::Automine));
        assert_eq!("2".parse(), Ok(AnvilBlocks::Every(2)));
        "0".parse::<AnvilBlocks>().unwrap_err();
    }
}
