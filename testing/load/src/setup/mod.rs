//! Sets up a workload on the chain: ether, contracts, tokens and allowances. The funder sends a few
//! transactions for all senders; with swaps, each sender adds two.

mod contracts;
mod disperse;
mod send;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, TxKind, U256};
use anyhow::{Context as _, ensure};
use serde_json::json;
use turnpike_workloads::calls::approveCall;

use self::{
    contracts::Contracts,
    disperse::Disperser,
    send::{SignedStep, send_all},
};
use crate::{
    rpc::Rpc,
    senders::{Sender, senders},
    sign::TransactionTerms,
    workload::{TOKEN_GAS, WorkloadContext, WorkloadKind},
};

/// The senders get one part in this many of the funder's ether.
const FUNDS_DIVISOR: u64 = 4;

/// Wei for a sender, at most.
const FUNDS_MAX: u128 = 100 * 10_u128.pow(18);

/// Maximum fee, as a multiple of the base fee at the start. Full blocks raise the base fee.
const FEE_FACTOR: u128 = 100;

/// Highest suggested priority fee that is followed, in wei.
const TIP_MAX: u128 = 2_000_000_000;

/// A chain that is ready for a workload.
#[derive(Debug)]
pub(crate) struct PreparedChain {
    pub(crate) terms: TransactionTerms,
    pub(crate) senders: Vec<Sender>,
    pub(crate) context: WorkloadContext,
    /// Number of setup transactions.
    pub(crate) transactions: usize,
}

/// A call or contract creation of the setup.
#[derive(Clone, Debug)]
struct SetupStep {
    to: TxKind,
    value: U256,
    data: Vec<u8>,
    gas_limit: u64,
}

impl SetupStep {
    fn call(to: Address, data: Vec<u8>, gas_limit: u64) -> Self {
        Self { to: to.into(), value: U256::ZERO, data, gas_limit }
    }
}

/// Sets up everything that the workload needs.
pub(crate) async fn setup(
    rpc: &mut Rpc,
    funder: &PrivateKeySigner,
    kind: WorkloadKind,
    wanted: u32,
) -> anyhow::Result<PreparedChain> {
    let terms = terms(rpc).await?;
    let payer = funder.address();
    let nonce: u64 =
        rpc.quantity("eth_getTransactionCount", json!([payer, "latest"])).await?.saturating_to();
    let balance = rpc.quantity("eth_getBalance", json!([payer, "latest"])).await?;
    let mut senders = senders(payer, nonce, kind.senders(wanted));
    let addresses: Vec<_> = senders.iter().map(Sender::address).collect();
    let each = balance / U256::from(FUNDS_DIVISOR * senders.len() as u64);
    let each = each.min(U256::from(FUNDS_MAX));
    ensure!(
        !each.is_zero(),
        "the account that pays, {payer}, has no ether on this chain: see --key"
    );

    let mut plan = Contracts::new(payer, nonce);
    let disperser = Disperser::new(plan.deploy_disperser());
    plan.steps.extend(disperser.ether(&addresses, each));
    let tokens = plan.tokens(kind.tokens())?;
    let pools = plan.pools(kind.pools())?;
    let of_tokens = tokens.iter().enumerate().map(|(index, token)| (*token, index, tokens.len()));
    let of_pools = pools
        .iter()
        .enumerate()
        .flat_map(|(index, pool)| pool.tokens.map(|token| (token, index, pools.len())));
    for (token, index, count) in of_tokens.chain(of_pools).collect::<Vec<_>>() {
        let holders: Vec<_> = addresses.iter().copied().skip(index).step_by(count).collect();
        plan.give(&disperser, token, &holders);
    }
    let mut sendings = Vec::new();
    for (nonce, step) in (nonce..).zip(&plan.steps) {
        sendings.push(SignedStep::sign(&terms, funder, nonce, step)?);
    }
    let mut transactions = sendings.len();
    send_all(rpc, &sendings).await.context("the setup")?;

    let context = WorkloadContext { senders: addresses, tokens, pools };
    let approvals = approvals(&terms, &mut senders, &context)?;
    transactions += approvals.len();
    send_all(rpc, &approvals).await.context("the allowances")?;
    Ok(PreparedChain { terms, senders, context, transactions })
}

async fn terms(rpc: &mut Rpc) -> anyhow::Result<TransactionTerms> {
    let chain_id = rpc.quantity("eth_chainId", json!([])).await?.saturating_to();
    let head = rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
    let base_fee: U256 = serde_json::from_value(head["baseFeePerGas"].clone()).context(
        "the node's newest block has no base fee: only chains with EIP-1559 are supported",
    )?;
    let tip = rpc.quantity("eth_maxPriorityFeePerGas", json!([])).await.unwrap_or_default();
    let tip = tip.saturating_to::<u128>().min(TIP_MAX);
    let base_fee = base_fee.saturating_to::<u128>().max(1);
    Ok(TransactionTerms {
        chain_id,
        fee_max: base_fee.saturating_mul(FEE_FACTOR).saturating_add(tip),
        tip,
    })
}

/// Allows the router to take both tokens of every trader.
fn approvals(
    terms: &TransactionTerms,
    senders: &mut [Sender],
    context: &WorkloadContext,
) -> anyhow::Result<Vec<SignedStep>> {
    let mut sendings = Vec::new();
    if context.pools.is_empty() {
        return Ok(sendings);
    }
    for (index, sender) in senders.iter_mut().enumerate() {
        let pool = context.pools[index % context.pools.len()];
        for token in pool.tokens {
            let approve = approveCall { spender: pool.router, amount: U256::MAX };
            let data = alloy::sol_types::SolCall::abi_encode(&approve);
            let step = SetupStep::call(token, data, TOKEN_GAS);
            sendings.push(SignedStep::sign(terms, &sender.signer, sender.nonce, &step)?);
            sender.nonce += 1;
        }
    }
    Ok(sendings)
}
