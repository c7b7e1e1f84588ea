use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};

use crate::{
    against::Anvil,
    args::{Against, LoadArgs},
    client::{ClientCost, measure_client},
    endpoint::Endpoint,
    find::Ramp,
    node::Node,
    phase::{Load, PhaseReport, Settings, run_phase, samples},
    report::{Maximum, NodeReport, Report},
};

/// In flight in a closed loop, by default.
const IN_FLIGHT: u32 = 64;

/// Transactions of a closed loop, by default.
const TRANSACTIONS: usize = 20_000;

/// Seconds of an open loop, by default.
const OPEN_SECONDS: u32 = 10;

/// Seconds of a step that looks for the maximum, by default.
const STEP_SECONDS: u32 = 4;

/// Transactions of such a step, at most and at least.
const STEP_TRANSACTIONS_MAX: usize = 400_000;
const STEP_TRANSACTIONS_MIN: usize = 2_000;

/// How much faster than the best so far a step is expected to be, at most.
const STEP_HEADROOM: f64 = 1.5;

/// Transactions that nobody measures: connections are opened, code is met for the first time.
const WARM_UP_TRANSACTIONS: usize = 1_000;

/// Transactions like which the client's own cost is measured.
const SAMPLES: usize = 256;

/// Whose figures they are going to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    /// The node that is measured: it may lose nothing.
    Ours,
    /// The one that it is compared with: what it loses is told.
    Theirs,
    /// The same, started for it and like this: nobody asks what it does at half of its maximum.
    Anvil(String),
}

/// Puts load on a node, and on another one if asked for, and reports. Returns whether everything that the first accepted is there.
///
/// `find_anvil` says where anvil is, should it be needed.
pub async fn run(
    args: LoadArgs,
    find_anvil: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<bool> {
    let mut nodes = vec![load_node(&args, &args.rpc, Side::Ours).await?];
    match &args.against {
        Some(Against::Node(endpoint)) => {
            nodes.push(load_node(&args, endpoint, Side::Theirs).await?)
        }
        Some(Against::Anvil) => {
            let anvil = Anvil::start(&find_anvil()?, args.anvil_blocks).await?;
            let report = load_node(&args, &anvil.endpoint, Side::Anvil(anvil.how.clone())).await;
            anvil.stop().await;
            nodes.push(report.context("on anvil")?);
        }
        None => {}
    }
    let report = Report::new(&args, nodes);
    report.write(&args)?;
    Ok(report.is_good())
}

/// Everything that is measured on one node.
async fn load_node(args: &LoadArgs, endpoint: &Endpoint, side: Side) -> anyhow::Result<NodeReport> {
    let settings = Settings::of(args);
    eprintln!("{endpoint}: preparing {} senders", args.workload.senders(args.senders));
    let mut node = Node::prepare(endpoint, args.key, args.workload, args.senders).await?;
    eprintln!("{}: ready after {:.1} s", node.version, node.setup_seconds);
    let load = first_load(args);
    let client = client_cost(args, &settings, &mut node, load).await?;
    let (in_flight, count) = (args.batch.max(IN_FLIGHT), WARM_UP_TRANSACTIONS);
    let warm_up = run_phase(&mut node, &settings, Load::Closed { in_flight }, count, None).await?;
    ensure!(warm_up.accepted > 0, "the node takes nothing: {:?}", warm_up.errors);
    let may_go_on = side != Side::Ours || warm_up.check.is_good();
    ensure!(may_go_on, "the node lost transactions: {:?}", warm_up.check);

    let mut run = Run { args, settings, node, phases: Vec::new() };
    let maximum = if args.find_max {
        Some(run.find_max(&warm_up, !matches!(side, Side::Anvil(_))).await?)
    } else {
        run.single(load).await?;
        None
    };
    let Run { node, phases, .. } = run;
    let how = if let Side::Anvil(how) = side { Some(how) } else { None };
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
    node: &mut Node,
    load: Load,
) -> anyhow::Result<ClientCost> {
    let like = samples(node, SAMPLES)?;
    let shape = settings.shape(load, node.has_rest());
    let threads = args.threads as usize;
    measure_client(shape.wire, shape.connections, shape.batch, threads, &like).await
}

/// A node and what was measured on it so far.
struct Run<'a> {
    args: &'a LoadArgs,
    settings: Settings,
    node: Node,
    phases: Vec<PhaseReport>,
}

impl Run<'_> {
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

    /// Closed loops until there is no more throughput; then, if asked for, an open one at half of it.
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
        let best = ramp.best().context("the node accepts nothing")?;
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
