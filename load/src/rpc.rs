use std::time::Duration;

use alloy_primitives::{Address, U256};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    endpoint::Endpoint,
    transport::{Format, HttpConnection},
};

/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls in one request, at most.
pub(crate) const BATCH_CALLS: usize = 100;

/// JSON-RPC as it is needed beside the load: slow and comfortable.
#[derive(Debug)]
pub(crate) struct Rpc {
    connection: HttpConnection,
}

/// An answer, its result not looked into.
#[derive(Deserialize)]
struct Answer<'a> {
    id: usize,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Value>,
}

impl Rpc {
    pub(crate) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let media_type = Format::JsonRpc.media_type();
        let connection = HttpConnection::open(endpoint, &endpoint.path, media_type).await;
        Ok(Self { connection: connection.with_context(|| format!("no node at {endpoint}"))? })
    }

    /// A call's result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let mut results = self.batch(method, &[params]).await?;
        results.remove(0)
    }

    /// The result of a call that gives a quantity.
    pub(crate) async fn quantity(&mut self, method: &str, params: Value) -> anyhow::Result<U256> {
        let result = self.call(method, params).await?;
        serde_json::from_value(result).with_context(|| format!("{method} gives no quantity"))
    }

    /// The results of the same call with each of these parameters.
    pub(crate) async fn batch(
        &mut self,
        method: &str,
        params: &[Value],
    ) -> anyhow::Result<Vec<anyhow::Result<Value>>> {
        self.batch_as(method, params).await
    }

    /// The same, read as something in particular, without a detour over JSON values.
    pub(crate) async fn batch_as<T: for<'a> Deserialize<'a>>(
        &mut self,
        method: &str,
        params: &[Value],
    ) -> anyhow::Result<Vec<anyhow::Result<T>>> {
        let mut results = Vec::with_capacity(params.len());
        for params in params.chunks(BATCH_CALLS) {
            let calls = params.iter().enumerate().map(
                |(id, params)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }),
            );
            let body = Value::from_iter(calls).to_string();
            let exchange =
                tokio::time::timeout(ANSWER_TIMEOUT, self.connection.exchange(body.as_bytes()));
            let (status, answer) = exchange.await.context("the node does not answer")??;
            let answers: Vec<Answer<'_>> = serde_json::from_slice(answer).with_context(|| {
                let text: String = String::from_utf8_lossy(answer).chars().take(200).collect();
                format!("{method}: expected a batch, found (HTTP {status}) {text}")
            })?;
            let start = results.len();
            results.extend(params.iter().map(|_| Err(anyhow::anyhow!("{method}: no answer"))));
            for Answer { id, result, error } in answers {
                let Some(place) = results.get_mut(start + id) else {
                    bail!("{method}: unknown id")
                };
                *place = match error.filter(|error| !error.is_null()) {
                    Some(error) => Err(anyhow::anyhow!("{method}: {}", error["message"])),
                    None => {
                        let json = result.map_or("null", RawValue::get);
                        serde_json::from_str(json).with_context(|| format!("{method}: {json:.100}"))
                    }
                };
            }
        }
        Ok(results)
    }

    /// Number of the newest block.
    pub(crate) async fn head(&mut self) -> anyhow::Result<u64> {
        Ok(self.quantity("eth_blockNumber", json!([])).await?.saturating_to())
    }

    /// Nonces in the newest block's state.
    pub(crate) async fn nonces(&mut self, accounts: &[Address]) -> anyhow::Result<Vec<u64>> {
        let params: Vec<_> = accounts.iter().map(|account| json!([account, "latest"])).collect();
        let nonces = self.batch_as::<U256>("eth_getTransactionCount", &params).await?;
        nonces.into_iter().map(|nonce| Ok(nonce?.saturating_to())).collect()
    }
}
