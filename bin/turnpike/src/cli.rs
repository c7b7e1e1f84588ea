use std::{fmt, net::SocketAddr, num::NonZero, path::PathBuf, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::Address;
use clap::{Args, Parser, Subcommand, ValueEnum};
use turnpike_adversary::Attack;
use turnpike_l1::L1Endpoints;
use turnpike_load::LoadArgs;
use turnpike_sequencer::{CHECKPOINT_BLOCKS, PoolLimits};
use turnpike_storage::DatabaseLocation;

use crate::{
    admin::AdminArgs,
    api::{AdminServerArgs, LimitArgs},
    bench::DisputeBenchArgs,
    bridge::BridgeArgs,
    db::Db,
    dispute::DisputeArgs,
    execution::ExecutionArgs,
    prove::Prove,
    replica::ReplicaArgs,
    vm::VmArgs,
};

/// Turnpike, an optimistic rollup for decentralised finance.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Serve Prometheus metrics at this address, under /metrics; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) metrics: Option<SocketAddr>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole rollup on this machine: L1, sequencer, batcher, proposer and challenger.
    Dev(DevArgs),
    /// Take transactions and build blocks.
    Sequencer(SequencerArgs),
    /// Follow a sequencer's feed or database, or L1 alone: run all of it again and serve reads.
    Replica(ReplicaArgs),
    /// Tell a sequencer that runs: pause, resume, drain, execution mode, log level.
    Admin(AdminArgs),
    /// Post the sequencer's blocks to L1.
    Batcher(BatcherArgs),
    /// Derive the chain from L1 alone, propose what it came to and finalize what nobody challenged.
    Proposer(ProposerArgs),
    /// Derive the chain from L1 alone, challenge the outputs that are wrong, and defend those that are right.
    Challenger(ChallengerArgs),
    /// Derive the chain from L1 alone and print what it came to; nothing is written anywhere.
    Derive(DeriveArgs),
    /// Follow disputes over outputs: what is claimed, who is right and why, and moves made by hand.
    Dispute(DisputeArgs),
    /// Prove what a block of the chain that L1 holds comes to.
    #[command(subcommand)]
    Prove(Prove),
    /// Verify a sequencer's or a replica's database, or rebuild its index.
    #[command(subcommand)]
    Db(Db),
    /// Deploy a chain's contracts on L1 and write the genesis file that everybody else needs.
    Deploy(DeployArgs),
    /// Move money between L1 and L2: deposits, withdrawals, and transactions that the sequencer cannot leave out.
    Bridge(BridgeArgs),
    /// Print the development chain's genesis file, not yet deployed.
    Genesis,
    /// Measure this machine: execution against plain revm, roots against alloy-trie, and what a transaction costs at each other stage.
    Bench(BenchArgs),
    /// Put load on a node, this or any other that speaks JSON-RPC: throughput, latency, and whether everything accepted is there.
    Load(LoadArgs),
    /// Run Ethereum's public test suites, or real blocks, through this node's own executor and trie.
    Conformance(ConformanceArgs),
    /// Run programs on the proof machine: RV64IM, every step of which L1 can repeat.
    Vm(VmArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where the chain is kept; with --liar `.turnpike/liar`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Start over: delete what an earlier run kept.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Have a liar at work, so that the challenger can be seen at work. By default, `state`, the sequencer falsifies the state; of
    /// other kinds are lies about single outputs of a chain that is right: receipt, deposit, signature, decompression, precompile,
    /// middle, exit, step, children, silence, last-second, many, puppet. Always starts over.
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "state")]
    pub(crate) liar: Option<Attack>,
    /// Port of the L2's JSON-RPC and REST on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 9545)]
    pub(crate) port: u16,
    /// Port of the L1 (anvil) on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 8545)]
    pub(crate) l1_port: u16,
    /// Use this L1 instead of starting one.
    #[arg(long, value_name = "URL", conflicts_with = "l1_port")]
    pub(crate) l1_url: Option<String>,
    /// Seconds between L1 blocks; with 0 they are mined by hand (`cast rpc anvil_mine`).
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub(crate) l1_block_time: u64,
    /// Milliseconds between L2 blocks while there are transactions.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) block_interval_ms: u64,
    /// Where batches go on L1. An anvil that is started again has its calldata still, but no blobs.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = DataArg::Calldata)]
    pub(crate) data_kind: DataArg,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Print the banner and what the challenger finds as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// The chain's genesis file, deployed.
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(crate) l1_url: String,
    /// L1's beacon API, which serves blobs; without it, the L1 endpoint is asked for them.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_BEACON_URL", hide_env_values = true)]
    pub(crate) l1_beacon_url: Option<String>,
    /// Keep batch data here once it was read: L1 serves blobs for some weeks only. Roles may share the folder. The sequencer,
    /// and a challenger with a key, have one beside their database without being told.
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// L1 blocks on top of one before it is believed.
    #[arg(long, value_name = "BLOCKS", default_value_t = 2)]
    pub(crate) l1_confirmations: u64,
    /// Milliseconds between looks at L1.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(crate) l1_poll_ms: u64,
}

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
    /// Where checkpoints of the state are kept; if not told, in a folder that ends in `.state`, beside the database if that is a file,
    /// else `sequencer.state` here.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Where JSON-RPC and REST are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9545")]
    pub(crate) listen: SocketAddr,
    /// Milliseconds between blocks while there are transactions.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) block_interval_ms: u64,
    /// Seconds after which an empty block is sealed.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) heartbeat: u64,
    /// Inbox entries that sealed blocks may wait for; past it no block is sealed and the pool fills.
    #[arg(long, value_name = "ENTRIES", default_value_t = 64)]
    pub(crate) backlog_entries_max: u64,
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Key that signs preconfirmations; its account must be the genesis file's `sequencer`, if that names one.
    #[arg(long, env = "TURNPIKE_SEQUENCER_KEY", hide_env_values = true)]
    pub(crate) key: Option<Key>,
    /// Blocks from one checkpoint of the state to the next: about as many are run again after a crash.
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
    /// Transactions in the pool, at most.
    #[arg(long, value_name = "COUNT", default_value_t = PoolLimits::default().transactions_max)]
    pub(crate) pool_transactions_max: usize,
    /// Bytes in the pool, at most.
    #[arg(long, value_name = "BYTES", default_value_t = PoolLimits::default().bytes_max)]
    pub(crate) pool_bytes_max: usize,
    /// Transactions of one sender in the pool, at most.
    #[arg(long, value_name = "COUNT", default_value_t = PoolLimits::default().sender_transactions_max)]
    pub(crate) pool_sender_transactions_max: usize,
    /// How far a nonce may be ahead of its account's.
    #[arg(long, value_name = "NONCES", default_value_t = PoolLimits::default().nonce_gap_max)]
    pub(crate) pool_nonce_gap_max: u64,
    /// Seconds that transactions wait for a nonce that is missing before them.
    #[arg(long, value_name = "SECONDS", default_value_t = PoolLimits::default().gap_timeout.as_secs())]
    pub(crate) pool_gap_timeout: u64,
}

