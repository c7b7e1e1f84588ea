use std::process::ExitCode;

use alloy::providers::Provider as _;
use tracing::debug;
use turnpike_game::inspect::{ChallengeTimeline, DisputeRecords};
use turnpike_l1::L1Client;

use super::{
    args::{ShowArgs, TargetArgs},
    session::Session,
};
use crate::common::Format;

/// Prints a challenge or a game, round by round.
pub(super) async fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let mut timeline = timeline(&session.records(), args.target)?;
    add_gas(&mut timeline, session.view.client()).await;
    match args.format {
        Format::Text => println!("{timeline}"),
        Format::Json => println!("{}", serde_json::to_string(&timeline)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn timeline(records: &DisputeRecords<'_>, target: TargetArgs) -> anyhow::Result<ChallengeTimeline> {
    let (challenge, only) = target.find(records)?;
    Ok(ChallengeTimeline::new(records, challenge, only.map(|game| game.index)))
}

/// Adds the gas of each transaction, as far as L1 still has its receipt.
async fn add_gas(timeline: &mut ChallengeTimeline, client: &L1Client) {
    for receipt in timeline.receipts_mut() {
        match client.provider().get_transaction_receipt(receipt.l1_transaction).await {
            Ok(found) => receipt.gas = found.map(|found| found.gas_used),
            Err(error) => debug!(%error, "no receipt from L1"),
        }
    }
}
