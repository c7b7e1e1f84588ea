use std::process::ExitCode;

use alloy::providers::Provider as _;
use tracing::debug;
use turnpike_l1::L1Client;

use super::{args::ShowArgs, args::TargetArgs, board::Records, rounds::Story, session::Session};
use crate::vm::Format;

/// Prints a challenge or a game, round by round.
pub(super) async fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let mut story = story(&session.records(), args.target)?;
    weigh(&mut story, session.view.client()).await;
    match args.format {
        Format::Text => println!("{story}"),
        Format::Json => println!("{}", serde_json::to_string(&story)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn story(records: &Records<'_>, target: TargetArgs) -> anyhow::Result<Story> {
    let (challenge, only) = target.find(records)?;
    Ok(Story::new(records, challenge, only.map(|game| game.index)))
}

/// Adds what L1 tells of gas.
async fn weigh(story: &mut Story, client: &L1Client) {
    for receipt in story.receipts_mut() {
        match client.provider().get_transaction_receipt(receipt.l1_transaction).await {
            Ok(found) => receipt.gas = found.map(|found| found.gas_used),
            Err(error) => debug!(%error, "L1 does not tell of gas"),
        }
    }
}
