use std::process::ExitCode;

use alloy_primitives::{B256, U256};
use anyhow::bail;
use serde_json::{Value, json};
use turnpike_bridge::{
    BridgeError, Call, Layer, Token, Wallet, WithdrawalFacts, WithdrawalProof, WithdrawalStage,
};
use turnpike_l1::{L2StandardBridge, L2ToL1MessagePasser, Portal, ether};
use turnpike_protocol::{
    Withdrawal,
    predeploys::{L2_STANDARD_BRIDGE, MESSAGE_PASSER},
};

use super::{
    args::{ProveArgs, WithdrawArgs},
    session::{Session, Source, Withdrawn, about, when},
};

/// L1 gas of a withdrawal's call, for ether and for tokens.
const ETHER_GAS: u32 = 100_000;
const TOKEN_GAS: u32 = 200_000;

pub(super) async fn withdraw(args: &WithdrawArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l2_wallet(&args.key)?;
    let to = args.to.unwrap_or_else(|| wallet.address());
    if to == session.l1.client().deployment().portal {
        bail!("--to is the portal, which would keep the withdrawal for good");
    }
    let call = match args.token {
        Some(token) => {
            check_token(&session, &wallet, token, args.amount).await?;
            let call = L2StandardBridge::withdrawToCall {
                _l2Token: token,
                _to: to,
                _amount: args.amount,
                _minGasLimit: args.gas_limit.unwrap_or(TOKEN_GAS),
                _extraData: args.data.clone(),
            };
            Call::of(L2_STANDARD_BRIDGE, &call)
        }
        None => {
            wallet.check_balance(args.amount).await?;
            let call = L2ToL1MessagePasser::initiateWithdrawalCall {
                _target: to,
                _gasLimit: U256::from(args.gas_limit.unwrap_or(ETHER_GAS)),
                _data: args.data.clone(),
            };
            Call::of(MESSAGE_PASSER, &call).with_value(args.amount)
        }
    };
    let transaction = wallet.send(call).await?;
    let event = json!({ "event": "sent", "l2Transaction": transaction });
    session.say(&event, format!("sent: L2 transaction {transaction}"));
    let receipt = wallet.included(transaction).await?;
    let Some(withdrawal) = receipt.withdrawals()?.pop() else {
        return Err(BridgeError::NotAWithdrawal(transaction).into());
    };
    let facts = session.l1.withdrawal_facts(withdrawal.hash(), receipt.block()).await?;
    let stage = facts.stage();
    let mut event = state_event("withdrawn", &withdrawal, &facts);
    event["l2Transaction"] = json!(transaction);
    event["l2Block"] = json!(receipt.block());
    let text = format!(
        "withdrawn: L2 block {}, withdrawal {}\n{}",
        receipt.block(),
        withdrawal.hash(),
        next_step(&facts, stage, transaction)
    );
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}

async fn check_token(
    session: &Session,
    wallet: &Wallet,
    token: alloy_primitives::Address,
    amount: U256,
) -> Result<(), BridgeError> {
    let contract = Token::new(token, session.l2()?.provider());
    let not_bridged = |_| BridgeError::NotABridgedToken(token);
    contract.remoteToken().call().await.map_err(not_bridged)?;
    let found = contract.balanceOf(wallet.address()).call().await.map_err(not_bridged)?;
    if found >= amount {
        return Ok(());
    }
    Err(BridgeError::BalanceTooSmall {
        account: wallet.address(),
        layer: Layer::L2,
        unit: "of the token's smallest unit",
        found,
        needed: amount,
    })
}

