use std::process::ExitCode;

use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::bail;
use serde_json::{Value, json};
use turnpike_bridge::{BridgeError, Call, DepositStage, SentDeposit, Token, Wallet};
use turnpike_l1::{Inbox, L1StandardBridge, L2ToL1MessagePasser, Portal, ether};
use turnpike_protocol::predeploys::MESSAGE_PASSER;

use super::{
    args::{DepositArgs, ForceArgs},
    session::{Session, about, when},
};

/// L2 gas of a call without data, and what a call with data gets on top of the portal's minimum.
const PLAIN_GAS: u64 = 100_000;
const CALL_GAS: u64 = 200_000;

/// L1 gas of a forced withdrawal's call.
const WITHDRAWAL_GAS: u64 = 100_000;

pub(super) async fn deposit(args: &DepositArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    let to = args.to.unwrap_or_else(|| wallet.address());
    let call = match args.token.zip(args.l2_token) {
        Some((l1_token, l2_token)) => {
            let pair = TokenPair { l1_token, l2_token };
            token_deposit(&session, &wallet, args, pair, to).await?
        }
        None => {
            wallet.check_balance(args.amount).await?;
            let (amount, data) = (args.amount, args.data.clone());
            portal_call(&session, to, amount, args.gas_limit, data).await?.with_value(amount)
        }
    };
    let transaction = send(&session, &wallet, call).await?;
    let (deposit, index) = queued(&session, &wallet, transaction).await?;
    say_queued(&session, transaction, &deposit, index).await?;
    if args.no_wait || session.l2_if_named().is_none() {
        session.note(format_args!("next: turnpike bridge status {transaction}"));
        return Ok(ExitCode::SUCCESS);
    }
    wait_for_l2(&session, transaction).await
}

