//! `turnpike genesis`.

use std::process::ExitCode;

use turnpike_protocol::Genesis;

use crate::common::to_json;

/// Prints the development chain's genesis file.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    println!("{}", to_json(&Genesis::dev())?);
    Ok(ExitCode::SUCCESS)
}
