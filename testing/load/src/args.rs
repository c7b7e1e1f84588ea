//! Arguments of `turnpike load`.

use std::path::PathBuf;

use alloy_primitives::B256;
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use crate::{endpoint::Endpoint, workload::WorkloadKind};

/// Arguments of `turnpike load`.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true, group(ArgGroup::new("loop").args(["closed", "open", "find_max"])))]
pub struct LoadArgs {
    /// URL of the node, plain HTTP. WebSocket uses the same address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9545")]
    pub(crate) rpc: Endpoint,
    /// Key of the account that funds the run; the first development account's by default. Senders
    /// get at most a quarter of its ether.
    #[arg(long, value_name = "KEY", env = "TURNPIKE_LOAD_KEY", hide_env_values = true)]
    pub(crate) key: Option<B256>,
    /// Workload to send.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = WorkloadKind::Erc20Random)]
    pub(crate) workload: WorkloadKind,
    /// Number of sending accounts.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) senders: u32,

    /// Closed loop: keep this many transactions in flight, each answer releases the next (default:
    /// 64).
    #[arg(long, value_name = "IN_FLIGHT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) closed: Option<u32>,
    /// Open loop: send this many transactions per second, however fast the node answers.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) open: Option<u32>,
    /// Search the maximum: closed loops with more and more in flight, until throughput
    /// stops growing.
    #[arg(long)]
    pub(crate) find_max: bool,
    /// After the search, run an open loop at half of the maximum.
    #[arg(long, requires = "find_max")]
    pub(crate) half: bool,
    /// Transactions of a closed loop (default: 20000); in a search, the most of each loop (default:
    /// no limit).
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) transactions: Option<u32>,
    /// Seconds of an open loop (default: 10), most seconds of a closed loop, or seconds of each
    /// loop of a search (default: 4).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) duration: Option<u32>,
    /// Spacing of arrivals in an open loop.
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    pub(crate) arrivals: Arrivals,

    /// Protocol to submit transactions with.
    #[arg(long, value_enum, default_value_t = Transport::JsonRpc)]
    pub(crate) transport: Transport,
    /// Most transactions in a request: more than one make a JSON-RPC batch or a longer REST body. A
    /// request never waits to fill up.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,
    /// Number of connections. Default: 32 in an open loop, 8 with WebSocket; in a closed loop over
    /// HTTP enough to have one request in flight on each.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) connections: Option<u32>,
    /// Number of sending threads.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: u32,

    /// Event up to which latency is measured. Every accepted transaction is searched in blocks
    /// either way.
    #[arg(long, value_enum, default_value_t = Until::Included)]
    pub(crate) until: Until,
    /// Receipts to read: of 1000 transactions, or of all. With `none`, no accepted transaction is
    /// searched in blocks either.
    #[arg(long, value_enum, default_value_t = Receipts::Sample)]
    pub(crate) receipts: Receipts,
    /// Seconds after the last answer until every transaction must be included.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) drain: u32,

    /// Repeat the run on another node and report ratios: a URL, or `anvil` to start one.
    #[arg(long, value_name = "URL|anvil")]
    pub(crate) against: Option<Against>,
    /// Blocks of that anvil: `automine` (one per transaction), or the seconds between two blocks.
    #[arg(long, value_name = "automine|SECONDS", default_value = "1")]
    pub(crate) anvil_blocks: AnvilBlocks,

    /// Write the report as JSON to this file; `-` writes to standard output, and nothing else does.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as an HTML page with plots to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Spacing of arrivals in an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrivals {
    /// Independent arrivals, with exponential gaps.
    Poisson,
    /// Equal gaps.
    Even,
}

/// The protocol that submits transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// JSON-RPC over HTTP, with connections kept alive.
    JsonRpc,
    /// REST with several transactions as bytes. Turnpike only; another node gets JSON-RPC batches.
    Rest,
    /// JSON-RPC over WebSocket, with many requests in flight on a connection.
    WebSocket,
}

/// The event up to which latency is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Until {
    /// The answer.
    Acknowledged,
    /// The answer, and inclusion in a block.
    Included,
}

/// Which receipts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Receipts {
    /// Receipts of a sample, evenly spread.
    Sample,
    /// All receipts.
    All,
    /// No receipts, and no blocks.
    None,
}

/// The node to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// An anvil that is started for the comparison.
    Anvil,
    /// A running node.
    Node(Endpoint),
}

impl std::str::FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anvil" { Ok(Self::Anvil) } else { text.parse().map(Self::Node) }
    }
}

/// When the started anvil mines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnvilBlocks {
    /// A block for each transaction.
    Automine,
    /// A block after this many seconds each.
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
    fn compared_node_is_a_url_or_anvil() {
        assert_eq!("anvil".parse(), Ok(Against::Anvil));
        assert!(matches!("http://h:1".parse(), Ok(Against::Node(_))));
        "h:1".parse::<Against>().unwrap_err();
    }

    #[test]
    fn anvil_blocks_need_an_interval_above_zero() {
        assert_eq!("automine".parse(), Ok(AnvilBlocks::Automine));
        assert_eq!("2".parse(), Ok(AnvilBlocks::Every(2)));
        "0".parse::<AnvilBlocks>().unwrap_err();
    }
}
