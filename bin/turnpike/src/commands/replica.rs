//! `turnpike replica`: executes another node's journal again and serves reads.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, str::FromStr, time::Duration};

use clap::Args;
use turnpike_l1::Archive;
use turnpike_replica::{ReplicaConfig, ReplicaEnd, ReplicaSource};
use turnpike_storage::DatabaseLocation;

use crate::common::{ChainArgs, ExecutionArgs, LimitArgs, beside, read_genesis, stop_on_signal};

/// Exit code of a replica whose source diverges from its own execution or from L1.
const DIVERGED: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct ReplicaArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// The source: a node's feed (`ws://HOST:PORT`), a sequencer's database (a SQLite file, or the URL of a PostgreSQL database), or
    /// `l1` for L1 alone.
    #[arg(long, value_name = "SOURCE", value_parser = SourceArg::from_str)]
    pub(crate) from: SourceArg,
    /// The replica's own database: a SQLite file, or the URL of a PostgreSQL database (`postgres://…`).
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "TURNPIKE_REPLICA_DATABASE",
        hide_env_values = true,
        default_value = "replica.db"
    )]
    pub(crate) database: DatabaseLocation,
    /// Folder of the state's checkpoints. By default it lies beside the database file and ends in `.state`; for a database on a server,
    /// it is `replica.state` here.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Serve JSON-RPC, REST and the feed at this address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9546")]
    pub(crate) listen: SocketAddr,
    /// Forward transactions to the sequencer whose JSON-RPC is at this URL. Without it, transactions are refused.
    #[arg(long, value_name = "URL", env = "TURNPIKE_REPLICA_FORWARD", hide_env_values = true)]
    pub(crate) forward: Option<String>,
    /// Seconds for which the source may differ from L1 before that counts as a divergence.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) l1_patience: u64,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Print a divergence as a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The source that a replica follows, parsed from --from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceArg(ReplicaSource);

impl FromStr for SourceArg {
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
            return Err("feeds are read over ws:// only; put a TLS proxy in front of wss://".into());
        }
        let Ok(location) = text.parse();
        Ok(Self(ReplicaSource::Database(location)))
    }
}

pub(crate) async fn run(args: ReplicaArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    l1.archive.get_or_insert_with(|| Archive::new(beside(&args.database, "replica.entries")));
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
    fn source_is_parsed_by_its_scheme() {
        let of = |text: &str| text.parse::<SourceArg>().map(|source| source.0);
        assert_eq!(of("l1"), Ok(ReplicaSource::L1));
        assert_eq!(of("ws://host:1"), Ok(ReplicaSource::Feed("ws://host:1".into())));
        for file in ["sequencer.db", "./l1", "postgres://host/name"] {
            assert!(matches!(of(file), Ok(ReplicaSource::Database(_))), "{file}");
        }
        assert!(of("https://host").is_err());
    }
}
