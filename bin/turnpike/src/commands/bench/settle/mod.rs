//! `turnpike bench settle`: the whole rollup on this machine under a steady load, until L1 holds every transaction.

mod heads;
mod processor_time;
mod system;
mod table;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
};

use self::{
    heads::{SafeHeads, Settled},
    processor_time::ProcessorTime,
    system::{L1_NODE, Layout, System},
    table::{SettleReport, SettleTable},
};
use crate::common::Format;

/// What the load generator says once its senders are set up.
const IS_SET_UP: &str = ": set up in ";

/// Connections of the client.
const CONNECTIONS: &str = "2";

/// Seconds of load before the measurement.
const WARM_UP_SECONDS: u32 = 5;

/// Blobs of the transaction whose check by L1's node is measured.
const BLOBS_CHECKED: usize = 3;

/// Seconds that the load may take to be included after its end.
const DRAIN_SECONDS: u32 = 120;

/// Arguments of `turnpike bench settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// Transactions a second, transfers of a token between random accounts.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 4_000)]
    pub(crate) rate: u32,
    /// Seconds of load.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Measure one layout only.
    #[arg(long, value_name = "LAYOUT", value_enum)]
    pub(crate) only: Option<Layout>,
    /// Output format.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Measures each layout and prints the table.
pub(crate) async fn settle(args: &SettleArgs) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    for layout in [Layout::Separate, Layout::Together] {
        if args.only.is_none_or(|only| only == layout) {
            eprintln!(
                "{}: {} transactions a second for {} s",
                layout.name(),
                args.rate,
                args.seconds
            );
            let system = System::start(layout).await?;
            let measured = measure(&system, args).await;
            system.stop().await;
            let (times, settled) = measured?;
            reports.push(SettleReport::new(layout.name(), times, &settled));
        }
    }
    let table = SettleTable { rate: args.rate, seconds: args.seconds, reports };
    match args.format {
        Format::Text => println!("{table}"),
        Format::Json => println!("{}", serde_json::to_string(&table)?),
    }
    Ok(())
}

/// Processor time of each process for the load, and the settled transactions.
async fn measure(
    system: &System,
    args: &SettleArgs,
) -> anyhow::Result<(Vec<(&'static str, ProcessorTime)>, Settled)> {
    let mut heads = SafeHeads::connect(&system.l2_url)?;
    // The first blobs have every role load the trusted setup.
    let warm_up = Load::start(system, args.rate, WARM_UP_SECONDS).await?;
    warm_up.settle(&mut heads).await?;
    system.wait_until_idle().await?;
    let load = Load::start(system, args.rate, args.seconds).await?;
    let (before, first) = (system.times()?, heads.head().await?);
    let first_l1_block = system.l1_head().await?;
    let accepted = load.settle(&mut heads).await?;
    system.wait_until_idle().await?;
    let after = system.times()?;
    let blobs = system.l1_blobs_after(first_l1_block).await?;
    let settled = heads.settled(first).await?;
    let transactions = settled.transactions();
    ensure!(transactions >= accepted, "{transactions} of {accepted} transactions were settled");
    let times =
        before.iter().zip(after).map(|((_, before), (name, after))| (name, after - *before));
    let mut times: Vec<_> = times.collect();
    // L1's node checks proofs on threads that do other work, too, so this part is computed.
    let checks = turnpike_bench::node_check_time(BLOBS_CHECKED)? * blobs;
    times.iter_mut().filter(|(name, _)| *name == L1_NODE).for_each(|(_, time)| time.kzg = checks);
    Ok((times, settled))
}

/// A running client, whose senders are set up.
struct Load {
    client: Child,
    said: BufReader<ChildStderr>,
    report: PathBuf,
}

impl Load {
    /// Starts `turnpike load`, which signs all transactions before it sends the first.
    async fn start(system: &System, rate: u32, seconds: u32) -> anyhow::Result<Self> {
        let report = system.at("load.json");
        let mut client = Command::new(std::env::current_exe()?)
            .args(["load", "--rpc", &system.l2_url, "--transport", "rest", "--batch", "100"])
            // Requests hold several transactions each, as those of a busy gateway.
            .args(["--connections", CONNECTIONS])
            .args(["--open", &rate.to_string(), "--duration", &seconds.to_string()])
            // This command counts what is settled. Reading every block would cost the sequencer
            // time.
            .args(["--until", "acknowledged", "--receipts", "none"])
            .args(["--drain", &DRAIN_SECONDS.to_string(), "--json"])
            .arg(&report)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the client")?;
        let said = client.stderr.take().map(BufReader::new).context("the client says nothing")?;
        let mut load = Self { client, said, report };
        load.wait_until_set_up().await?;
        Ok(load)
    }

    async fn wait_until_set_up(&mut self) -> anyhow::Result<()> {
        let (mut all, mut line) = (String::new(), String::new());
        while !line.contains(IS_SET_UP) {
            line.clear();
            ensure!(self.said.read_line(&mut line).await? > 0, "the client failed: {all}");
            all.push_str(&line);
        }
        Ok(())
    }

    /// Waits until all transactions are sent and settled. Returns how many the node accepted.
    async fn settle(mut self, heads: &mut SafeHeads) -> anyhow::Result<u64> {
        let mut told = String::new();
        let ended = async {
            let mut rest = self.said.lines();
            while let Ok(Some(line)) = rest.next_line().await {
                told.push_str(&line);
                told.push('\n');
            }
        };
        heads.watch(ended).await?;
        let status = self.client.wait().await?;
        ensure!(status.success(), "the client failed: {told}");
        accepted(&self.report)
    }
}

/// Number of transactions that the node accepted from the client.
fn accepted(report: &Path) -> anyhow::Result<u64> {
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let phases = report["nodes"][0]["phases"].as_array();
    let accepted =
        phases.map(|all| all.iter().filter_map(|phase| phase["accepted"].as_u64()).sum());
    accepted.context("the client's report has no phases")
}
