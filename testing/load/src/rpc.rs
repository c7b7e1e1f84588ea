//! A JSON-RPC client for everything but the load itself: simple rather than fast.

use std::{io::ErrorKind, time::Duration};

use alloy_primitives::{Address, U256};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    endpoint::Endpoint,
    transport::{Format, HttpConnection},
};

/// Time limit of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls in one request, at most.
pub(crate) const BATCH_CALLS: usize = 100;

/// A JSON-RPC connection that reconnects by itself.
#[derive(Debug)]
pub(crate) struct Rpc {
    endpoint: Endpoint,
    connection: HttpConnection,
    /// Whether the connection has brought an answer. From then on the node may close it while it is
    /// idle.
    was_used: bool,
}

/// A response with its result unparsed.
#[derive(Deserialize)]
struct RpcResponse<'a> {
    id: usize,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Value>,
}

impl Rpc {
    pub(crate) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let connection = connect(endpoint).await?;
        Ok(Self { endpoint: endpoint.clone(), connection, was_used: false })
    }

    /// Sends a body and returns the response's status and body. If the node closed the connection,
    /// a new one is opened.
    async fn exchange(&mut self, body: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        loop {
            let exchange = tokio::time::timeout(ANSWER_TIMEOUT, self.connection.exchange(body));
            match exchange.await.context("the node does not answer")? {
                Ok((status, answer)) => {
                    self.was_used = true;
                    return Ok((status, answer.to_vec()));
                }
                Err(error) if self.was_used && is_closed(error.kind()) => {
                    self.connection = connect(&self.endpoint).await?;
                    self.was_used = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a request and returns its result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let mut results = self.batch(method, &[params]).await?;
        results.remove(0)
    }

    /// Sends a request whose result is a quantity.
    pub(crate) async fn quantity(&mut self, method: &str, params: Value) -> anyhow::Result<U256> {
        let result = self.call(method, params).await?;
        serde_json::from_value(result)
            .with_context(|| format!("{method} did not return a quantity"))
    }

    /// Sends the same method with each of these parameters and returns the results.
    pub(crate) async fn batch(
        &mut self,
        method: &str,
        params: &[Value],
    ) -> anyhow::Result<Vec<anyhow::Result<Value>>> {
        self.batch_as(method, params).await
    }

    /// Like [`Self::batch`], with results parsed directly as `T`.
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
            let (status, answer) = self.exchange(body.as_bytes()).await?;
            let answers: Vec<RpcResponse<'_>> =
                serde_json::from_slice(&answer).with_context(|| {
                    let text: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
                    format!("{method}: expected a batch, found (HTTP {status}) {text}")
                })?;
            let start = results.len();
            results.extend(params.iter().map(|_| Err(anyhow::anyhow!("{method}: no answer"))));
            for RpcResponse { id, result, error } in answers {
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

    /// Nonces at the newest block.
    pub(crate) async fn nonces(&mut self, accounts: &[Address]) -> anyhow::Result<Vec<u64>> {
        let params: Vec<_> = accounts.iter().map(|account| json!([account, "latest"])).collect();
        let nonces = self.batch_as::<U256>("eth_getTransactionCount", &params).await?;
        nonces.into_iter().map(|nonce| Ok(nonce?.saturating_to())).collect()
    }
}

async fn connect(endpoint: &Endpoint) -> anyhow::Result<HttpConnection> {
    let media_type = Format::JsonRpc.media_type();
    let connection = HttpConnection::open(endpoint, &endpoint.path, media_type).await;
    connection.with_context(|| format!("cannot connect to {endpoint}"))
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Results of three calls to a node that closes each connection after this many answers.
    async fn calls(answers_each: usize) -> Vec<anyhow::Result<U256>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let node = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                for _ in 0..answers_each {
                    let mut request = [0; 1_000];
                    assert!(stream.read(&mut request).await.unwrap() > 0);
                    let body = r#"[{"id":0,"result":"0x7"}]"#;
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all((head + body).as_bytes()).await.unwrap();
                }
            }
        });
        let endpoint = Endpoint { authority, path: "/".into() };
        let mut rpc = Rpc::open(&endpoint).await.unwrap();
        let mut found = Vec::new();
        for _ in 0..3 {
            found.push(rpc.quantity("eth_gasPrice", json!([])).await);
        }
        node.abort();
        found
    }

    #[tokio::test]
    async fn closed_connection_is_opened_again() {
        for found in calls(1).await {
            assert_eq!(found.unwrap(), U256::from(7));
        }
    }

    #[tokio::test]
    async fn node_that_never_answers_is_an_error() {
        let found = calls(0).await;
        assert!(found.iter().all(Result::is_err));
    }
}
