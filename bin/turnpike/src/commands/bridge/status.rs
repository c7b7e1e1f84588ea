use std::process::ExitCode;

use alloy_primitives::B256;
use serde_json::{Value, json};
use turnpike_bridge::BridgeError;

use super::{
    args::StatusArgs,
    deposit::{DepositState, state_of},
    session::{Session, Withdrawn},
    withdraw::{next_step, state_event},
};

/// Prints the stage of a deposit or a withdrawal. Sends nothing.
pub(super) async fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let transaction = args.withdrawal.transaction;
    let deposit = state_of(&session, transaction).await?;
    if deposit.is_none() && session.l1.node().knows(transaction).await? {
        return Err(match session.l1.node().receipt(transaction).await? {
            Some(_) => BridgeError::NotABridging(transaction),
            None => BridgeError::NotIncluded(transaction),
        }
        .into());
    }
    let withdrawn = match session.source(&args.withdrawal).await {
        Ok(mut source) => Some(session.find(&mut source, transaction).await),
        Err(error) if deposit.is_none() => return Err(error),
        // The stage of a deposit needs no L2 node.
        Err(_) => None,
    };
    match (deposit, withdrawn) {
        (Some(deposit), Some(Ok(withdrawn))) => {
            let mut event = deposit_event(&deposit, transaction);
            let (withdrawals, text) = describe(&session, &withdrawn, args).await?;
            event["withdrawals"] = withdrawals;
            session.say(&event, format!("deposit {}: {}\n{text}", deposit.index, deposit.text()));
        }
        (Some(deposit), _) => {
            let event = deposit_event(&deposit, transaction);
            session.say(&event, format!("deposit {}: {}", deposit.index, deposit.text()));
        }
        (None, Some(withdrawn)) => {
            let withdrawn = withdrawn?;
            let (withdrawals, text) = describe(&session, &withdrawn, args).await?;
            let event = json!({
                "kind": "withdrawal",
                "l2Transaction": withdrawn.transaction,
                "l2Block": withdrawn.block,
                "withdrawals": withdrawals,
            });
            session.say(&event, text);
        }
        (None, None) => return Err(BridgeError::Unknown(transaction).into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn deposit_event(deposit: &DepositState, transaction: B256) -> Value {
    let mut event = deposit.event("status");
    event["kind"] = json!("deposit");
    event["l1Transaction"] = json!(transaction);
    event
}

/// The stages of a transaction's requested messages, as JSON and as text.
async fn describe(
    session: &Session,
    withdrawn: &Withdrawn,
    args: &StatusArgs,
) -> anyhow::Result<(Value, String)> {
    let is_paused = session.l1.is_paused().await?;
    let chosen = match args.withdrawal.index {
        Some(_) => vec![withdrawn.choose(args.withdrawal.index)?],
        None => withdrawn.withdrawals.iter().collect(),
    };
    let (mut events, mut texts) = (Vec::new(), Vec::new());
    for withdrawal in chosen {
        let facts = session.l1.withdrawal_facts(withdrawal.hash(), withdrawn.block).await?;
        let mut event = state_event("status", withdrawal, &facts);
        event["paused"] = json!(is_paused);
        events.push(event);
        let next = next_step(&facts, facts.stage(), withdrawn.transaction);
        texts.push(format!("withdrawal {}: {next}", withdrawal.hash()));
    }
    if is_paused {
        texts.push("withdrawals are paused on L1 by the guardian, for a limited time".to_owned());
    }
    Ok((Value::Array(events), texts.join("\n")))
}
