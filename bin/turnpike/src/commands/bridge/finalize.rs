use std::process::ExitCode;

use serde_json::json;
use turnpike_bridge::WithdrawalFacts;
use turnpike_l1::ether;

use super::{args::StepArgs, session::Session};

pub(super) async fn finalize(args: &StepArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let mut source = session.source(&args.withdrawal).await?;
    let found = session.find(&mut source, args.withdrawal.transaction).await?;
    let withdrawal = found.choose(args.withdrawal.index)?;
    session.facts(&found, withdrawal, args.wait, WithdrawalFacts::check_finalize).await?;
    session.l1.check_open().await?;
    session.l1.check_payout(withdrawal).await?;
    let receipt = session.send(&wallet, session.l1.calls().finalize(withdrawal)).await?;
    let (target, value) = (withdrawal.target, withdrawal.value);
    let event = json!({
        "event": "finalized",
        "l1Transaction": receipt.transaction_hash,
        "l1Block": receipt.block(),
        "withdrawalHash": withdrawal.hash(),
        "target": target,
        "value": value.to_string(),
    });
    let text = format!("finalized: L1 block {}, {} to {target}", receipt.block(), ether(value));
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}
