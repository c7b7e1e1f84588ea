use clap::Args;

use crate::{Kind, WORKLOADS};

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
