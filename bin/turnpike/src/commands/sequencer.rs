//! `turnpike sequencer`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use turnpike_api::{ApiConfig, LogControl, run_sequencer};
use turnpike_l1::Archive;
use turnpike_sequencer::{
    BacklogLimits, CHECKPOINT_BLOCKS, ORIGIN_STEP, PoolLimits, SequencerConfig, SubmissionRoute,
};
use turnpike_storage::DatabaseLocation;

use crate::common::{
    AdminServerArgs, ChainArgs, ExecutionArgs, Key, LimitArgs, beside, read_genesis, signer_of,
    stop_on_signal,
};

/// Arguments of `turnpike sequencer`.
#[derive(Debug, Args)]
pub(crate) struct SequencerArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// The sequencer's database: a SQLite file, or the URL of a PostgreSQL database (`postgres://…`).
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "sequencer.db",
        env = "TURNPIKE_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: DatabaseLocation,
    /// Folder of the state's checkpoints. By default it lies beside the database file and ends in `.state`; for a database on a server,
    /// it is `sequencer.state` here.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Serve JSON-RPC and REST at this address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9545")]
    pub(crate) listen: SocketAddr,
    /// Milliseconds between blocks while transactions wait.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) block_interval_ms: u64,
    /// Seconds after which an empty block is sealed.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) heartbeat: u64,
    /// Seconds of L1 after which blocks take a newer inbox entry as their origin. Each change of origin ends a batch.
    #[arg(long, value_name = "SECONDS", default_value_t = ORIGIN_STEP)]
    pub(crate) origin_step: u64,
    /// Bytes on L1 that blocks may be ahead of it, compressed as the batches before. Beyond it, no block is made and the pool fills.
    #[arg(long, value_name = "BYTES", default_value_t = BacklogLimits::default().bytes_max)]
    pub(crate) backlog_bytes_max: u64,
    /// Seconds of L1 that the oldest block may wait for it. Beyond it, no block is made and the pool fills.
    #[arg(long, value_name = "SECONDS", default_value_t = BacklogLimits::default().seconds_max)]
    pub(crate) backlog_seconds_max: u64,
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Key that signs preconfirmations; its account must be the genesis file's `sequencer`, if that names one.
    #[arg(long, env = "TURNPIKE_SEQUENCER_KEY", hide_env_values = true)]
    pub(crate) key: Option<Key>,
    /// Blocks between checkpoints of the state. After a crash, about as many are executed again.
    #[arg(long, value_name = "BLOCKS", default_value_t = CHECKPOINT_BLOCKS)]
    pub(crate) checkpoint_blocks: u64,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) admin: AdminServerArgs,
}

/// Bounds of the transaction pool.
#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    /// Most transactions in the pool.
    #[arg(long, value_name = "COUNT", default_value_t = PoolLimits::default().transactions_max)]
    pub(crate) pool_transactions_max: usize,
    /// Most bytes in the pool.
    #[arg(long, value_name = "BYTES", default_value_t = PoolLimits::default().bytes_max)]
    pub(crate) pool_bytes_max: usize,
    /// Most transactions of one sender in the pool.
    #[arg(long, value_name = "COUNT", default_value_t = PoolLimits::default().sender_transactions_max)]
    pub(crate) pool_sender_transactions_max: usize,
    /// Most bytes of one sender in the pool.
    #[arg(long, value_name = "BYTES", default_value_t = PoolLimits::default().sender_bytes_max)]
    pub(crate) pool_sender_bytes_max: usize,
    /// Most nonces that a transaction may be ahead of its account.
    #[arg(long, value_name = "NONCES", default_value_t = PoolLimits::default().nonce_gap_max)]
    pub(crate) pool_nonce_gap_max: u64,
    /// Seconds that a transaction waits for a missing nonce before it.
    #[arg(long, value_name = "SECONDS", default_value_t = PoolLimits::default().gap_timeout.as_secs())]
    pub(crate) pool_gap_timeout: u64,
}

impl From<PoolArgs> for PoolLimits {
    fn from(args: PoolArgs) -> Self {
        Self {
            transactions_max: args.pool_transactions_max,
            bytes_max: args.pool_bytes_max,
            sender_transactions_max: args.pool_sender_transactions_max,
            sender_bytes_max: args.pool_sender_bytes_max,
            nonce_gap_max: args.pool_nonce_gap_max,
            gap_timeout: Duration::from_secs(args.pool_gap_timeout),
        }
    }
}

/// Runs a sequencer until a signal stops it.
pub(crate) async fn run(args: SequencerArgs, log: LogControl) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let mut l1 = args.chain.l1();
    l1.archive.get_or_insert_with(|| Archive::new(beside(&args.database, "sequencer.entries")));
    let state = args.state.unwrap_or_else(|| beside(&args.database, "sequencer.state"));
    let config = SequencerConfig {
        database: args.database,
        state,
        l1,
        l1_confirmations: args.chain.l1_confirmations,
        l1_poll: args.chain.l1_poll(),
        block_interval: Duration::from_millis(args.block_interval_ms.max(1)),
        heartbeat: Duration::from_secs(args.heartbeat),
        origin_step: args.origin_step,
        backlog: BacklogLimits {
            bytes_max: args.backlog_bytes_max,
            seconds_max: args.backlog_seconds_max,
        },
        checkpoint_blocks: args.checkpoint_blocks.max(1),
        execution: args.execution.into(),
        pool: args.pool.into(),
        key: signer_of(args.key.as_ref()).context("--key")?,
        submission_route: SubmissionRoute::LocalPool,
    };
    let api = ApiConfig {
        listen: args.listen,
        limits: args.limits.into(),
        admin: args.admin.config(log)?,
    };
    run_sequencer(&genesis, config, api, stop_on_signal()?, |_| ()).await?;
    Ok(ExitCode::SUCCESS)
}
