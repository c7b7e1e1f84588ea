use clap::Args;

use crate::{Kind, WORKLOADS, root::Part};

/// What `turnpike bench execute` takes.
#[derive(Clone, Debug, Args)]
pub struct ExecuteArgs {
    /// Workloads, by name; without it all of them.
    #[arg(long = "workload", value_name = "NAME", value_delimiter = ',', value_parser = kind)]
    pub workloads: Vec<&'static Kind>,
    /// Transactions of each workload, instead of its own number.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub transactions: Option<usize>,
    /// Timed rounds of each implementation; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
    /// Print JSON lines, one for each implementation and baseline.
    #[arg(long)]
    pub json: bool,
}

impl Default for ExecuteArgs {
    fn default() -> Self {
        Self { workloads: Vec::new(), transactions: None, rounds: 5, json: false }
    }
}

impl ExecuteArgs {
    /// The workloads asked for.
    pub(crate) fn kinds(&self) -> Vec<&'static Kind> {
        if self.workloads.is_empty() { WORKLOADS.iter().collect() } else { self.workloads.clone() }
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
