use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use turnpike_adversary::AdversaryEvent;
use turnpike_batcher::{BatcherConfig, DataMode, PostingConfig};
use turnpike_challenger::{ChallengerConfig, Event, FeePolicy, ProposeConfig};
use turnpike_executor::Chain;
use turnpike_proposer::ProposerConfig;
use turnpike_protocol::{Genesis, OutputRoot};
use turnpike_sequencer::{LogControl, SequencerConfig, SubmissionRoute};
use turnpike_storage::DatabaseLocation;

use crate::cli::{
    BatcherArgs, ChallengerArgs, Command, DataArg, DeployArgs, Key, PostingArgs, ProposerArgs,
    SequencerArgs,
};

/// Exit code of a challenger that found a wrong output.
const WRONG_OUTPUT: u8 = 2;

/// Wei in a gwei.
const GWEI: u128 = 1_000_000_000;

pub(crate) async fn run(command: Command, log: LogControl) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(args) => crate::dev::run(args).await,
        Command::Sequencer(args) => sequencer(args, log).await,
        Command::Replica(args) => crate::replica::run(args).await,
        Command::Batcher(args) => batcher(args).await,
        Command::Proposer(args) => proposer(args).await,
        Command::Challenger(args) => challenger(args).await,
        Command::Admin(args) => crate::admin::run(args).await,
        Command::Derive(args) => crate::derive::run(args).await,
        Command::Dispute(args) => crate::dispute::run(args).await,
        Command::Prove(prove) => crate::prove::run(prove).await,
        Command::Db(db) => crate::db::run(db).await,
        Command::Deploy(args) => deploy(args).await,
        Command::Bridge(args) => crate::bridge::run(args).await,
        Command::Bench(args) => crate::bench::run(args.bench).await.map(|()| ExitCode::SUCCESS),
        Command::Load(args) => crate::load::run(args).await,
        Command::Conformance(args) => tokio::task::block_in_place(|| crate::conformance::run(args)),
        Command::Vm(args) => tokio::task::block_in_place(|| crate::vm::run(args)),
        Command::Genesis => {
            println!("{}", to_json(&Genesis::dev())?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn sequencer(args: SequencerArgs, log: LogControl) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    l1.archive.get_or_insert_with(|| beside(&args.database, "sequencer.entries"));
    let state = args.state.unwrap_or_else(|| beside(&args.database, "sequencer.state"));
    let config = SequencerConfig {
        listen: args.listen,
        database: args.database,
        state,
        l1,
        l1_confirmations: args.chain.l1_confirmations,
        l1_poll: Duration::from_millis(args.chain.l1_poll_ms),
        block_interval: Duration::from_millis(args.block_interval_ms.max(1)),
        heartbeat: Duration::from_secs(args.heartbeat),
        backlog_entries_max: args.backlog_entries_max,
        checkpoint_blocks: args.checkpoint_blocks.max(1),
        execution: args.execution.into(),
        pool: args.pool.into(),
        key: signer(args.key.as_ref()).context("--key")?,
        limits: args.limits.into(),
        admin: args.admin.config(log)?,
        submission_route: SubmissionRoute::LocalPool,
    };
    turnpike_sequencer::run(&genesis, config, stop_on_signal()?, |_| ()).await?;
    Ok(ExitCode::SUCCESS)
}

async fn batcher(args: BatcherArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let config = BatcherConfig {
        l1: args.chain.l1(),
        l1_confirmations: args.chain.l1_confirmations,
        poll: Duration::from_millis(args.chain.l1_poll_ms),
        journal: args.journal,
        database: args.database,
        key: args.key.signer().context("--key")?,
        posting: args.posting.into(),
    };
    turnpike_batcher::run(&genesis, genesis_output(&genesis), config, stop_on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

async fn proposer(args: ProposerArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let config = ProposerConfig {
        l1: args.chain.l1(),
        l1_confirmations: args.chain.l1_confirmations,
        poll: Duration::from_millis(args.chain.l1_poll_ms),
        execution: args.execution.into(),
        key: args.key.signer().context("--key")?,
        interval: args.propose_interval,
        withdraw_bonds: args.withdraw_bonds,
    };
    turnpike_proposer::run(&genesis, config, stop_on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

impl From<DataArg> for DataMode {
    fn from(arg: DataArg) -> Self {
        match arg {
            DataArg::Auto => Self::Auto,
            DataArg::Calldata => Self::Calldata,
            DataArg::Blobs => Self::Blobs,
        }
    }
}

impl From<PostingArgs> for PostingConfig {
    fn from(args: PostingArgs) -> Self {
        Self {
            data: args.data_kind.into(),
            latency_max: args.max_latency,
            target_blobs: args.target_blobs,
            max_fee_per_gas: u128::from(args.max_fee_gwei) * GWEI,
            max_fee_per_blob_gas: u128::from(args.max_blob_fee_gwei) * GWEI,
            bump_blocks: args.bump_blocks.max(1),
            switch_margin_percent: args.switch_margin,
            switch_blocks: args.switch_blocks.max(1),
            ..Self::default()
        }
    }
}

async fn challenger(args: ChallengerArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    if args.key.is_some() && !args.once {
        // A game may come back to an entry whose blobs L1 does not serve any more.
        l1.archive.get_or_insert_with(|| beside(&args.database, "challenger.entries"));
    }
    let config = ChallengerConfig {
        l1,
        l1_confirmations: if args.once { 0 } else { args.chain.l1_confirmations },
        poll: Duration::from_millis(args.chain.l1_poll_ms),
        execution: args.execution.into(),
        key: signer(args.key.as_ref()).context("--key")?,
        // One that runs once leaves nothing to go on with.
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

async fn deploy(args: DeployArgs) -> anyhow::Result<ExitCode> {
    let mut genesis = read_genesis(&args.genesis)?;
    genesis.sequencer = args.sequencer.or(genesis.sequencer);
    let genesis = turnpike_l1::deploy(
        &args.l1_url,
        args.key.signer().context("--key")?,
        args.batcher,
        genesis,
        genesis_output,
    )
    .await?;
    write_genesis(&args.out, &genesis)?;
    println!("{}", to_json(&genesis.l1)?);
    Ok(ExitCode::SUCCESS)
}

/// What lies beside a database, under its name if that is a file; of a server's this name in the working directory.
pub(crate) fn beside(database: &DatabaseLocation, name: &str) -> PathBuf {
    let extension = Path::new(name).extension().unwrap_or_default();
    database.file().map_or_else(|| name.into(), |path| path.with_extension(extension))
}

fn signer(key: Option<&Key>) -> anyhow::Result<Option<PrivateKeySigner>> {
    key.map(Key::signer).transpose()
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

/// Prints what an adversary reports.
pub(crate) fn print_adversary_event(event: &AdversaryEvent, json: bool) {
    if json {
        println!("{}", serde_json::json!({ "event": "adversary", "text": event.to_string() }));
    } else {
        println!("adversary: {event}");
    }
}

/// The output root's preimage after the genesis block.
pub(crate) fn genesis_output(genesis: &Genesis) -> OutputRoot {
    Chain::from_genesis(genesis).head().output
}

pub(crate) fn read_genesis(path: &Path) -> anyhow::Result<Genesis> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the genesis file {}", path.display()))?;
    let genesis: Genesis = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a genesis file", path.display()))?;
    genesis.validate()?;
    Ok(genesis)
}

/// Writes the file whole or not at all.
pub(crate) fn write_genesis(path: &Path, genesis: &Genesis) -> anyhow::Result<()> {
    let draft = path.with_extension("json.draft");
    std::fs::write(&draft, to_json(genesis)? + "\n")
        .and_then(|()| std::fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// Cancelled by Ctrl-C or a polite kill.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}
