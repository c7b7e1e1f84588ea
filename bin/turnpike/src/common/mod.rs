//! Helpers that several commands share: flags, keys, genesis files, printing, signals, logging and metrics.

mod amount;
mod api_args;
mod chain_args;
mod duration;
mod execution_args;
mod format;
mod genesis_file;
mod kept_process;
mod key;
mod l1_chain;
mod logging;
mod metrics;
mod stop;

use std::path::{Path, PathBuf};

use turnpike_storage::DatabaseLocation;

pub(crate) use self::{
    amount::parse_amount,
    api_args::{AdminServerArgs, LimitArgs},
    chain_args::ChainArgs,
    duration::{about, when},
    execution_args::{ExecutionArgs, ExecutionMode},
    format::Format,
    genesis_file::{genesis_output, read_genesis, write_genesis},
    kept_process::KeptProcess,
    key::{Key, signer_of},
    l1_chain::{open_derived_chain, open_l1_view, with_retries},
    logging::start_logging,
    metrics::serve_metrics,
    stop::stop_on_signal,
};

/// Wei in a gwei.
pub(crate) const GWEI: u128 = 1_000_000_000;

/// Formats a value as JSON for people.
pub(crate) fn to_json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// The path of something that belongs to a database: its file's path with the extension of `name`. For a database on a
/// server: `name` in the working directory.
pub(crate) fn beside(database: &DatabaseLocation, name: &str) -> PathBuf {
    let extension = Path::new(name).extension().unwrap_or_default();
    database.file().map_or_else(|| name.into(), |path| path.with_extension(extension))
}
