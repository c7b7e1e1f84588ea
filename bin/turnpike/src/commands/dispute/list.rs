use std::process::ExitCode;

use turnpike_l1::ChallengeStatus;

use super::{args::ListArgs, session::Session};
use crate::common::Format;

/// Prints the status of every challenge and its games.
pub(super) async fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let mut rows = session.records().rows();
    if args.open {
        rows.retain(|row| row.status == ChallengeStatus::Open);
    }
    for row in &rows {
        match args.format {
            Format::Text => println!("{row}"),
            Format::Json => println!("{}", serde_json::to_string(row)?),
        }
    }
    if rows.is_empty() && args.format == Format::Text {
        let which = if args.open { "open challenge" } else { "challenge" };
        println!("there is no {which}");
    }
    Ok(ExitCode::SUCCESS)
}
