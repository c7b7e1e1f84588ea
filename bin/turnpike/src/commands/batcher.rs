//! `turnpike batcher`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use turnpike_batcher::{BatcherConfig, DataMode, PostingConfig};
use turnpike_storage::DatabaseLocation;

use crate::common::{ChainArgs, GWEI, Key, genesis_output, read_genesis, stop_on_signal};

/// Arguments of `turnpike batcher`.
#[derive(Debug, Args)]
pub(crate) struct BatcherArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// The sequencer's database, which is only read.
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "sequencer.db",
        env = "TURNPIKE_JOURNAL",
        hide_env_values = true
    )]
    pub(crate) journal: DatabaseLocation,
    /// The batcher's own database, not the sequencer's: a SQLite file, or the URL of a PostgreSQL database.
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "batcher.db",
        env = "TURNPIKE_BATCHER_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: DatabaseLocation,
    /// Key that may append to the inbox.
    #[arg(long, env = "TURNPIKE_BATCHER_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) posting: PostingArgs,
}

/// How batches are posted.
#[derive(Debug, Args)]
pub(crate) struct PostingArgs {
    /// Where batches go on L1.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = DataArg::Auto)]
    pub(crate) data_kind: DataArg,
    /// Most seconds that a sealed block waits for others to share its batch.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) max_latency: u64,
    /// Longest time that a sealed block waits while other batches are on their way to L1, if that is more than --max-latency.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) max_latency_in_flight: u64,
    /// Blobs at which a batch is posted without waiting longer.
    #[arg(long, value_name = "BLOBS", default_value_t = 6)]
    pub(crate) target_blobs: u64,
    /// Highest fee per gas, in gwei. Above it, batches wait unless a deposit would become overdue.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_fee_gwei: u64,
    /// Highest fee per blob gas, in gwei.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_blob_fee_gwei: u64,
    /// L1 blocks before a waiting transaction is replaced by one with a higher fee.
    #[arg(long, value_name = "BLOCKS", default_value_t = 4)]
    pub(crate) bump_blocks: u64,
    /// How much cheaper, in percent, the other kind of data must be for a switch between calldata and blobs.
    #[arg(long, value_name = "PERCENT", default_value_t = 20)]
    pub(crate) switch_margin: u64,
    /// L1 blocks in a row for which it must be cheaper.
    #[arg(long, value_name = "BLOCKS", default_value_t = 3)]
    pub(crate) switch_blocks: u32,
}

/// Where batches go.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DataArg {
    /// Whichever is cheaper.
    Auto,
    /// Calldata, unless a block is too large for it.
    Calldata,
    /// Blobs.
    Blobs,
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
            latency_in_flight_max: args.max_latency_in_flight,
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

/// Runs a batcher until a signal stops it.
pub(crate) async fn run(args: BatcherArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let config = BatcherConfig {
        l1: args.chain.l1(),
        l1_confirmations: args.chain.l1_confirmations,
        poll: args.chain.l1_poll(),
        journal: args.journal,
        database: args.database,
        key: args.key.signer().context("--key")?,
        posting: args.posting.into(),
    };
    turnpike_batcher::run(&genesis, genesis_output(&genesis), config, stop_on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}
