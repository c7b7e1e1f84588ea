//! An anvil that is started to compare the node with.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::{args::AnvilBlocks, endpoint::Endpoint, rpc::Rpc};

/// Time limit for anvil to answer after its start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Time limit for anvil to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs anvil until its own standard input closes: however this process ends, anvil ends too.
const KEEPER: &str = r#""$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child""#;

/// Makes anvil fast: no log, transactions in order of arrival, no limit on blocks.
const FLAGS: &[&str] =
    &["--quiet", "--order", "fifo", "--gas-limit", "1000000000000", "--no-request-size-limit"];

/// A running anvil on a free port.
#[derive(Debug)]
pub(crate) struct Anvil {
    pub(crate) endpoint: Endpoint,
    /// Its command line, for the report.
    pub(crate) how: String,
    keeper: Child,
}

impl Anvil {
    pub(crate) async fn start(program: &Path, blocks: AnvilBlocks) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut flags: Vec<_> = FLAGS.iter().map(ToString::to_string).collect();
        if let AnvilBlocks::Every(seconds) = blocks {
            flags.extend(["--block-time".to_string(), seconds.to_string()]);
        }
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "anvil-keeper"])
            .arg(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(&flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start anvil")?;
        let endpoint = Endpoint { authority: format!("127.0.0.1:{port}"), path: "/".into() };
        wait_until_up(&endpoint, &mut keeper).await?;
        Ok(Self { endpoint, how: format!("anvil {}", flags.join(" ")), keeper })
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) {
        drop(self.keeper.stdin.take());
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.keeper.wait()).await;
    }
}

async fn wait_until_up(endpoint: &Endpoint, keeper: &mut Child) -> anyhow::Result<()> {
    let start = Instant::now();
    while start.elapsed() < START_TIMEOUT {
        if let Ok(mut rpc) = Rpc::open(endpoint).await
            && rpc.call("eth_chainId", json!([])).await.is_ok()
        {
            return Ok(());
        }
        if let Some(status) = keeper.try_wait()? {
            bail!("anvil ended: {status}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("anvil does not answer")
}
