//! The pool's content: `txpool_*`.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use serde_json::{Value, json};

use super::{
    convert::to_json,
    error::{RpcError, RpcResult},
    method::methods,
    params::Params,
    pending::without_block,
};
use crate::context::ApiContext;
use turnpike_sequencer::{Pool, PooledTx};

/// Transactions of the pool in one answer, at most.
const POOL_TRANSACTIONS_MAX: usize = 4_096;

methods! {
    "txpool_status", 1, "" => |s, p| status(s);
    "txpool_content", 200, "fails above 4,096 transactions: use txpool_contentFrom" => |s, p| content(s, whole);
    "txpool_contentFrom", 20, "" => |s, p| content_from(s, p);
    "txpool_inspect", 200, "as txpool_content" => |s, p| content(s, summary);
}

fn status(context: &ApiContext) -> RpcResult {
    let pool = context.transactions.pool();
    let ready = pool.ready_len();
    Ok(json!({
        "pending": U64::from(ready),
        "queued": U64::from(pool.len() - ready),
    }))
}

/// Converts a pooled transaction to its form in a response.
type Telling = fn(&PooledTx) -> RpcResult;

/// All transactions by sender and nonce: executable ones as `pending`, and those behind a nonce gap
/// as `queued`.
fn content(context: &ApiContext, telling: Telling) -> RpcResult {
    let senders = {
        let pool = context.transactions.pool();
        if pool.len() > POOL_TRANSACTIONS_MAX {
            return Err(too_many(pool.len()));
        }
        let waiting = pool.senders().into_iter().map(|sender| (sender, of_sender(&pool, &sender)));
        waiting.collect::<BTreeMap<_, _>>()
    };
    let (mut pending, mut queued) = (BTreeMap::new(), BTreeMap::new());
    for (sender, (in_turn, behind_gap)) in senders {
        insert(&mut pending, sender, in_turn, telling)?;
        insert(&mut queued, sender, behind_gap, telling)?;
    }
    Ok(json!({ "pending": pending, "queued": queued }))
}

/// Copies a sender's transactions, so that the pool's lock is released: executable ones, and those
/// behind a nonce gap.
fn of_sender(pool: &Pool, sender: &Address) -> (Vec<PooledTx>, Vec<PooledTx>) {
    let (in_turn, behind_gap) = pool.of_sender(sender);
    (in_turn.into_iter().cloned().collect(), behind_gap.into_iter().cloned().collect())
}

fn insert(
    all: &mut BTreeMap<String, Value>,
    sender: Address,
    txs: Vec<PooledTx>,
    telling: Telling,
) -> Result<(), RpcError> {
    if !txs.is_empty() {
        all.insert(sender.to_checksum(None), by_nonce(txs, telling)?);
    }
    Ok(())
}

fn content_from(context: &ApiContext, mut params: Params) -> RpcResult {
    let sender = params.next::<Address>()?;
    let (in_turn, behind_gap) = of_sender(&context.transactions.pool(), &sender);
    let len = in_turn.len() + behind_gap.len();
    if len > POOL_TRANSACTIONS_MAX {
        return Err(too_many(len));
    }
    Ok(json!({
        "pending": by_nonce(in_turn, whole)?,
        "queued": by_nonce(behind_gap, whole)?,
    }))
}

fn by_nonce(txs: Vec<PooledTx>, telling: Telling) -> RpcResult {
    let told = txs.iter().map(|tx| Ok((tx.tx.nonce().to_string(), telling(tx)?)));
    Ok(Value::Object(told.collect::<Result<_, RpcError>>()?))
}

fn whole(tx: &PooledTx) -> RpcResult {
    to_json(without_block(tx.tx.envelope().clone(), tx.sender))
}

fn summary(tx: &PooledTx) -> RpcResult {
    let envelope = tx.tx.envelope();
    let to = envelope.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
    let (value, gas, price) = (envelope.value(), envelope.gas_limit(), envelope.max_fee_per_gas());
    Ok(format!("{to}: {value} wei + {gas} gas × {price} wei").into())
}

fn too_many(len: usize) -> RpcError {
    RpcError::server(format!(
        "the pool holds {len} transactions, limit {POOL_TRANSACTIONS_MAX}: use txpool_contentFrom"
    ))
}
