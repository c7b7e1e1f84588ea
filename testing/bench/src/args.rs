//! Arguments of `turnpike bench execute` and `turnpike bench root`.

use std::{env, num::NonZeroUsize, path::PathBuf, thread::available_parallelism};

use clap::{Args, ValueEnum};

use crate::{WORKLOADS, WorkloadKind};

/// Environment variable with the folder of public test data.
const TEST_DATA: &str = "TURNPIKE_TEST_DATA";

/// Arguments of `turnpike bench execute`.
#[derive(Clone, Debug, Args)]
pub struct ExecuteArgs {
    /// Workloads by name; all by default.
    #[arg(long = "workload", value_name = "NAME", value_delimiter = ',', value_parser = kind)]
    pub workloads: Vec<&'static WorkloadKind>,
    /// Transactions of each workload instead of its default; of real blocks, the most of each
    /// block.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub transactions: Option<usize>,
    /// Timed rounds of each implementation. The median is reported.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
    /// Threads of the parallel engine, one number or several; by default one per processor. With
    /// more threads than processors, the time on enough processors is computed as well.
    #[arg(long, value_name = "COUNT", value_delimiter = ',')]
    pub workers: Vec<NonZeroUsize>,
    /// Print lanes and stage times of the parallel engine.
    #[arg(long)]
    pub stages: bool,
    /// Also print each block of workloads with several blocks.
    #[arg(long)]
    pub blocks: bool,
    /// Folder with the blocks of real chains, or a parent of it.
    #[arg(long, value_name = "DIRECTORY", env = TEST_DATA)]
    pub test_data: Option<PathBuf>,
    /// Print JSON lines, one for each pair of implementation and baseline.
    #[arg(long)]
    pub json: bool,
}

impl Default for ExecuteArgs {
    fn default() -> Self {
        Self {
            workloads: Vec::new(),
            transactions: None,
            rounds: 5,
            workers: Vec::new(),
            stages: false,
            blocks: false,
            test_data: env::var_os(TEST_DATA).map(PathBuf::from),
            json: false,
        }
    }
}

impl ExecuteArgs {
    /// The selected workloads. If all are selected, those without data are skipped with a message.
    pub(crate) fn kinds(&self) -> Vec<&'static WorkloadKind> {
        if !self.workloads.is_empty() {
            return self.workloads.clone();
        }
        let is_there = |kind: &&WorkloadKind| match kind.check(self.test_data.as_deref()) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("skipping workload {}: {error:#}", kind.name);
                false
            }
        };
        WORKLOADS.iter().filter(is_there).collect()
    }

    /// Numbers of workers of the parallel engine.
    pub(crate) fn workers(&self) -> Vec<NonZeroUsize> {
        if self.workers.is_empty() {
            return vec![available_parallelism().unwrap_or(NonZeroUsize::MIN)];
        }
        self.workers.clone()
    }
}

/// Arguments of `turnpike bench root`.
#[derive(Clone, Copy, Debug, Args)]
pub struct RootArgs {
    /// Accounts in the state.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub accounts: usize,
    /// Slots in the state.
    #[arg(long, value_name = "COUNT", default_value_t = 4_000_000, value_parser = at_least_one)]
    pub slots: usize,
    /// Accounts that hold the slots, in equal shares.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = at_least_one)]
    pub contracts: usize,
    /// Leaves changed in each round, accounts and slots together.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000, value_parser = at_least_one)]
    pub updates: usize,
    /// Percentage of updates that insert new keys.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub inserts: u8,
    /// Timed rounds of each implementation. The median is reported.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
    /// Threads of the parallel run; a run with one thread is measured as well.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = at_least_one)]
    pub workers: usize,
    /// Print JSON lines, one for each pair of implementation and baseline.
    #[arg(long, conflicts_with = "memory")]
    pub json: bool,
    /// Measure memory instead: bytes per account and per slot of states with this many.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub memory: Option<usize>,
    /// One half of `--memory`, in a separate process.
    #[arg(long, hide = true, requires = "memory")]
    pub memory_of: Option<MemoryPart>,
}

/// The content of a state whose memory is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MemoryPart {
    /// Accounts without slots.
    Accounts,
    /// Slots of a few contracts.
    Slots,
}

impl Default for RootArgs {
    fn default() -> Self {
        Self {
            accounts: 1_000_000,
            slots: 4_000_000,
            contracts: 1_000,
            updates: 200_000,
            inserts: 0,
            rounds: 5,
            workers: 2,
            json: false,
            memory: None,
            memory_of: None,
        }
    }
}

impl RootArgs {
    /// A tenth of the default sizes, for `turnpike bench` without a subcommand.
    pub fn quick() -> Self {
        Self { accounts: 100_000, slots: 400_000, updates: 20_000, ..Self::default() }
    }
}

fn kind(name: &str) -> Result<&'static WorkloadKind, String> {
    WorkloadKind::named(name).ok_or_else(|| {
        let names: Vec<_> = WORKLOADS.iter().map(|kind| kind.name).collect();
        format!("unknown workload; known ones are {}", names.join(", "))
    })
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}
