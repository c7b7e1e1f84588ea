//! `turnpike load`.

use std::process::ExitCode;

use turnpike_load::LoadArgs;

use crate::commands::dev::find_anvil;

/// Exit code of a run after which something that was accepted is not there.
const LOST: u8 = 2;

/// Puts load on a node.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let good = turnpike_load::run(args, find_anvil).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(LOST) })
}
