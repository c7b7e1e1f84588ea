use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alloy::providers::{DynProvider, Provider as _, ProviderBuilder, ext::AnvilApi as _};
use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use super::{args::DevArgs, data::DataDir};

/// Longest time until anvil answers after its start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time that anvil may take to write its state and stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A shell that stops anvil once its standard input closes. However this process ends, anvil writes its state and stops.
const KEEPER: &str = r#""$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child""#;

/// The L1 of a development chain.
#[derive(Debug)]
pub(crate) struct L1 {
    url: String,
    provider: DynProvider,
    keeper: Option<Child>,
}

impl L1 {
    /// Starts anvil with the data folder's L1 state, or connects to the L1 given by --l1-url.
    pub(crate) async fn start(args: &DevArgs, data: &DataDir) -> anyhow::Result<Self> {
        if let Some(url) = &args.l1_url {
            let l1 = Self { url: url.clone(), provider: provider(url)?, keeper: None };
            l1.provider.get_chain_id().await.map_err(|_| {
                anyhow::anyhow!("L1 is unreachable: the endpoint given by --l1-url does not answer")
            })?;
            return Ok(l1);
        }
        Self::spawn(args.l1_port, &data.file("anvil.log"), &data.file("l1-state.json")).await
    }

    /// Starts anvil on a port, or on any free one for 0, with the state in a file.
    pub(crate) async fn spawn(port: u16, log_path: &Path, state: &Path) -> anyhow::Result<Self> {
        let port = free_port(port)?;
        let log = File::create(log_path)
            .with_context(|| format!("cannot create {}", log_path.display()))?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "anvil-keeper"])
            .arg(find_anvil()?)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--hardfork", "osaka", "--slots-in-an-epoch", "1"])
            .arg("--state")
            .arg(state)
            .args(["--state-interval", "5"])
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in a terminal reaches this process only, which stops anvil last.
            .process_group(0)
            .spawn()
            .context("cannot start anvil")?;
        let url = format!("http://127.0.0.1:{port}");
        let mut l1 = Self { provider: provider(&url)?, url, keeper: Some(keeper) };
        if let Err(error) = l1.wait_until_up().await {
            l1.stop().await;
            return Err(error.context(format!("anvil did not start: see {}", log_path.display())));
        }
        Ok(l1)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Mines a block for each transaction at once.
    pub(crate) async fn mine_at_once(&self) -> anyhow::Result<()> {
        self.provider.anvil_set_auto_mine(true).await.context("the L1 is not an anvil")
    }

    /// Mines a block every so many seconds; with 0, only on request.
    pub(crate) async fn mine_every(&self, seconds: u64) -> anyhow::Result<()> {
        self.provider.anvil_set_auto_mine(false).await.context("the L1 is not an anvil")?;
        self.provider.anvil_set_interval_mining(seconds).await?;
        Ok(())
    }

    /// Stops anvil, if this process started it, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        drop(keeper.stdin.take());
        if tokio::time::timeout(STOP_TIMEOUT, keeper.wait()).await.is_err() {
            tracing::warn!("anvil has not stopped in time");
        }
    }

    async fn wait_until_up(&self) -> anyhow::Result<()> {
        let up = async {
            while self.provider.get_chain_id().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, up).await.context("anvil does not answer")
    }
}

fn provider(url: &str) -> anyhow::Result<DynProvider> {
    let url = url.parse().map_err(|_| anyhow::anyhow!("the L1 URL is malformed"))?;
    Ok(DynProvider::new(ProviderBuilder::default().connect_http(url)))
}

/// The port, if nobody listens on it; any free one for 0.
fn free_port(port: u16) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("cannot listen on 127.0.0.1:{port} (L1): choose another --l1-port")
    })?;
    Ok(listener.local_addr()?.port())
}

/// Finds anvil: `TURNPIKE_ANVIL`, else in `node_modules` above the working folder or this program, else on the path.
pub(crate) fn find_anvil() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("TURNPIKE_ANVIL") {
        return Ok(path.into());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let folders = std::env::current_dir().unwrap_or_default();
    let found = folders
        .ancestors()
        .chain(program.ancestors())
        .map(|folder| folder.join("node_modules/.bin/anvil"))
        .find(|candidate| candidate.exists());
    if let Some(found) = found {
        return Ok(found);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|dir| dir.join("anvil")).find(|file| file.exists()) {
        Some(found) => Ok(found),
        None => bail!("anvil is not installed: run `npm ci` in the project's folder"),
    }
}
