use std::process::ExitCode;

use alloy_primitives::B256;
use clap::Args;
use serde_json::{Value, json};
use turnpike_bridge::{BridgeError, DepositStatus, Withdrawn};

use super::{
    args::{EndpointArgs, WithdrawalArgs},
    report::{deposit_event, deposit_text, next_step, withdrawal_event},
    session::Session,
};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    endpoints: EndpointArgs,
    #[command(flatten)]
    withdrawal: WithdrawalArgs,
}

/// Prints the stage of a deposit or a withdrawal. Sends nothing.
pub(super) async fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let (l1, transaction) = (&session.l1, args.withdrawal.transaction);
    let deposit = DepositStatus::read(l1, session.l2_if_named(), transaction).await?;
    if deposit.is_none() && l1.node().knows(transaction).await? {
        return Err(match l1.node().receipt(transaction).await? {
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
            let (withdrawals, withdrawals_text) = describe(&session, &withdrawn, args).await?;
            let (mut event, text) = describe_deposit(&deposit, transaction);
            event["withdrawals"] = withdrawals;
            session.say(&event, format_args!("{text}\n{withdrawals_text}"));
        }
        (Some(deposit), _) => {
            let (event, text) = describe_deposit(&deposit, transaction);
            session.say(&event, text);
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

/// The stage of a deposit, as JSON and as text.
fn describe_deposit(deposit: &DepositStatus, transaction: B256) -> (Value, String) {
    let mut event = deposit_event("status", deposit);
    event["kind"] = json!("deposit");
    event["l1Transaction"] = json!(transaction);
    (event, format!("deposit {}: {}", deposit.index, deposit_text(deposit.stage)))
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
        let mut event = withdrawal_event("status", &facts);
        event["paused"] = json!(is_paused);
        events.push(event);
        let next = next_step(&facts, withdrawn.transaction);
        texts.push(format!("withdrawal {}: {next}", withdrawal.hash()));
    }
    if is_paused {
        texts.push("withdrawals are paused on L1 by the guardian, for a limited time".to_owned());
    }
    Ok((Value::Array(events), texts.join("\n")))
}
