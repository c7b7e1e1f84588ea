//! The whole rollup on this machine, as processes of this program.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alloy::{
    eips::eip4844::DATA_GAS_PER_BLOB,
    providers::{DynProvider, Provider as _, ProviderBuilder},
};
use alloy_primitives::hex;
use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tempfile::TempDir;
use turnpike_protocol::Genesis;

use super::processor_time::{Processes, ProcessorTime};
use crate::{
    commands::dev::{Accounts, L1},
    common::{KeptProcess, write_genesis},
};

/// Seconds between L1 blocks.
const L1_BLOCK_TIME: u64 = 1;

/// Longest time until a process is up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest time until all roles have caught up after the load.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// The roles are idle if they compute this share of a processor in this span.
const IDLE_SHARE: f64 = 0.5;
const IDLE_SPAN: Duration = Duration::from_secs(1);

/// What the sequencer logs once it listens, before its address.
const SEQUENCER_UP: &str = "sequencer is up address=";

/// What `turnpike dev --json` prints before its URL.
const DEV_UP: &str = "\"l2Url\":\"";

/// What `turnpike dev --json` prints before L1's URL.
const DEV_L1: &str = "\"l1Url\":\"";

/// Name of L1's process.
pub(super) const L1_NODE: &str = "anvil";

/// How the roles run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Each role in a process of its own.
    Separate,
    /// All roles in one process, as `turnpike dev` runs them.
    Together,
}

impl Layout {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Separate => "each role in a process of its own",
            Self::Together => "all roles in one process",
        }
    }
}

/// A process whose time is counted.
#[derive(Debug)]
struct Counted {
    name: &'static str,
    id: u32,
}

/// A running rollup.
#[derive(Debug)]
pub(super) struct System {
    pub(super) l2_url: String,
    l1_url: String,
    counted: Vec<Counted>,
    kept: Vec<KeptProcess>,
    l1: Option<L1>,
    folder: TempDir,
}

