//! `turnpike dev`: the whole rollup on one machine.

mod accounts;
mod anvil;
mod args;
mod banner;
mod data;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;
use turnpike_adversary::{AdversaryConfig, AdversaryEvent, AdversaryRole, Attack, FalseCredit};
use turnpike_api::{ApiConfig, run_sequencer_with_hook};
use turnpike_batcher::{BatcherConfig, PostingConfig};
use turnpike_challenger::{ChallengerConfig, FeePolicy, ProposeConfig};
use turnpike_executor::ExecutionHook;
use turnpike_http::HttpLimits;
use turnpike_l1::{Archive, L1Endpoints};
use turnpike_proposer::ProposerConfig;
use turnpike_protocol::Genesis;
use turnpike_sequencer::{
    BacklogLimits, CHECKPOINT_BLOCKS, PoolLimits, SequencerConfig, SubmissionRoute,
};

pub(crate) use self::{
    accounts::Accounts,
    anvil::{L1, find_anvil},
    args::DevArgs,
};
use self::{
    banner::Banner,
    data::{ARCHIVE_FOLDER, DataDir, STATE_FOLDER},
};
use crate::{
    commands::challenger::print_event,
    common::{genesis_output, stop_on_signal},
};

/// Time between a role's looks at L1.
const L1_POLL: Duration = Duration::from_millis(200);

/// L1 seconds between outputs.
const PROPOSE_INTERVAL: u64 = 5;

/// Bytes on L1 that blocks may be ahead of it: some ten seconds of what anvil takes.
const BACKLOG_BYTES_MAX: u64 = 12 * 1024 * 1024;

/// Longest time that a block waits for others while batches are on their way to L1, in seconds.
const LATENCY_IN_FLIGHT_MAX: u64 = 2;

/// L1 seconds that blocks keep their origin.
const ORIGIN_STEP: u64 = 4;

/// Longest time between blocks. Some clients look for a receipt only when there is a new block.
const HEARTBEAT: Duration = Duration::from_secs(12);

pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signal()?;
    let data = DataDir::open(args.data.clone(), args.fresh, args.liar.is_some())?;
    let accounts = Accounts::well_known()?;
    let mut l1 = L1::start(&args, &data).await?;
    let result = match chain(&data, &l1, &accounts, args.l1_block_time).await {
        Ok(genesis) => {
            let (args, data, l1) = (&args, &data, &l1);
            let archive = Archive::new(data.file(ARCHIVE_FOLDER));
            Dev { args, data, l1, accounts: &accounts, genesis: &genesis, archive }.run(&stop).await
        }
        Err(error) => Err(error),
    };
    l1.stop().await;
    result.map(|()| ExitCode::SUCCESS)
}

/// The chain in the data folder, or a new one, which this deploys.
async fn chain(
    data: &DataDir,
    l1: &L1,
    accounts: &Accounts,
    block_time: u64,
) -> anyhow::Result<Genesis> {
    let genesis = match data.genesis()? {
        Some(genesis) => genesis,
        None => {
            let sequencer = Some(accounts.sequencer().address());
            let genesis = Genesis { sequencer, ..Genesis::dev() };
            let genesis = l1.deploy(accounts, genesis).await?;
            data.write_genesis(&genesis)?;
            genesis
        }
    };
    l1.mine_every(block_time).await?;
    Ok(genesis)
}

/// A development chain that is ready to run.
#[derive(Debug)]
struct Dev<'a> {
    args: &'a DevArgs,
    data: &'a DataDir,
    l1: &'a L1,
    accounts: &'a Accounts,
    genesis: &'a Genesis,
    archive: Archive,
}

