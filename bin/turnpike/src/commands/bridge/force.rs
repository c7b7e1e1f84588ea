use std::process::ExitCode;

use alloy_primitives::{Address, U256};
use anyhow::bail;
use clap::Args;
use serde_json::json;
use turnpike_bridge::{BridgeError, Call, Wallet, WithdrawalRequest};

use super::{
    args::{EndpointArgs, L2CallArgs},
    deposit::queue,
    session::Session,
};
use crate::common::{Key, about, parse_amount};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["to", "withdraw", "include"]).multiple(true))]
pub(super) struct ForceArgs {
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Key of the account that sends on both layers and pays L1 gas.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    key: Key,
    /// The account called on L2; with --withdraw, the recipient on L1.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Ether sent with the call, from the account's balance on L2.
    #[arg(long, value_name = "AMOUNT", default_value = "0", value_parser = parse_amount)]
    value: U256,
    #[command(flatten)]
    call: L2CallArgs,
    /// Withdraw ether from the account's balance on L2.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount, conflicts_with_all = ["value", "data"])]
    withdraw: Option<U256>,
    /// Append overdue transactions to the inbox without the sequencer.
    #[arg(long, conflicts_with_all = ["to", "withdraw", "value", "data", "gas_limit"])]
    include: bool,
    /// With --include: wait until a transaction is overdue.
    #[arg(long, requires = "include")]
    wait: bool,
}

pub(super) async fn force(args: &ForceArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    if args.include {
        return include(&session, &wallet, args.wait).await;
    }
    let call = match (args.withdraw, args.to) {
        (Some(amount), to) => {
            WithdrawalRequest::ether(to.unwrap_or_else(|| wallet.address()), amount).call()
        }
        (None, Some(to)) => Call { to, value: args.value, input: args.call.data.clone() },
        (None, None) => bail!("--to or --withdraw is needed"),
    };
    if let Some(l2) = session.l2_if_named() {
        l2.check_balance(wallet.address(), call.value).await?;
    }
    let call = session.l1.deposit_call(call, args.call.gas_limit).await?;
    let transaction = queue(&session, &wallet, call).await?;
    session.note(format_args!(
        "next: nothing, if the sequencer includes it; else, once it is overdue, turnpike bridge force --include\n\
         how far it is: turnpike bridge status {transaction}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Appends overdue deposits to the inbox.
async fn include(session: &Session, wallet: &Wallet, wait: bool) -> anyhow::Result<ExitCode> {
    let mut is_said = false;
    let before = loop {
        let queue = session.l1.queue().await?;
        match queue.check_overdue() {
            Ok(()) => break queue,
            Err(BridgeError::NotOverdue { index, seconds, .. }) if wait => {
                if !is_said {
                    let event =
                        json!({ "event": "waiting", "index": index, "estimatedSeconds": seconds });
                    let time = about(seconds);
                    let text = format!("deposit {index} is overdue in {time} of L1: waiting");
                    session.say(&event, text);
                    is_said = true;
                }
                session.pause().await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let receipt = session.send(wallet, session.l1.calls().force_include()).await?;
    let after = session.l1.queue().await?;
    let event = json!({
        "event": "forced",
        "l1Transaction": receipt.transaction_hash,
        "l1Block": receipt.block(),
        "first": before.consumed,
        "count": after.consumed.saturating_sub(before.consumed),
        "waiting": after.queued.saturating_sub(after.consumed),
    });
    let text = format!(
        "forced: deposits {} to {} are in the inbox (L1 block {})",
        before.consumed,
        after.consumed.saturating_sub(1),
        receipt.block()
    );
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}