pub(super) async fn force(args: &ForceArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.endpoints).await?;
    let wallet = session.l1_wallet(&args.key)?;
    if args.include {
        return include(&session, &wallet, args.wait).await;
    }
    let (to, value, data) = match (args.withdraw, args.to) {
        (Some(amount), to) => {
            let call = L2ToL1MessagePasser::initiateWithdrawalCall {
                _target: to.unwrap_or_else(|| wallet.address()),
                _gasLimit: U256::from(WITHDRAWAL_GAS),
                _data: Bytes::new(),
            };
            let call = Call::of(MESSAGE_PASSER, &call);
            (call.to, amount, call.input)
        }
        (None, Some(to)) => (to, args.value, args.data.clone()),
        (None, None) => bail!("--to or --withdraw is needed"),
    };
    if let Some(l2) = session.l2_if_named() {
        let l2_wallet = Wallet::new(l2.clone(), args.key.signer()?, session.poll);
        l2_wallet.check_balance(value).await?;
    }
    let call = portal_call(&session, to, value, args.gas_limit, data).await?;
    let transaction = send(&session, &wallet, call).await?;
    let (deposit, index) = queued(&session, &wallet, transaction).await?;
    say_queued(&session, transaction, &deposit, index).await?;
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
        let overdue_at = queue.overdue_at.ok_or(BridgeError::NothingWaits)?;
        let (index, seconds) = (queue.consumed, overdue_at.saturating_sub(queue.now));
        if seconds == 0 {
            break queue;
        }
        if !wait {
            return Err(BridgeError::NotOverdue { index, seconds, overdue_at }.into());
        }
        if !is_said {
            let event = json!({ "event": "waiting", "index": index, "estimatedSeconds": seconds });
            let text = format!("deposit {index} is overdue in {} of L1: waiting", about(seconds));
            session.say(&event, text);
            is_said = true;
        }
        session.pause().await;
    };
    let inbox = session.l1.client().deployment().inbox;
    let transaction = send(session, wallet, Call::of(inbox, &Inbox::forceIncludeCall {})).await?;
    let receipt = wallet.included(transaction).await?;
    let after = session.l1.queue().await?;
    let event = json!({
        "event": "forced",
        "l1Transaction": transaction,
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

/// A call of `depositTransaction`, without ether.
async fn portal_call(
    session: &Session,
    to: Address,
    value: U256,
    gas_limit: Option<u64>,
    data: Bytes,
) -> anyhow::Result<Call> {
    let portal = session.l1.client().deployment().portal;
    let gas_limit = match gas_limit {
        Some(gas_limit) => gas_limit,
        None if data.is_empty() => PLAIN_GAS,
        None => {
            let contract = Portal::new(portal, session.l1.client().provider());
            let bytes = u64::try_from(data.len())?;
            let least = contract.minimumGasLimit(bytes, false).call().await;
            least.map_err(turnpike_l1::L1Error::from)?.saturating_add(CALL_GAS)
        }
    };
    let call = Portal::depositTransactionCall {
        _to: to,
        _value: value,
        _gasLimit: gas_limit,
        _isCreation: false,
        _data: data,
    };
    Ok(Call::of(portal, &call))
}

#[derive(Clone, Copy, Debug)]
struct TokenPair {
    l1_token: Address,
    l2_token: Address,
}

/// The bridge call of a token deposit. Approves the bridge first if its allowance is too small.
async fn token_deposit(
    session: &Session,
    wallet: &Wallet,
    args: &DepositArgs,
    pair: TokenPair,
    to: Address,
) -> anyhow::Result<Call> {
    check_pair(session, pair).await?;
    let TokenPair { l1_token, l2_token } = pair;
    let bridge = session.l1.client().deployment().bridge;
    let token = Token::new(l1_token, session.l1.client().provider());
    let failed = turnpike_l1::L1Error::from;
    let found = token.balanceOf(wallet.address()).call().await.map_err(failed)?;
    if found < args.amount {
        return Err(BridgeError::BalanceTooSmall {
            account: wallet.address(),
            layer: turnpike_bridge::Layer::L1,
            unit: "of the token's smallest unit",
            found,
            needed: args.amount,
        }
        .into());
    }
    let allowed = token.allowance(wallet.address(), bridge).call().await.map_err(failed)?;
    if allowed < args.amount {
        let approve = Token::approveCall { spender: bridge, amount: args.amount };
        let transaction = wallet.send(Call::of(l1_token, &approve)).await?;
        let event = json!({ "event": "approved", "l1Transaction": transaction });
        session
            .say(&event, format!("the bridge may take the tokens: L1 transaction {transaction}"));
        wallet.included(transaction).await?;
    }
    let call = L1StandardBridge::depositERC20ToCall {
        _l1Token: l1_token,
        _l2Token: l2_token,
        _to: to,
        _amount: args.amount,
        _minGasLimit: u32::try_from(args.gas_limit.unwrap_or(CALL_GAS))?,
        _extraData: args.data.clone(),
    };
    Ok(Call::of(bridge, &call))
}

/// Checks that the L2 token bridges the L1 token: a wrong one would lock the tokens on L1.
async fn check_pair(session: &Session, pair: TokenPair) -> Result<(), BridgeError> {
    let TokenPair { l1_token, l2_token } = pair;
    let token = Token::new(l2_token, session.l2()?.provider());
    let answer = token.remoteToken().call().await;
    let found = answer.map_err(|_| BridgeError::NotABridgedToken(l2_token))?;
    if found == l1_token {
        Ok(())
    } else {
        Err(BridgeError::TokenPair { l1_token, l2_token, found })
    }
}

/// Sends a call on L1 and prints its transaction.
async fn send(session: &Session, wallet: &Wallet, call: Call) -> anyhow::Result<B256> {
    let transaction = wallet.send(call).await?;
    let event = json!({ "event": "sent", "l1Transaction": transaction });
    session.say(&event, format!("sent: L1 transaction {transaction}"));
    Ok(transaction)
}

/// Waits until L1 includes the transaction. Returns its deposit and the deposit's index in the queue.
async fn queued(
    session: &Session,
    wallet: &Wallet,
    transaction: B256,
) -> anyhow::Result<(SentDeposit, u64)> {
    let receipt = wallet.included(transaction).await?;
    let portal = session.l1.client().deployment().portal;
    let Some(deposit) = SentDeposit::all_in(portal, &receipt.logs)?.pop() else {
        bail!("L1 transaction {transaction} has queued no deposit");
    };
    let index = session.l1.queue_index(&deposit).await?;
    Ok((deposit, index))
}

async fn say_queued(
    session: &Session,
    transaction: B256,
    deposit: &SentDeposit,
    index: u64,
) -> anyhow::Result<()> {
    let facts = session.l1.deposit_facts(index, None).await?;
    let overdue_at = facts.queued_at.saturating_add(facts.force_window);
    let l2_transaction = deposit.l2_hash()?;
    let event = json!({
        "event": "queued",
        "l1Transaction": transaction,
        "l1Block": deposit.l1_block_number,
        "index": index,
        "l2Transaction": l2_transaction,
        "l2TransactionIfForced": deposit.forced_l2_hash(index)?,
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

/// Waits until L2 includes a deposit and prints each stage. A reorg of L1 may change the deposit's hash meanwhile.
async fn wait_for_l2(session: &Session, transaction: B256) -> anyhow::Result<ExitCode> {
    let mut said = None;
    loop {
        let state = match state_of(session, transaction).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                session.pause().await;
                continue;
            }
            Err(error) if error.may_pass() => {
                session.pause().await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if let DepositStage::Included { block, success } = state.stage {
            let event = json!({
                "event": "included",
                "l2Transaction": state.l2_transaction,
                "l2Block": block,
                "success": success,
            });
            let text = if success {
                format!("done: L2 block {block} holds {}", state.l2_transaction)
            } else {
                format!(
                    "L2 block {block} holds {}, but its call has failed there; {} are minted to {}",
                    state.l2_transaction,
                    ether(state.mint),
                    state.from
                )
            };
            session.say(&event, text);
            return Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let name = state.name();
        if said.replace(name) != Some(name) {
            session.say(&state.event("waiting"), state.text());
        }
        session.pause().await;
    }
}

/// The stage of a deposit.
#[derive(Debug)]
pub(super) struct DepositState {
    pub(super) index: u64,
    pub(super) l1_block: u64,
    pub(super) l2_transaction: B256,
    pub(super) stage: DepositStage,
    from: Address,
    mint: U256,
}

/// The stage of an L1 transaction's first deposit. `None` if L1 does not hold the transaction or it made no deposit.
pub(super) async fn state_of(
    session: &Session,
    transaction: B256,
) -> Result<Option<DepositState>, BridgeError> {
    let Some(deposit) = session.deposits(transaction).await?.into_iter().next() else {
        return Ok(None);
    };
    let index = session.l1.queue_index(&deposit).await?;
    let mut l2_transaction = deposit.l2_hash()?;
    let mut included = None;
    if let Some(l2) = session.l2_if_named() {
        for name in [l2_transaction, deposit.forced_l2_hash(index)?] {
            if let Some(receipt) = l2.receipt(name).await? {
                included = Some((receipt.block(), receipt.is_success()));
                l2_transaction = name;
            }
        }
    }
    let stage = session.l1.deposit_facts(index, included).await?.stage();
    let (l1_block, from, mint) = (deposit.l1_block_number, deposit.from, deposit.mint());
    Ok(Some(DepositState { index, l1_block, l2_transaction, stage, from, mint }))
}

impl DepositState {
    /// The stage's name, without its times.
    const fn name(&self) -> &'static str {
        match self.stage {
            DepositStage::Queued { .. } => "queued",
            DepositStage::Overdue { .. } => "overdue",
            DepositStage::Posted => "posted",
            DepositStage::Included { .. } => "included",
        }
    }

    /// The next step, as a word for programs.
    pub(super) const fn next(&self) -> Option<&'static str> {
        match self.stage {
            DepositStage::Queued { .. } => Some("wait"),
            DepositStage::Overdue { .. } => Some("force"),
            DepositStage::Posted | DepositStage::Included { .. } => None,
        }
    }

    pub(super) fn event(&self, event: &str) -> Value {
        let mut value = json!({
            "event": event,
            "index": self.index,
            "l1Block": self.l1_block,
            "l2Transaction": self.l2_transaction,
            "next": self.next(),
        });
        let stage = serde_json::to_value(self.stage).expect("invariant: a stage is JSON");
        let fields = value.as_object_mut().expect("invariant: made as an object");
        fields.extend(stage.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        value
    }

    pub(super) fn text(&self) -> String {
        match self.stage {
            DepositStage::Queued { estimated_seconds, .. } => {
                format!("waiting for L2: expected{}", when(Some(estimated_seconds)))
            }
            DepositStage::Overdue { .. } => {
                "overdue: the sequencer leaves it out. Next: turnpike bridge force --include"
                    .to_owned()
            }
            DepositStage::Posted => {
                "in the inbox on L1: it is part of the chain, whatever the sequencer does"
                    .to_owned()
            }
            DepositStage::Included { block, success: true } => format!("done: L2 block {block}"),
            DepositStage::Included { block, success: false } => {
                format!("L2 block {block} holds it, but its call has failed; its ether is minted")
            }
        }
    }
}