impl Dev<'_> {
    /// Runs every role until `stop`, or until one of them fails.
    async fn run(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        // All roles stop together, by signal or by failure.
        let stop = stop.child_token();
        let mut tasks = JoinSet::new();
        let (ready, listening) = oneshot::channel();
        let (chain, config, stopped) = (self.genesis.clone(), self.sequencer(), stop.clone());
        let (api, hook) = (self.api(), self.execution_hook());
        tasks.spawn(async move {
            let ready = |address| {
                let _ = ready.send(address);
            };
            let result = run_sequencer_with_hook(&chain, config, api, hook, stopped, ready);
            result.await.context("the sequencer failed")
        });
        // If the sequencer ends before it is up, its error says why.
        if let Ok(address) = listening.await {
            let l2_url = format!("http://{address}");
            self.start_l1_roles(&mut tasks, &l2_url, &stop);
            let Self { args, data, l1, accounts, genesis, .. } = *self;
            Banner { genesis, data, l1_url: l1.url(), l2_url: &l2_url, accounts, args }.print();
        }
        let result = first_end(&mut tasks, &stop).await;
        info!("stopping");
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        result
    }

    fn start_l1_roles(
        &self,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        l2_url: &str,
        stop: &CancellationToken,
    ) {
        let (chain, config, stopped) = (self.genesis.clone(), self.batcher(), stop.clone());
        tasks.spawn(async move {
            let output = genesis_output(&chain);
            let result = turnpike_batcher::run(&chain, output, config, stopped).await;
            result.context("the batcher failed")
        });
        if let Some(hook) = self.execution_hook() {
            let (chain, config, stopped) = (self.genesis.clone(), self.proposer(), stop.clone());
            tasks.spawn(async move {
                let hook = Some(hook);
                let result = turnpike_proposer::run_with_hook(&chain, config, hook, stopped).await;
                result.context("the proposer failed")
            });
        }
        let json = self.args.json;
        if let Some(attack) = self.args.liar {
            let (chain, config, stopped) =
                (self.genesis.clone(), self.adversary(attack), stop.clone());
            tasks.spawn(async move {
                let report = move |event| print_adversary_event(&event, json);
                let result =
                    turnpike_adversary::run(&chain, config, L1_POLL, stopped, report).await;
                result.context("the adversary failed")
            });
        }
        let (chain, config, stopped) =
            (self.genesis.clone(), self.challenger(l2_url), stop.clone());
        tasks.spawn(async move {
            let report = move |event| print_event(&event, json);
            let result = turnpike_challenger::run(chain, config, stopped, report).await;
            result.map(drop).context("the challenger failed")
        });
    }

    /// L1's endpoint and the archive, which the roles share: each entry is read and checked once.
    fn l1(&self) -> L1Endpoints {
        L1Endpoints { archive: Some(self.archive.clone()), ..self.l1.url().into() }
    }

    fn sequencer(&self) -> SequencerConfig {
        SequencerConfig {
            database: self.data.file("sequencer.db").into(),
            state: self.data.file(STATE_FOLDER),
            l1: self.l1(),
            l1_confirmations: 0,
            l1_poll: L1_POLL,
            block_interval: Duration::from_millis(self.args.block_interval_ms.max(1)),
            heartbeat: HEARTBEAT,
            origin_step: ORIGIN_STEP,
            backlog: BacklogLimits { bytes_max: BACKLOG_BYTES_MAX, ..BacklogLimits::default() },
            checkpoint_blocks: CHECKPOINT_BLOCKS,
            execution: self.args.execution.into(),
            pool: PoolLimits::default(),
            key: Some(self.accounts.sequencer()),
            submission_route: SubmissionRoute::LocalPool,
        }
    }

    fn api(&self) -> ApiConfig {
        let listen = SocketAddr::from(([127, 0, 0, 1], self.args.port));
        ApiConfig { listen, limits: HttpLimits::default(), admin: None }
    }

    fn batcher(&self) -> BatcherConfig {
        BatcherConfig {
            l1: self.l1(),
            l1_confirmations: 0,
            poll: L1_POLL,
            journal: self.data.file("sequencer.db").into(),
            database: self.data.file("batcher.db").into(),
            key: self.accounts.batcher(),
            // Blocks are posted at once; under load, they wait for others to fill blobs with.
            posting: PostingConfig {
                data: self.args.data_kind.into(),
                latency_max: 0,
                latency_in_flight_max: LATENCY_IN_FLIGHT_MAX,
                ..PostingConfig::default()
            },
        }
    }

    fn proposer(&self) -> ProposerConfig {
        ProposerConfig {
            l1: self.l1(),
            l1_confirmations: 0,
            poll: L1_POLL,
            execution: self.args.execution.into(),
            key: self.accounts.proposer(),
            interval: PROPOSE_INTERVAL,
            withdraw_bonds: false,
        }
    }

    /// What falsifies the chain of the sequencer and its proposer under `--liar state`. Other attacks propose a false
    /// output beside an honest chain.
    fn execution_hook(&self) -> Option<Box<dyn ExecutionHook>> {
        let is_state = self.args.liar == Some(Attack::State);
        is_state.then(|| Box::new(FalseCredit::default()) as _)
    }

    /// The party that proposes or defends false outputs, with accounts of its own.
    fn adversary(&self, attack: Attack) -> AdversaryConfig {
        let role = match attack {
            // The proposer follows the sequencer's false chain; the adversary defends its outputs.
            Attack::State => AdversaryRole::Defender,
            _ => AdversaryRole::Proposer { entry: None },
        };
        AdversaryConfig { l1: self.l1(), attack, role, keys: self.accounts.adversary() }
    }

    /// The challenger proposes, too, so that the chain is derived and executed once for both. Where the sequencer lies, the
    /// proposer follows it and is a role of its own.
    fn challenger(&self, l2_url: &str) -> ChallengerConfig {
        let propose = ProposeConfig { interval: PROPOSE_INTERVAL };
        ChallengerConfig {
            l1: self.l1(),
            l1_confirmations: 0,
            poll: L1_POLL,
            execution: self.args.execution.into(),
            run_threads: None,
            key: Some(self.accounts.challenger()),
            database: Some(self.data.file("challenger.db").into()),
            fees: FeePolicy::default(),
            propose: self.execution_hook().is_none().then_some(propose),
            peer: Some(l2_url.to_owned()),
            once: false,
        }
    }
}

/// Waits for the first role to end. Before `stop`, a role only ends with an error.
async fn first_end(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        Some(ended) = tasks.join_next() => ended.context("a role panicked")?,
    }
}

/// Prints what an adversary reports.
fn print_adversary_event(event: &AdversaryEvent, json: bool) {
    if json {
        println!("{}", serde_json::json!({ "event": "adversary", "text": event.to_string() }));
    } else {
        println!("adversary: {event}");
    }
}