pub(super) async fn prove(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let mut source = session.source(&args.withdrawal).await?;
    let found = session.find(&mut source, args.withdrawal.transaction).await?;
    let withdrawal = found.choose(args.withdrawal.index)?;
    let facts = wait_until(&session, &found, withdrawal, args.wait, |facts, stage| match stage {
        WithdrawalStage::Finalized => Err(BridgeError::AlreadyFinalized(withdrawal.hash())),
        WithdrawalStage::WaitingToProve { estimated_seconds } => {
            Err(BridgeError::NotYetProvable { block: facts.l2_block, estimated_seconds })
        }
        _ => Ok(()),
    })
    .await?;
    if !matches!(facts.stage(), WithdrawalStage::ReadyToProve { .. }) {
        let text =
            format!("already proven\n{}", next_step(&facts, facts.stage(), found.transaction));
        session.say(&state_event("already-proven", withdrawal, &facts), text);
        return Ok(ExitCode::SUCCESS);
    }
    if session.l1.is_paused().await? {
        return Err(BridgeError::Paused.into());
    }
    let (output, proof) = proof_of(&session, &mut source, &found, withdrawal, &facts).await?;
    let call = Portal::proveWithdrawalTransactionCall {
        _tx: transaction_of(withdrawal),
        _l2OutputIndex: U256::from(output),
        _outputRootProof: Portal::OutputRootProof {
            version: B256::ZERO,
            stateRoot: proof.output.state_root,
            messagePasserStorageRoot: proof.output.message_passer_storage_root,
            latestBlockhash: proof.output.block_hash,
        },
        _withdrawalProof: proof.nodes,
    };
    let call = Call::of(session.l1.client().deployment().portal, &call);
    let (transaction, block) = send(&session, &wallet, call).await?;
    let facts = session.l1.withdrawal_facts(withdrawal.hash(), found.block).await?;
    let mut event = state_event("proven", withdrawal, &facts);
    event["l1Transaction"] = json!(transaction);
    event["l1Block"] = json!(block);
    let text = format!(
        "proven on output {output}: L1 block {block}\n{}",
        next_step(&facts, facts.stage(), found.transaction)
    );
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn finalize(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let mut source = session.source(&args.withdrawal).await?;
    let found = session.find(&mut source, args.withdrawal.transaction).await?;
    let withdrawal = found.choose(args.withdrawal.index)?;
    let hash = withdrawal.hash();
    wait_until(&session, &found, withdrawal, args.wait, |_, stage| match stage {
        WithdrawalStage::Finalized => Err(BridgeError::AlreadyFinalized(hash)),
        WithdrawalStage::WaitingToProve { .. } | WithdrawalStage::ReadyToProve { .. } => {
            Err(BridgeError::NotProven(hash))
        }
        WithdrawalStage::WaitingToFinalize { output, estimated_seconds } => {
            Err(BridgeError::NotYetFinal { output, seconds: estimated_seconds })
        }
        WithdrawalStage::ReadyToFinalize { .. } => Ok(()),
    })
    .await?;
    if session.l1.is_paused().await? {
        return Err(BridgeError::Paused.into());
    }
    check_portal(&session, withdrawal).await?;
    let call = Portal::finalizeWithdrawalTransactionCall { _tx: transaction_of(withdrawal) };
    let call = Call::of(session.l1.client().deployment().portal, &call);
    let (transaction, block) = send(&session, &wallet, call).await?;
    let event = json!({
        "event": "finalized",
        "l1Transaction": transaction,
        "l1Block": block,
        "withdrawalHash": hash,
        "target": withdrawal.target,
        "value": withdrawal.value.to_string(),
    });
    let text = format!(
        "finalized: L1 block {block}, {} to {}",
        ether(withdrawal.value),
        withdrawal.target
    );
    session.say(&event, text);
    Ok(ExitCode::SUCCESS)
}

/// Checks that the portal holds the ether: L2's genesis balances, large on development chains, have no ether behind them on L1.
async fn check_portal(session: &Session, withdrawal: &Withdrawal) -> anyhow::Result<()> {
    let held = session.l1.node().balance(session.l1.client().deployment().portal).await?;
    if held < withdrawal.value {
        bail!(
            "L1 can pay out what was deposited: the portal holds {}, the withdrawal takes {}",
            ether(held),
            ether(withdrawal.value)
        );
    }
    Ok(())
}

/// Sends a call on L1 and waits for its inclusion. Returns its transaction and block.
async fn send(session: &Session, wallet: &Wallet, call: Call) -> Result<(B256, u64), BridgeError> {
    let transaction = wallet.send(call).await?;
    let event = json!({ "event": "sent", "l1Transaction": transaction });
    session.say(&event, format!("sent: L1 transaction {transaction}"));
    Ok((transaction, wallet.included(transaction).await?.block()))
}

/// The withdrawal's facts once `check` accepts them. With `wait`, it waits while the obstacle is only time.
async fn wait_until(
    session: &Session,
    found: &Withdrawn,
    withdrawal: &Withdrawal,
    wait: bool,
    check: impl Fn(&WithdrawalFacts, WithdrawalStage) -> Result<(), BridgeError>,
) -> Result<WithdrawalFacts, BridgeError> {
    let mut is_said = false;
    loop {
        let facts = match session.l1.withdrawal_facts(withdrawal.hash(), found.block).await {
            Err(error) if wait && error.may_pass() => {
                session.pause().await;
                continue;
            }
            facts => facts?,
        };
        let stage = facts.stage();
        let Err(error) = check(&facts, stage) else { return Ok(facts) };
        let passes =
            matches!(error, BridgeError::NotYetProvable { .. } | BridgeError::NotYetFinal { .. });
        if !wait || !passes {
            return Err(error);
        }
        if !is_said {
            session.say(&state_event("waiting", withdrawal, &facts), format!("{error}: waiting"));
            is_said = true;
        }
        session.pause().await;
    }
}

/// A proof against the first unrejected output that equals the one computed here.
async fn proof_of(
    session: &Session,
    source: &mut Source,
    found: &Withdrawn,
    withdrawal: &Withdrawal,
    facts: &WithdrawalFacts,
) -> Result<(u64, WithdrawalProof), BridgeError> {
    let node = match source {
        Source::Node(node) => node,
        Source::Replay(replay) => {
            replay.refresh().await?;
            let progress = |entry, entries| session.note_entry(entry, entries);
            return replay.prove(found.block, withdrawal, progress).await;
        }
    };
    let mut disagreeing = Vec::new();
    for candidate in facts.provable_on() {
        let claimed = session.l1.output_root(candidate.index).await?;
        match node.withdrawal_proof(candidate.l2_block, withdrawal).await? {
            Some((output, nodes)) if output.hash() == claimed => {
                return Ok((candidate.index, WithdrawalProof::new(output, withdrawal, nodes)?));
            }
            _ => disagreeing.push(candidate.index),
        }
    }
    Err(BridgeError::NoTrueOutput { disagreeing })
}

fn transaction_of(withdrawal: &Withdrawal) -> Portal::WithdrawalTransaction {
    let Withdrawal { nonce, sender, target, value, gas_limit, data } = withdrawal.clone();
    Portal::WithdrawalTransaction { nonce, sender, target, value, gasLimit: gas_limit, data }
}

/// A withdrawal's stage as a JSON event.
pub(super) fn state_event(event: &str, withdrawal: &Withdrawal, facts: &WithdrawalFacts) -> Value {
    let stage = facts.stage();
    let mut value = json!({
        "event": event,
        "withdrawalHash": withdrawal.hash(),
        "secondsToFinalize": facts.seconds_to_finalize(),
        "next": match stage {
            WithdrawalStage::WaitingToProve { .. } | WithdrawalStage::WaitingToFinalize { .. } => Some("wait"),
            WithdrawalStage::ReadyToProve { .. } => Some("prove"),
            WithdrawalStage::ReadyToFinalize { .. } => Some("finalize"),
            WithdrawalStage::Finalized => None,
        },
    });
    let stage = serde_json::to_value(stage).expect("invariant: a stage is JSON");
    let fields = value.as_object_mut().expect("invariant: made as an object");
    fields.extend(stage.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    value
}

/// The next step and when it is possible, as text.
pub(super) fn next_step(
    facts: &WithdrawalFacts,
    stage: WithdrawalStage,
    transaction: B256,
) -> String {
    let total = facts.seconds_to_finalize();
    match stage {
        WithdrawalStage::WaitingToProve { estimated_seconds } => {
            let then = total.map(|total| format!("; final in about {}", about(total)));
            format!(
                "waiting for an output that covers it{}{}\nnext: turnpike bridge prove {transaction}",
                when(estimated_seconds),
                then.unwrap_or_default()
            )
        }
        WithdrawalStage::ReadyToProve { output } => {
            format!("provable on output {output}\nnext: turnpike bridge prove {transaction}")
        }
        WithdrawalStage::WaitingToFinalize { output, estimated_seconds } => format!(
            "proven on output {output}; can be finalized in about {}\nnext: turnpike bridge finalize {transaction}",
            about(estimated_seconds)
        ),
        WithdrawalStage::ReadyToFinalize { output } => {
            format!("proven on output {output}\nnext: turnpike bridge finalize {transaction}")
        }
        WithdrawalStage::Finalized => "finalized: nothing is left to do".to_owned(),
    }
}
