//! Runs all phases on one node, and on a second one to compare with.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};

use crate::{
    anvil::Anvil,
    args::{Against, LoadArgs},
    client_cost::{ClientCost, measure_client},
    endpoint::Endpoint,
    node::TargetNode,
    phase::{Load, PhaseReport, Settings, run_phase, samples},
    ramp::Ramp,
    report::{Maximum, NodeReport, Report},
};

/// Default transactions in flight of a closed loop.
const IN_FLIGHT: u32 = 64;

/// Default transactions of a closed loop.
const TRANSACTIONS: usize = 20_000;

/// Default seconds of an open loop.
const OPEN_SECONDS: u32 = 10;

/// Default seconds of each step of a search.
const STEP_SECONDS: u32 = 4;

/// Bounds on the transactions of a step.
const STEP_TRANSACTIONS_MAX: usize = 400_000;
const STEP_TRANSACTIONS_MIN: usize = 2_000;

/// A step signs transactions for this multiple of the best throughput so far.
const STEP_HEADROOM: f64 = 1.5;

/// Transactions before the measurement: they open connections and warm up caches.
const WARM_UP_TRANSACTIONS: usize = 1_000;

/// Transactions that the measurement of the client repeats.
const SAMPLES: usize = 256;

/// The role of a node in the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NodeRole {
    /// The measured node: a lost transaction ends the run.
    Ours,
    /// The node to compare with: lost transactions are reported.
    Theirs,
    /// An anvil started for the comparison with this command line; it gets no open loop at half of
    /// its maximum.
    Anvil(String),
}

/// Loads a node, and another one to compare with, and writes the report. Returns whether the first
/// node included every accepted transaction once.
///
/// `find_anvil` returns the path of anvil; it is called only if one must be started.
pub async fn run(
    args: LoadArgs,
    find_anvil: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<bool> {
    let mut nodes = vec![load_node(&args, &args.rpc, NodeRole::Ours).await?];
    match &args.against {
        Some(Against::Node(endpoint)) => {
            nodes.push(load_node(&args, endpoint, NodeRole::Theirs).await?)
        }
        Some(Against::Anvil) => {
            let anvil = Anvil::start(&find_anvil()?, args.anvil_blocks).await?;
            let report =
                load_node(&args, &anvil.endpoint, NodeRole::Anvil(anvil.how.clone())).await;
            anvil.stop().await;
            nodes.push(report.context("on anvil")?);
        }
        None => {}
    }
    let report = Report::new(&args, nodes);
    report.write(&args)?;
    Ok(report.is_good())
}

/// Runs all phases on one node.
async fn load_node(
    args: &LoadArgs,
    endpoint: &Endpoint,
    side: NodeRole,
) -> anyhow::Result<NodeReport> {
    let settings = Settings::of(args);
    eprintln!("{endpoint}: setting up {} senders", args.workload.senders(args.senders));
    let mut node = TargetNode::prepare(endpoint, args.key, args.workload, args.senders).await?;
    eprintln!("{}: set up in {:.1} s", node.version, node.setup_seconds);
    let load = first_load(args);
    let client = client_cost(args, &settings, &mut node, load).await?;
    let (in_flight, count) = (args.batch.max(IN_FLIGHT), WARM_UP_TRANSACTIONS);
    let warm_up = run_phase(&mut node, &settings, Load::Closed { in_flight }, count, None).await?;
    ensure!(warm_up.accepted > 0, "the node accepts no transaction: {:?}", warm_up.errors);
    let may_go_on = side != NodeRole::Ours || warm_up.check.is_good();
    ensure!(may_go_on, "the node lost transactions: {:?}", warm_up.check);

    let mut run = NodeRun { args, settings, node, phases: Vec::new() };
    let maximum = if args.find_max {
        Some(run.find_max(&warm_up, !matches!(side, NodeRole::Anvil(_))).await?)
    } else {
        run.single(load).await?;
        None
    };
    let NodeRun { node, phases, .. } = run;
    let how = if let NodeRole::Anvil(how) = side { Some(how) } else { None };
    Ok(NodeReport::new(&node, how, client, phases, maximum))
}

fn first_load(args: &LoadArgs) -> Load {
    match args.open {
        Some(per_second) => Load::Open { per_second },
        None => {
            Load::Closed { in_flight: args.closed.unwrap_or_else(|| args.batch.max(IN_FLIGHT)) }
        }
    }
}

async fn client_cost(
    args: &LoadArgs,
    settings: &Settings,
    node: &mut TargetNode,
    load: Load,
) -> anyhow::Result<ClientCost> {
    let like = samples(node, SAMPLES)?;
    let shape = settings.shape(load, node.has_rest());
    let threads = args.threads as usize;
    measure_client(shape.wire, shape.connections, shape.batch, threads, &like).await
}

/// The run on one node so far.
struct NodeRun<'a> {
    args: &'a LoadArgs,
    settings: Settings,
    node: TargetNode,
    phases: Vec<PhaseReport>,
}

impl NodeRun<'_> {
    async fn single(&mut self, load: Load) -> anyhow::Result<()> {
        let asked = self.args.duration;
        let (count, duration) = match load {
            Load::Closed { .. } => {
                (self.args.transactions.map_or(TRANSACTIONS, |count| count as usize), asked)
            }
            Load::Open { per_second } => {
                (open_count(per_second, asked.unwrap_or(OPEN_SECONDS)), None)
            }
        };
        let duration = duration.map(|seconds| Duration::from_secs(seconds.into()));
        self.phase(load, count, duration).await
    }

    /// Searches the maximum with closed loops; then, with `half`, runs an open loop at half of it.
    async fn find_max(&mut self, warm_up: &PhaseReport, half: bool) -> anyhow::Result<Maximum> {
        let seconds = self.args.duration.unwrap_or(STEP_SECONDS);
        let most = self.args.transactions.map_or(STEP_TRANSACTIONS_MAX, |count| count as usize);
        let mut ramp = Ramp::new(self.args.batch);
        let mut rate = warm_up.accepted_per_second;
        while let Some(in_flight) = ramp.next_step() {
            let count = (rate * STEP_HEADROOM * f64::from(seconds)) as usize;
            let count = count.clamp(STEP_TRANSACTIONS_MIN.min(most), most);
            let duration = Some(Duration::from_secs(seconds.into()));
            self.phase(Load::Closed { in_flight }, count, duration).await?;
            let step = self.phases.last().map_or(0.0, PhaseReport::per_second);
            ramp.measured(step);
            rate = ramp.best().map_or(rate, |best| best.per_second);
        }
        let best = ramp.best().context("the node accepts no transaction")?;
        if self.args.half && half {
            let per_second = ((best.per_second / 2.0) as u32).max(1);
            let count = open_count(per_second, self.args.duration.unwrap_or(OPEN_SECONDS));
            self.phase(Load::Open { per_second }, count, None).await?;
        }
        Ok(Maximum { in_flight: best.in_flight, per_second: best.per_second })
    }

    async fn phase(
        &mut self,
        load: Load,
        count: usize,
        duration: Option<Duration>,
    ) -> anyhow::Result<()> {
        let report = run_phase(&mut self.node, &self.settings, load, count, duration).await?;
        eprintln!("{load}: {}", report.summary());
        self.phases.push(report);
        Ok(())
    }
}

fn open_count(per_second: u32, seconds: u32) -> usize {
    per_second as usize * seconds as usize
}