impl System {
    pub(super) async fn start(layout: Layout) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (l2_url, l1_url) = (String::new(), String::new());
        let (counted, kept, l1) = (Vec::new(), Vec::new(), None);
        let mut system = Self { l2_url, l1_url, counted, kept, l1, folder };
        let started = match layout {
            Layout::Separate => system.start_roles().await,
            Layout::Together => system.start_dev().await,
        };
        match started {
            Ok(()) => Ok(system),
            Err(error) => {
                system.stop().await;
                Err(error)
            }
        }
    }

    /// Stops all processes.
    pub(super) async fn stop(mut self) {
        for process in self.kept.drain(..).rev() {
            let _ = process.stop().await;
        }
        if let Some(mut l1) = self.l1.take() {
            l1.stop().await;
        }
    }

    /// The processor time of each process so far.
    pub(super) fn times(&self) -> anyhow::Result<Vec<(&'static str, ProcessorTime)>> {
        let processes = Processes::now()?;
        let others: Vec<_> = self.counted.iter().map(|counted| counted.id).collect();
        let time = |counted: &Counted| (counted.name, processes.time(counted.id, &others));
        Ok(self.counted.iter().map(time).collect())
    }

    /// Waits until all processes together are idle: verifiers may be behind.
    pub(super) async fn wait_until_idle(&self) -> anyhow::Result<()> {
        let total = || -> anyhow::Result<Duration> {
            Ok(self.times()?.iter().map(|(_, time)| time.all).sum())
        };
        let (start, mut before) = (Instant::now(), total()?);
        while start.elapsed() < IDLE_TIMEOUT {
            tokio::time::sleep(IDLE_SPAN).await;
            let now = total()?;
            if now.saturating_sub(before) < IDLE_SPAN.mul_f64(IDLE_SHARE) {
                return Ok(());
            }
            before = now;
        }
        bail!("the roles still compute {} s after the load", IDLE_TIMEOUT.as_secs())
    }

    /// L1's newest block.
    pub(super) async fn l1_head(&self) -> anyhow::Result<u64> {
        Ok(self.l1()?.get_block_number().await?)
    }

    /// Blobs of the L1 blocks after this one.
    pub(super) async fn l1_blobs_after(&self, block: u64) -> anyhow::Result<u32> {
        let (l1, mut blobs) = (self.l1()?, 0);
        for number in block + 1..=l1.get_block_number().await? {
            let block = l1.get_block_by_number(number.into()).await?;
            let block = block.with_context(|| format!("L1 block {number} is missing"))?;
            blobs += block.header.blob_gas_used.unwrap_or_default() / DATA_GAS_PER_BLOB;
        }
        Ok(u32::try_from(blobs)?)
    }

    fn l1(&self) -> anyhow::Result<DynProvider> {
        let url = self.l1_url.parse().context("L1's URL is malformed")?;
        Ok(DynProvider::new(ProviderBuilder::default().connect_http(url)))
    }

    /// A file of this run.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn start_roles(&mut self) -> anyhow::Result<()> {
        let l1 = L1::spawn(0, &self.at("anvil.log"), None).await?;
        let l1 = self.l1.insert(l1);
        let (l1_url, anvil) = (l1.url().to_owned(), l1.process().and_then(KeptProcess::id));
        let accounts = Accounts::well_known()?;
        let genesis = l1.deploy(&accounts, Genesis::dev()).await?;
        l1.mine_every(L1_BLOCK_TIME).await?;
        self.l1_url.clone_from(&l1_url);
        self.count(L1_NODE, anvil)?;
        let genesis_path = self.at("genesis.json");
        write_genesis(&genesis_path, &genesis)?;
        let genesis_path = genesis_path.to_string_lossy().into_owned();
        let chain = ["--genesis", &genesis_path, "--l1-url", &l1_url];
        let chain = [&chain[..], &["--l1-confirmations", "0", "--l1-poll-ms", "200"]].concat();
        let key = |signer: alloy::signers::local::PrivateKeySigner| {
            hex::encode_prefixed(signer.to_bytes())
        };

        let database = self.path("sequencer.db");
        let log =
            self.role("sequencer", &chain, &["--database", &database, "--listen", "127.0.0.1:0"])?;
        let address = said(&log, SEQUENCER_UP).await?;
        self.l2_url = format!("http://{address}");
        let (own, key_of) = (self.path("batcher.db"), key(accounts.batcher()));
        let posting = ["--journal", &database, "--database", &own, "--key", &key_of];
        let posting = [
            &posting[..],
            &["--data-kind", "blobs", "--max-latency", "0", "--max-latency-in-flight", "2"],
        ]
        .concat();
        self.role("batcher", &chain, &posting)?;
        let (key_of, archive) = (key(accounts.proposer()), self.path("proposer.entries"));
        let proposing = ["--key", &key_of, "--propose-interval", "5", "--archive", &archive];
        self.role("proposer", &chain, &proposing)?;
        let (own, key_of) = (self.path("challenger.db"), key(accounts.challenger()));
        self.role("challenger", &chain, &["--database", &own, "--key", &key_of])?;
        Ok(())
    }

    async fn start_dev(&mut self) -> anyhow::Result<()> {
        let data = self.path("dev");
        let args = ["dev", "--data", &data, "--port", "0", "--l1-port", "0", "--json"];
        let log = self.spawn("dev", &[&args[..], &["--data-kind", "blobs"]].concat())?;
        let l2_url = said(&log, DEV_UP).await?;
        self.l2_url = l2_url;
        self.l1_url = said(&log, DEV_L1).await?;
        let dev = self.kept.last().and_then(KeptProcess::id);
        let anvil = Processes::now()?.descendant(dev.context("dev has ended")?, L1_NODE);
        self.count(L1_NODE, anvil)?;
        self.count("all roles", dev)
    }

    fn path(&self, name: &str) -> String {
        self.at(name).to_string_lossy().into_owned()
    }

    /// Starts a role in a process of its own. Returns its log.
    fn role(
        &mut self,
        name: &'static str,
        chain: &[&str],
        args: &[&str],
    ) -> anyhow::Result<PathBuf> {
        let log = self.spawn(name, &[&[name], chain, args].concat())?;
        self.count(name, self.kept.last().and_then(KeptProcess::id))?;
        Ok(log)
    }

    fn spawn(&mut self, name: &str, args: &[&str]) -> anyhow::Result<PathBuf> {
        let log = self.at(&format!("{name}.log"));
        self.kept.push(KeptProcess::spawn(&std::env::current_exe()?, args, &log)?);
        Ok(log)
    }

    fn count(&mut self, name: &'static str, id: Option<u32>) -> anyhow::Result<()> {
        let id = id.with_context(|| format!("{name} has ended"))?;
        self.counted.push(Counted { name, id });
        Ok(())
    }
}

/// Waits until a log holds some text, and returns the word after it.
async fn said(log: &Path, text: &str) -> anyhow::Result<String> {
    let start = Instant::now();
    while start.elapsed() < START_TIMEOUT {
        let all = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((_, after)) = all.split_once(text)
            && let Some(end) = after.find(|end: char| end.is_whitespace() || end == '"')
        {
            return Ok(after[..end].to_owned());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("not up after {} s: {}", START_TIMEOUT.as_secs(), std::fs::read_to_string(log)?)
}
