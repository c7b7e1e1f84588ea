use std::process::ExitCode;

use alloy_primitives::{Address, B256, U256};
use clap::Args;
use serde_json::json;
use turnpike_bridge::{
    BridgeError, Call, DepositStage, DepositStatus, SentDeposit, TokenDeposit, Wallet,
};
use turnpike_l1::ether;

use super::{
    args::{EndpointArgs, L2CallArgs},
    report::{deposit_event, deposit_text},
    session::Session,
};
use crate::common::{Key, about, parse_amount};

#[derive(Debug, Args)]
pub(super) struct DepositArgs {
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Key of the account that pays; the same account sends on L2.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    key: Key,
    /// Amount: `1.5ether`, `20gwei`, or a number of wei. With --token, of the token's smallest
    /// unit.
    #[arg(long, value_parser = parse_amount)]
    amount: U256,
    /// Recipient on L2; by default the sender.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Token on L1; by default ether.
    #[arg(long, value_name = "ADDRESS", requires = "l2_token")]
    token: Option<Address>,
    /// The bridged token on L2.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    l2_token: Option<Address>,
    #[command(flatten)]
    call: L2CallArgs,
    /// Return once L1 holds the deposit; do not wait for L2.
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn deposit(args: &DepositArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let to = args.to.unwrap_or_else(|| wallet.address());
    let (amount, L2CallArgs { gas_limit, data }) = (args.amount, &args.call);
    let call = match args.token.zip(args.l2_token) {
        Some((l1_token, l2_token)) => {
            let gas_limit = gas_limit.map(u32::try_from).transpose()?;
            let data = data.clone();
            let deposit = TokenDeposit { l1_token, l2_token, to, amount, gas_limit, data };
            approve(&session, &wallet, &deposit).await?;
            deposit.call(&session.l1)
        }
        None => {
            session.l1.node().check_balance(wallet.address(), amount).await?;
            let call = Call { to, value: amount, input: data.clone() };
            session.l1.deposit_call(call, *gas_limit).await?.with_value(amount)
        }
    };
    let transaction = queue(&session, &wallet, call).await?;
    if args.no_wait || session.l2_if_named().is_none() {
        session.note(format_args!("next: turnpike bridge status {transaction}"));
        return Ok(ExitCode::SUCCESS);
    }
    wait_for_l2(&session, transaction).await
}

/// Checks a token deposit, and lets the bridge take the tokens if it may not yet.
async fn approve(session: &Session, wallet: &Wallet, deposit: &TokenDeposit) -> anyhow::Result<()> {
    deposit.check(&session.l1, session.l2()?, wallet.address()).await?;
    let Some(call) = deposit.approval(&session.l1, wallet.address()).await? else { return Ok(()) };
    let transaction = wallet.send(call).await?;
    let event = json!({ "event": "approved", "l1Transaction": transaction });
    session.say(&event, format!("the bridge may take the tokens: L1 transaction {transaction}"));
    wallet.included(transaction).await?;
    Ok(())
}

/// Sends a deposit and prints its place in the queue once L1 includes it. Returns its L1
/// transaction.
pub(super) async fn queue(session: &Session, wallet: &Wallet, call: Call) -> anyhow::Result<B256> {
    let receipt = session.send(wallet, call).await?;
    let transaction = receipt.transaction_hash;
    let deposit = session.l1.deposits_in(&receipt)?.pop();
    let deposit = deposit.ok_or(BridgeError::NotABridging(transaction))?;
    say_queued(session, transaction, &deposit).await?;
    Ok(transaction)
}

async fn say_queued(
    session: &Session,
    transaction: B256,
    deposit: &SentDeposit,
) -> Result<(), BridgeError> {
    let index = session.l1.queue_index(deposit).await?;
    let facts = session.l1.deposit_facts(index, None).await?;
    let overdue_at = facts.overdue_at();
    let [l2_transaction, forced] = deposit.l2_hashes(index)?;
    let event = json!({
        "event": "queued",
        "l1Transaction": transaction,
        "l1Block": deposit.l1_block_number,
        "index": index,
        "l2Transaction": l2_transaction,
        "l2TransactionIfForced": forced,
        "overdueAt": overdue_at,
    });
    let text = format!(
        "queued: L1 block {}, deposit {index}\n  L2 transaction {l2_transaction}\n  \
         if the sequencer leaves it out, anybody can force it in {}",
        deposit.l1_block_number,
        about(overdue_at.saturating_sub(facts.now)),
    );
    session.say(&event, text);
    Ok(())
}

/// Waits until L2 includes a deposit and prints each stage. A reorg of L1 may change the deposit's
/// hash meanwhile.
async fn wait_for_l2(session: &Session, transaction: B256) -> anyhow::Result<ExitCode> {
    let mut said = None;
    loop {
        let status = DepositStatus::read(&session.l1, session.l2_if_named(), transaction).await;
        match status {
            Ok(Some(status)) => {
                if let DepositStage::Included { block, success } = status.stage {
                    say_included(session, &status, block, success);
                    return Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                }
                let stage = std::mem::discriminant(&status.stage);
                if said.replace(stage) != Some(stage) {
                    session.say(&deposit_event("waiting", &status), deposit_text(status.stage));
                }
            }
            Ok(None) => {}
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error.into()),
        }
        session.pause().await;
    }
}

fn say_included(session: &Session, status: &DepositStatus, block: u64, success: bool) {
    let transaction = status.l2_transaction;
    let event = json!({
        "event": "included",
        "l2Transaction": transaction,
        "l2Block": block,
        "success": success,
    });
    let text = if success {
        format!("done: L2 block {block} holds {transaction}")
    } else {
        format!(
            "L2 block {block} holds {transaction}, but its call has failed there; {} are minted to {}",
            ether(status.deposit.mint()),
            status.deposit.from
        )
    };
    session.say(&event, text);
}
