//! `turnpike load`: puts load on a node. Its arguments belong to the library, which other programs use too.

use std::process::ExitCode;

use turnpike_load::LoadArgs;

use crate::commands::dev::find_anvil;

/// Exit code of a run after which an accepted transaction is missing.
const LOST: u8 = 2;

/// Puts load on a node. The exit code is 2 if an accepted transaction is missing.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let good = turnpike_load::run(args, find_anvil).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(LOST) })
}
