use std::{env, num::NonZeroUsize, path::PathBuf, thread::available_parallelism};

use clap::Args;

use crate::{Kind, WORKLOADS, root::Part};

/// Names the directory of public test data.
const TEST_DATA: &str = "TURNPIKE_TEST_DATA";

/// What `turnpike bench execute` takes.
#[derive(Clone, Debug, Args)]
pub struct ExecuteArgs {
    /// Workloads, by name; without it all of them.
    #[arg(long = "workload", value_name = "NAME", value_delimiter = ',', value_parser = kind)]
    pub workloads: Vec<&'static Kind>,
    /// Transactions of each workload, instead of its own number; of real blocks, the most of each.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub transactions: Option<usize>,
    /// Timed rounds of each implementation; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
    /// Threads of the parallel engine, one number or several; without it as many as there are processors. With more
    /// than that, what they would take is computed, too.
    #[arg(long, value_name = "COUNT", value_delimiter = ',')]
    pub workers: Vec<NonZeroUsize>,
    /// Print how the parallel engine ran: lanes, and what its stages took.
    #[arg(long)]
    pub stages: bool,
    /// Of workloads with several blocks, print each block, too.
    #[arg(long)]
    pub blocks: bool,
    /// Where the blocks of real chains are, or a directory above.
    #[arg(long, value_name = "DIRECTORY", env = TEST_DATA)]
    pub test_data: Option<PathBuf>,
    /// Print JSON lines, one for each implementation and baseline.
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
    /// The workloads asked for. If that is all, those whose data is not there are left out, which is said.
    pub(crate) fn kinds(&self) -> Vec<&'static Kind> {
        if !self.workloads.is_empty() {
            return self.workloads.clone();
        }
        let is_there = |kind: &&Kind| match kind.check(self.test_data.as_deref()) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("left out: workload {}: {error:#}", kind.name);
                false
            }
        };
        WORKLOADS.iter().filter(is_there).collect()
    }

    /// The numbers of workers that the parallel engine runs with.
    pub(crate) fn workers(&self) -> Vec<NonZeroUsize> {
        if self.workers.is_empty() {
            return vec![available_parallelism().unwrap_or(NonZeroUsize::MIN)];
        }
        self.workers.clone()
    }
}

/// What `turnpike bench root` takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct RootArgs {
    /// Accounts in the state.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub accounts: usize,
    /// Slots in the state.
    #[arg(long, value_name = "COUNT", default_value_t = 4_000_000, value_parser = at_least_one)]
    pub slots: usize,
    /// Accounts that share the slots equally.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = at_least_one)]
    pub contracts: usize,
    /// Leaves that each round changes, accounts and slots together.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000, value_parser = at_least_one)]
    pub updates: usize,
    /// How many of a hundred updates are of keys that are not there yet.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub inserts: u8,
    /// Timed rounds of each implementation; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
    /// Threads of the parallel run, next to one with a single thread.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = at_least_one)]
    pub workers: usize,
    /// Print JSON lines, one for each implementation and baseline.
    #[arg(long, conflicts_with = "memory")]
    pub json: bool,
    /// Instead, the bytes that each of so many accounts takes, and each of so many slots.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub memory: Option<usize>,
    /// One half of `--memory`, in a process of its own.
    #[arg(long, hide = true, requires = "memory")]
    pub memory_of: Option<Part>,
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
    /// A tenth of the defaults, for a run among others.
    pub fn quick() -> Self {
        Self { accounts: 100_000, slots: 400_000, updates: 20_000, ..Self::default() }
    }
}

fn kind(name: &str) -> Result<&'static Kind, String> {
    Kind::named(name).ok_or_else(|| {
        let names: Vec<_> = WORKLOADS.iter().map(|kind| kind.name).collect();
        format!("no such workload; there are {}", names.join(", "))
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}
