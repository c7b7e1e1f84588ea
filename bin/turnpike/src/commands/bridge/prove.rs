use std::process::ExitCode;

use serde_json::json;
use turnpike_bridge::{WithdrawalFacts, WithdrawalStage};

use super::{
    args::StepArgs,
    report::{next_step, withdrawal_event},
    session::Session,
};

pub(super) async fn prove(args: &StepArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let mut source = session.source(&args.withdrawal).await?;
    let found = session.find(&mut source, args.withdrawal.transaction).await?;
    let withdrawal = found.choose(args.withdrawal.index)?;
    let check = WithdrawalFacts::check_prove;
    let facts = session.facts(&found, withdrawal, args.wait, check).await?;
    if !matches!(facts.stage(), WithdrawalStage::ReadyToProve { .. }) {
        let text = format!("already proven\n{}", next_step(&facts, found.transaction));
        session.say(&withdrawal_event("already-proven", &facts), text);
        return Ok(ExitCode::SUCCESS);
    }
    session.l1.check_open().await?;
    let progress = |entry, entries| session.note_entry(entry, entries);
    let (output, proof) = source.prove(&session.l1, withdrawal, &facts, progress).await?;
    let call = session.l1.calls().prove(withdrawal, output, proof);
    let receipt = session.send(&wallet, call).await?;
    let facts = session.l1.withdrawal_facts(withdrawal.hash(), found.block).await?;
    let mut event = withdrawal_event("proven", &facts);
    event["l1Transaction"] = json!(receipt.transaction_hash);
    event["l1Block"] = json!(receipt.block());
    let next = next_step(&facts, found.transaction);
    let text = format!("proven on output {output}: L1 block {}\n{next}", receipt.block());
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}
