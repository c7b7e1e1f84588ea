//! Flags that choose how blocks are executed.

use std::num::NonZero;

use clap::{Args, ValueEnum};
use serde::Serialize;
use turnpike_executor::{EngineConfig, Mode};

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExecutionArgs {
    /// How blocks are executed. The results are the same in every mode.
    #[arg(
        long,
        value_name = "MODE",
        env = "TURNPIKE_EXECUTION",
        value_enum,
        default_value_t = ExecutionMode::Parallel
    )]
    execution: ExecutionMode,
    /// Most threads for a block, 1 to 256; by default one for each processor.
    #[arg(
        long,
        value_name = "COUNT",
        env = "TURNPIKE_EXECUTION_WORKERS",
        value_parser = workers
    )]
    execution_workers: Option<NonZero<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExecutionMode {
    /// One transaction after another.
    Sequential,
    /// Both ways, compared. The sequential result counts; a difference is logged and counted.
    Shadow,
    /// Independent transactions side by side.
    Parallel,
}

impl From<ExecutionArgs> for EngineConfig {
    fn from(args: ExecutionArgs) -> Self {
        let mode = match args.execution {
            ExecutionMode::Sequential => Mode::Sequential,
            ExecutionMode::Shadow => Mode::Shadow,
            ExecutionMode::Parallel => Mode::Parallel,
        };
        let default = Self::default();
        Self { mode, workers: args.execution_workers.unwrap_or(default.workers), ..default }
    }
}

fn workers(text: &str) -> Result<NonZero<usize>, String> {
    let max = EngineConfig::WORKERS_MAX;
    let count = text.parse().ok().filter(|count: &NonZero<usize>| count.get() <= max);
    count.ok_or_else(|| format!("expected a number from 1 to {max}"))
}

#[cfg(test)]
mod tests {
    use std::thread::available_parallelism;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Role {
        #[command(flatten)]
        execution: ExecutionArgs,
    }

    fn parse(args: &[&str]) -> Result<EngineConfig, String> {
        let role = Role::try_parse_from([&["role"], args].concat());
        role.map(|role| role.execution.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn default_is_parallel_on_all_processors() {
        let config = parse(&[]).expect("parses");
        assert_eq!(config.mode, Mode::Parallel);
        assert_eq!(config.workers, available_parallelism().expect("known"));
    }

    #[test]
    fn flags_choose_mode_and_workers() {
        let modes = [
            ("sequential", Mode::Sequential),
            ("shadow", Mode::Shadow),
            ("parallel", Mode::Parallel),
        ];
        for (name, mode) in modes {
            assert_eq!(parse(&["--execution", name]).expect("parses").mode, mode);
        }
        for (text, workers) in [("1", 1), ("7", 7), ("256", 256)] {
            let config = parse(&["--execution-workers", text]).expect("parses");
            assert_eq!(config.workers.get(), workers);
        }
    }

    #[test]
    fn errors_name_the_flag_and_the_expected_values() {
        let error = parse(&["--execution", "fast"]).expect_err("no such mode");
        for part in ["--execution <MODE>", "'fast'", "sequential, shadow, parallel"] {
            assert!(error.contains(part), "{error}");
        }
        for text in ["0", "257", "-1", "two", ""] {
            let error =
                parse(&[&format!("--execution-workers={text}")]).expect_err("no such number");
            for part in ["--execution-workers", "from 1 to 256"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }
}
