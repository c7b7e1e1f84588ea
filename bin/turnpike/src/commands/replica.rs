//! `turnpike replica`: another node's journal, run again and served.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, str::FromStr, time::Duration};

use clap::Args;
use turnpike_replica::{ReplicaConfig, ReplicaEnd, ReplicaSource};
use turnpike_storage::DatabaseLocation;

use crate::common::{ChainArgs, ExecutionArgs, LimitArgs, beside, read_genesis, stop_on_signal};

/// Exit code of a replica that follows what is not right.
const DIVERGED: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct ReplicaArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// What is followed: a node's feed (`ws://HOST:PORT`), a sequencer's database (a SQLite file, or the URL of a PostgreSQL
    /// database), or `l1`, and nothing else.
    #[arg(long, value_name = "SOURCE", value_parser = Source::from_str)]
    pub(crate) from: Source,
    /// The replica's own database: a SQLite file, or the URL of a PostgreSQL database (`postgres://…`).
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "TURNPIKE_REPLICA_DATABASE",
        hide_env_values = true,
        default_value = "replica.db"
    )]
    pub(crate) database: DatabaseLocation,
    /// Where checkpoints of the state are kept; if not told, in a folder that ends in `.state`, beside the database if that is a file,
    /// here if not.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Where JSON-RPC, REST and the feed are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9546")]
    pub(crate) listen: SocketAddr,
    /// Send transactions on to the sequencer whose JSON-RPC is at this URL; without it they are refused.
    #[arg(long, value_name = "URL", env = "TURNPIKE_REPLICA_FORWARD", hide_env_values = true)]
    pub(crate) forward: Option<String>,
    /// Seconds for which the source may hold other blocks than L1, until it has seen L1 itself.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) l1_patience: u64,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Print what is not right as a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a replica follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source(ReplicaSource);

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_any = |schemes: &[&str]| schemes.iter().any(|scheme| text.starts_with(scheme));
        if text == "l1" {
            return Ok(Self(ReplicaSource::L1));
        }
        if is_any(&["ws://"]) {
            return Ok(Self(ReplicaSource::Feed(text.into())));
        }
        if is_any(&["wss://", "http://", "https://"]) {
            return Err("a feed is read over ws://; a TLS proxy makes that of wss://".into());
        }
        let Ok(location) = text.parse();
        Ok(Self(ReplicaSource::Database(location)))
    }
}

pub(crate) async fn run(args: ReplicaArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    l1.archive.get_or_insert_with(|| beside(&args.database, "replica.entries"));
    let state = args.state.unwrap_or_else(|| beside(&args.database, "replica.state"));
    let config = ReplicaConfig {
        listen: args.listen,
        database: args.database,
        state,
        source: args.from.0,
        l1,
        l1_confirmations: args.chain.l1_confirmations,
        l1_poll: args.chain.l1_poll(),
        l1_patience: Duration::from_secs(args.l1_patience),
        execution: args.execution.into(),
        limits: args.limits.into(),
        forward: args.forward,
    };
    match turnpike_replica::run_replica(&genesis, config, stop_on_signal()?, |_| ()).await? {
        ReplicaEnd::Stopped => Ok(ExitCode::SUCCESS),
        ReplicaEnd::Diverged(divergence) => {
            if args.json {
                println!("{}", serde_json::to_string(&divergence)?);
            } else {
                println!("diverged: {divergence}");
            }
            Ok(ExitCode::from(DIVERGED))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_by_its_form() {
        let of = |text: &str| text.parse::<Source>().map(|source| source.0);
        assert_eq!(of("l1"), Ok(ReplicaSource::L1));
        assert_eq!(of("ws://host:1"), Ok(ReplicaSource::Feed("ws://host:1".into())));
        for file in ["sequencer.db", "./l1", "postgres://host/name"] {
            assert!(matches!(of(file), Ok(ReplicaSource::Database(_))), "{file}");
        }
        assert!(of("https://host").is_err());
    }
}
