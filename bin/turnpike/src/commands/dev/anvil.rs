use std::{
    ffi::OsString,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::providers::{DynProvider, Provider as _, ProviderBuilder, ext::AnvilApi as _};
use alloy_primitives::{Address, U256};
use anyhow::{Context as _, bail};

use turnpike_protocol::Genesis;

use super::{accounts::Accounts, args::DevArgs, data::DataDir};
use crate::common::{KeptProcess, genesis_output};

/// Longest time until anvil answers after its start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The L1 of a development chain.
#[derive(Debug)]
pub(crate) struct L1 {
    url: String,
    provider: DynProvider,
    process: Option<KeptProcess>,
}

impl L1 {
    /// Starts anvil with the data folder's L1 state, or connects to the L1 given by --l1-url.
    pub(crate) async fn start(args: &DevArgs, data: &DataDir) -> anyhow::Result<Self> {
        if let Some(url) = &args.l1_url {
            let l1 = Self { url: url.clone(), provider: provider(url)?, process: None };
            l1.provider.get_chain_id().await.map_err(|_| {
                anyhow::anyhow!("L1 is unreachable: the endpoint given by --l1-url does not answer")
            })?;
            return Ok(l1);
        }
        let state = data.file("l1-state.json");
        Self::spawn(args.l1_port, &data.file("anvil.log"), Some(&state)).await
    }

    /// Starts anvil on a port, or on any free one for 0, with the state in a file or in memory only.
    pub(crate) async fn spawn(
        port: u16,
        log_path: &Path,
        state: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let port = free_port(port)?;
        let port_text = port.to_string();
        let mut args = vec!["--host", "127.0.0.1", "--port", &port_text, "--hardfork", "osaka"];
        args.extend(["--slots-in-an-epoch", "1"]);
        let mut args: Vec<_> = args.into_iter().map(OsString::from).collect();
        if let Some(state) = state {
            // However this process ends, anvil writes its state and stops.
            args.extend(["--state".into(), state.into(), "--state-interval".into(), "5".into()]);
        }
        let process = KeptProcess::spawn(&find_anvil()?, args, log_path)?;
        let url = format!("http://127.0.0.1:{port}");
        let mut l1 = Self { provider: provider(&url)?, url, process: Some(process) };
        if let Err(error) = l1.wait_until_up().await {
            l1.stop().await;
            return Err(error.context(format!("anvil did not start: see {}", log_path.display())));
        }
        Ok(l1)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The anvil that this process started.
    pub(crate) const fn process(&self) -> Option<&KeptProcess> {
        self.process.as_ref()
    }

    /// Deploys a chain's contracts. From then on a block is mined for each transaction at once.
    pub(crate) async fn deploy(
        &self,
        accounts: &Accounts,
        genesis: Genesis,
    ) -> anyhow::Result<Genesis> {
        self.mine_at_once().await?;
        let (deployer, batcher) = (accounts.deployer(), accounts.batcher().address());
        let deployed = turnpike_l1::deploy(&self.url, deployer, batcher, genesis, genesis_output);
        deployed.await.context("cannot deploy the contracts")
    }

    /// Mines a block for each transaction at once.
    async fn mine_at_once(&self) -> anyhow::Result<()> {
        self.provider.anvil_set_auto_mine(true).await.context("the L1 is not an anvil")
    }

    /// Mines a block every so many seconds; with 0, only on request.
    pub(crate) async fn mine_every(&self, seconds: u64) -> anyhow::Result<()> {
        self.provider.anvil_set_auto_mine(false).await.context("the L1 is not an anvil")?;
        self.provider.anvil_set_interval_mining(seconds).await?;
        Ok(())
    }

    /// Gives an account ether.
    pub(crate) async fn fund(&self, account: Address, wei: U256) -> anyhow::Result<()> {
        self.provider.anvil_set_balance(account, wei).await.context("the L1 is not an anvil")
    }

    /// Stops anvil, if this process started it, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        let Some(process) = self.process.take() else { return };
        if !process.stop().await {
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
