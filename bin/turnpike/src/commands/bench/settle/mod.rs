//! `turnpike bench settle`: the whole rollup on this machine under a steady load, until L1 holds every transaction.

mod heads;
mod processor_time;
mod system;
mod table;

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
};

use self::{
    heads::{SafeHeads, Settled},
    processor_time::ProcessorTime,
    system::{Layout, System},
    table::{SettleReport, SettleTable},
};
use crate::common::Format;

/// What the load generator says once its senders are set up.
const IS_SET_UP: &str = ": set up in ";

/// Connections of the client.
const CONNECTIONS: &str = "2";

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
    let report = system.at("load.json");
    let mut client = start_client(&system.l2_url, args, &report)?;
    let mut said = client.stderr.take().map(BufReader::new).context("the client says nothing")?;
    wait_until_set_up(&mut said).await?;
    let (before, first) = (system.times()?, heads.head().await?);
    let mut told = String::new();
    let ended = async {
        let mut rest = BufReader::new(said).lines();
        while let Ok(Some(line)) = rest.next_line().await {
            told.push_str(&line);
            told.push('\n');
        }
    };
    heads.watch(ended).await?;
    let status = client.wait().await?;
    ensure!(status.success(), "the client failed: {told}");
    system.wait_until_idle().await?;
    let after = system.times()?;
    let settled = heads.settled(first).await?;
    let (accepted, transactions) = (accepted(&report)?, settled.transactions());
    ensure!(transactions >= accepted, "{transactions} of {accepted} transactions were settled");
    let times =
        before.iter().zip(after).map(|((_, before), (name, after))| (name, after - *before));
    Ok((times.collect(), settled))
}

/// Starts `turnpike load`, which signs all transactions before it sends the first.
fn start_client(l2_url: &str, args: &SettleArgs, report: &Path) -> anyhow::Result<Child> {
    let client = Command::new(std::env::current_exe()?)
        .args(["load", "--rpc", l2_url, "--transport", "rest", "--batch", "100"])
        // Requests hold several transactions each, as those of a busy gateway.
        .args(["--connections", CONNECTIONS])
        .args(["--open", &args.rate.to_string(), "--duration", &args.seconds.to_string()])
        // This command counts what is settled. Reading every block would cost the sequencer time.
        .args(["--until", "acknowledged", "--receipts", "none"])
        .args(["--drain", &DRAIN_SECONDS.to_string(), "--json"])
        .arg(report)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    client.context("cannot start the client")
}

/// Number of transactions that the node accepted from the client.
fn accepted(report: &Path) -> anyhow::Result<u64> {
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let phases = report["nodes"][0]["phases"].as_array();
    let accepted =
        phases.map(|all| all.iter().filter_map(|phase| phase["accepted"].as_u64()).sum());
    accepted.context("the client's report has no phases")
}

async fn wait_until_set_up(said: &mut BufReader<ChildStderr>) -> anyhow::Result<()> {
    let (mut all, mut line) = (String::new(), String::new());
    while !line.contains(IS_SET_UP) {
        line.clear();
        ensure!(said.read_line(&mut line).await? > 0, "the client failed: {all}");
        all.push_str(&line);
    }
    Ok(())
}
