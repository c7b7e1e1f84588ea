use alloy_primitives::{Address, B256};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, Name, RestResult, parse_address};
use crate::schema::{AddressText, Hash, Malformed, Wei};
use turnpike_sequencer::{Pool, PooledTx};

/// Pooled transactions of an account in one response.
const POOLED_MAX: usize = 100;

/// A transaction in the pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PooledTransaction {
    #[schema(value_type = Hash)]
    hash: B256,
    nonce: u64,
    /// Whether a transaction with a lower nonce is missing.
    waits_for_nonce: bool,
    /// When it was received, in Unix milliseconds.
    received_ms: u64,
}

/// An account, after the newest block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountDetails {
    #[schema(value_type = AddressText)]
    address: Address,
    /// The block after which this is its state.
    block: u64,
    /// Its balance in wei.
    #[schema(value_type = Wei)]
    balance: String,
    /// Transactions that it has sent, or contracts that it has created.
    nonce: u64,
    /// The nonce that its next transaction should have. Preconfirmed transactions count, and pooled
    /// ones
    /// without a nonce gap.
    next_nonce: u64,
    /// Keccak-256 of its code.
    #[schema(value_type = Hash)]
    code_hash: B256,
    /// Whether it has code: it is a contract, or delegates to one.
    has_code: bool,
    /// Number of its pooled transactions.
    pooled_count: usize,
    /// The first 100 of them, by nonce.
    pooled: Vec<PooledTransaction>,
}

/// An account
#[utoipa::path(
    get,
    path = "/v1/accounts/{address}",
    tag = "Chain",
    params(("address" = AddressText, Path, description = "The account")),
    responses((status = 200, description = "The account", body = AccountDetails), Malformed),
)]
pub(crate) async fn account(State(context): Api, name: Name) -> RestResult<Json<AccountDetails>> {
    let address = parse_address(&name.0)?;
    // Read before the state: a transaction that moves on meanwhile is in the state.
    let ahead = context.transactions.next_nonce(&address).unwrap_or(0);
    let (block, found) = {
        let chain = context.chain.read().await;
        let block = context.chain.newest(&chain).header.number;
        let state = chain.state_at(block).expect("invariant: the newest states are kept");
        (block, state.account(&address).unwrap_or_default())
    };
    let next_nonce = ahead.max(found.nonce);
    let (pooled_count, pooled) = pooled(&context.transactions.pool(), &address);
    Ok(Json(AccountDetails {
        address,
        block,
        balance: found.balance.to_string(),
        nonce: found.nonce,
        next_nonce,
        code_hash: found.code_hash,
        has_code: found.has_code(),
        pooled_count,
        pooled,
    }))
}

fn pooled(pool: &Pool, sender: &Address) -> (usize, Vec<PooledTransaction>) {
    let (in_turn, behind_gap) = pool.of_sender(sender);
    let waiting = |waits_for_nonce: bool| {
        move |tx: &PooledTx| PooledTransaction {
            hash: tx.tx.hash(),
            nonce: tx.tx.nonce(),
            waits_for_nonce,
            received_ms: tx.received_ms,
        }
    };
    let count = in_turn.len() + behind_gap.len();
    let all = in_turn.into_iter().map(waiting(false));
    let all = all.chain(behind_gap.into_iter().map(waiting(true)));
    (count, all.take(POOLED_MAX).collect())
}
