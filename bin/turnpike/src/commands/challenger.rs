//! `turnpike challenger`.

use std::{num::NonZeroUsize, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use turnpike_challenger::{ChallengerConfig, Event, FeePolicy, ProposeConfig};
use turnpike_l1::Archive;
use turnpike_storage::DatabaseLocation;

use crate::common::{
    ChainArgs, ExecutionArgs, GWEI, Key, beside, read_genesis, signer_of, stop_on_signal,
};

/// Exit code of a challenger that found a false output.
const WRONG_OUTPUT: u8 = 2;

/// Arguments of `turnpike challenger`.
#[derive(Debug, Args)]
pub(crate) struct ChallengerArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Key that challenges and defends. Without it, false outputs are only reported.
    #[arg(long, env = "TURNPIKE_CHALLENGER_KEY", hide_env_values = true)]
    pub(crate) key: Option<Key>,
    /// The challenger's own database of sent L1 transactions, from which it continues after a restart. Used with a key and without
    /// --once. A SQLite file, or the URL of a PostgreSQL database.
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "challenger.db",
        env = "TURNPIKE_CHALLENGER_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: DatabaseLocation,
    /// Threads that run the proof program on disputed blocks; by default one per processor. They take turns by deadline.
    #[arg(long, value_name = "COUNT")]
    pub(crate) run_threads: Option<NonZeroUsize>,
    /// Highest fee per gas, in gwei. Transactions that would miss their deadline pay more.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_fee_gwei: u64,
    /// Also propose and finalize outputs, with the same key.
    #[arg(long, requires = "key", conflicts_with = "once")]
    pub(crate) propose: bool,
    /// L1 seconds between outputs, with --propose.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "propose")]
    pub(crate) propose_interval: u64,
    /// A node that serves the claimed chain, so that reports name transaction and account. It is not trusted.
    #[arg(long, value_name = "URL")]
    pub(crate) peer: Option<String>,
    /// Stop at L1's head. Exit code 0 if every output is true, 2 if one is false.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print events as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs a challenger until a signal stops it, or with --once until it has checked every output.
pub(crate) async fn run(args: ChallengerArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    if args.key.is_some() && !args.once {
        // A game may need an entry whose blobs L1 no longer serves.
        l1.archive
            .get_or_insert_with(|| Archive::new(beside(&args.database, "challenger.entries")));
    }
    let config = ChallengerConfig {
        l1,
        l1_confirmations: if args.once { 0 } else { args.chain.l1_confirmations },
        poll: args.chain.l1_poll(),
        execution: args.execution.into(),
        run_threads: args.run_threads,
        key: signer_of(args.key.as_ref()).context("--key")?,
        // A single run leaves nothing to continue.
        database: (!args.once).then_some(args.database),
        fees: FeePolicy {
            max_fee_per_gas: u128::from(args.max_fee_gwei) * GWEI,
            ..FeePolicy::default()
        },
        propose: args.propose.then_some(ProposeConfig { interval: args.propose_interval }),
        peer: args.peer,
        once: args.once,
    };
    let json = args.json;
    let report = move |event: Event| print_event(&event, json);
    let summary = turnpike_challenger::run(genesis, config, stop_on_signal()?, report).await?;
    Ok(if summary.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(WRONG_OUTPUT) })
}

/// Prints what the challenger found.
pub(crate) fn print_event(event: &Event, json: bool) {
    if !json {
        println!("challenger: {event}");
        return;
    }
    let mut line = serde_json::to_value(event).expect("invariant: an event is JSON");
    line["text"] = event.to_string().into();
    println!("{line}");
}