impl From<PoolArgs> for PoolLimits {
    fn from(args: PoolArgs) -> Self {
        Self {
            transactions_max: args.pool_transactions_max,
            bytes_max: args.pool_bytes_max,
            sender_transactions_max: args.pool_sender_transactions_max,
            nonce_gap_max: args.pool_nonce_gap_max,
            gap_timeout: Duration::from_secs(args.pool_gap_timeout),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BatcherArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// The sequencer's database; only read.
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

impl ChainArgs {
    /// Where L1 is served.
    pub(crate) fn l1(&self) -> L1Endpoints {
        L1Endpoints {
            rpc: self.l1_url.clone(),
            beacon: self.l1_beacon_url.clone(),
            archive: self.archive.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ProposerArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Key that proposes; its account puts up the bonds.
    #[arg(long, env = "TURNPIKE_PROPOSER_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// L1 seconds between an output and the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) propose_interval: u64,
    /// Take out the bonds of outputs that became final, or that fell with a rejected one.
    #[arg(long)]
    pub(crate) withdraw_bonds: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeriveArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PostingArgs {
    /// Where batches go on L1.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = DataArg::Auto)]
    pub(crate) data_kind: DataArg,
    /// Seconds that a sealed block waits for others to share its batch, at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) max_latency: u64,
    /// Blobs that make a batch large enough to be posted before that.
    #[arg(long, value_name = "BLOBS", default_value_t = 6)]
    pub(crate) target_blobs: u64,
    /// Most that is offered per gas, in gwei. Above it batches wait, unless a deposit would be overdue.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_fee_gwei: u64,
    /// Most that is offered per blob gas, in gwei.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_blob_fee_gwei: u64,
    /// L1 blocks that a transaction may wait before it is replaced by one that pays more.
    #[arg(long, value_name = "BLOCKS", default_value_t = 4)]
    pub(crate) bump_blocks: u64,
    /// How much cheaper, in percent, blobs have to be than calldata, or calldata than blobs, for a switch.
    #[arg(long, value_name = "PERCENT", default_value_t = 20)]
    pub(crate) switch_margin: u64,
    /// L1 blocks in a row in which they have to be.
    #[arg(long, value_name = "BLOCKS", default_value_t = 3)]
    pub(crate) switch_blocks: u32,
}

/// Where batches go.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DataArg {
    /// Where it is cheaper.
    Auto,
    /// Into calldata, unless a block is too large for it.
    Calldata,
    /// Into blobs.
    Blobs,
}

#[derive(Debug, Args)]
pub(crate) struct ChallengerArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Key that challenges and defends; without it wrong outputs are only reported.
    #[arg(long, env = "TURNPIKE_CHALLENGER_KEY", hide_env_values = true)]
    pub(crate) key: Option<Key>,
    /// The challenger's own database: what it has sent to L1, so that it goes on wherever it was stopped. Only used with a key,
    /// and not with --once. A SQLite file, or the URL of a PostgreSQL database.
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "challenger.db",
        env = "TURNPIKE_CHALLENGER_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: DatabaseLocation,
    /// Most that is offered per gas, in gwei, for what has time. What would miss its deadline pays what it takes.
    #[arg(long, value_name = "GWEI", default_value_t = 100)]
    pub(crate) max_fee_gwei: u64,
    /// Propose and finalize outputs as well, with the same key.
    #[arg(long, requires = "key", conflicts_with = "once")]
    pub(crate) propose: bool,
    /// L1 seconds between an output and the next, with --propose.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "propose")]
    pub(crate) propose_interval: u64,
    /// A node that serves the claimed chain: with it, reports name transaction and account. Not trusted.
    #[arg(long, value_name = "URL")]
    pub(crate) peer: Option<String>,
    /// Stop once L1's head is reached: exit code 0 if every output is right, 2 if one is wrong.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print what is found as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The chain's genesis file, not yet deployed (see `turnpike genesis`).
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(crate) l1_url: String,
    /// Key that deploys; it has no rights afterwards.
    #[arg(long, env = "TURNPIKE_DEPLOYER_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// Account that may append to the inbox.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) batcher: Address,
    /// Account that signs preconfirmations; without it none is named, and the sequencer may sign with any key, or none.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sequencer: Option<Address>,
    /// Where the deployed genesis file is written.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Without it, all but the dispute, which takes an anvil.
    #[command(subcommand)]
    pub(crate) bench: Option<Bench>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Transactions on Turnpike's executor and on plain revm, in the same run.
    Execute(turnpike_bench::ExecuteArgs),
    /// New state roots on Turnpike's tries and on alloy-trie, in the same run.
    Root(turnpike_bench::RootArgs),
    /// The other stages, on one core: signatures, roots, batches.
    Stages,
    /// Instructions of the proof program, by kind of transaction and for a mixed block.
    Prove(turnpike_bench::ProveArgs),
    /// A whole dispute over a block of transfers and swaps, both sides, on an anvil with a block a second: gas and time by round.
    Dispute(DisputeBenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// A suite, a directory that holds suites, or a single file.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Run only tests whose `suite/file::test` contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run state tests and blocks in lanes as well, on so many threads, and state tests packed into blocks.
    #[arg(long, value_name = "COUNT")]
    pub(crate) workers: Option<NonZero<usize>>,
    /// Print JSON lines: one for each suite and fork, then one for each failure.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the counts by kind and fork as a Markdown table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}

/// A private key as it was given. It is parsed late, since an argument that does not parse is printed.
#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn signer(&self) -> anyhow::Result<PrivateKeySigner> {
        self.0.parse().map_err(|_| anyhow::anyhow!("a private key is 32 bytes in hexadecimal"))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}
