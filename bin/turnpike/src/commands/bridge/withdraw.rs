use std::process::ExitCode;

use alloy_primitives::{Address, Bytes, U256};
use anyhow::bail;
use clap::Args;
use serde_json::json;
use turnpike_bridge::WithdrawalRequest;

use super::{
    args::EndpointArgs,
    report::{next_step, withdrawal_event},
    session::Session,
};
use crate::common::{Key, parse_amount};

#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Key of the account that sends on L2.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    key: Key,
    /// Amount: `1.5ether`, `20gwei`, or a number of wei. With --token, of the token's smallest
    /// unit.
    #[arg(long, value_parser = parse_amount)]
    amount: U256,
    /// Recipient on L1; by default the sender.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Bridged token on L2; by default ether.
    #[arg(long, value_name = "ADDRESS")]
    token: Option<Address>,
    /// Least L1 gas of the call.
    #[arg(long, value_name = "GAS")]
    gas_limit: Option<u32>,
    /// Data of the call on L1.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    data: Bytes,
}

pub(super) async fn withdraw(args: &WithdrawArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l2_wallet(&args.key)?;
    let to = args.to.unwrap_or_else(|| wallet.address());
    if to == session.l1.client().deployment().portal {
        bail!("--to is the portal, which would keep the withdrawal for good");
    }
    let WithdrawArgs { amount, token, gas_limit, .. } = *args;
    let request = WithdrawalRequest { token, to, amount, gas_limit, data: args.data.clone() };
    request.check(session.l2()?, wallet.address()).await?;
    let withdrawn = session.send(&wallet, request.call()).await?.withdrawn()?;
    let (transaction, block) = (withdrawn.transaction, withdrawn.block);
    let withdrawal = withdrawn.last().hash();
    let facts = session.l1.withdrawal_facts(withdrawal, block).await?;
    let mut event = withdrawal_event("withdrawn", &facts);
    event["l2Transaction"] = json!(transaction);
    event["l2Block"] = json!(block);
    let next = next_step(&facts, transaction);
    let text = format!("withdrawn: L2 block {block}, withdrawal {withdrawal}\n{next}");
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}
