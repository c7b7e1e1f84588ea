//! Routes submitted transactions: into this node's pool, to another sequencer, or nowhere.

use alloy::{
    rpc::client::{RpcClient, Waiter},
    transports::{RpcError, TransportError},
};
use alloy_primitives::{B256, Bytes, keccak256};
use anyhow::Context as _;

use crate::{Accepted, Refusal};

/// Transactions forwarded in one request, at most.
const BATCH_TRANSACTIONS: usize = 100;

/// The configured route of submitted transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubmissionRoute {
    /// This node's pool.
    #[default]
    LocalPool,
    /// None: the node is read-only.
    Rejected,
    /// The sequencer whose JSON-RPC is at this URL.
    Forwarded(String),
}

/// A route that is ready to use.
#[derive(Debug)]
pub(crate) enum SubmissionSink {
    LocalPool,
    Rejected,
    Forwarded(Forwarder),
}

impl SubmissionRoute {
    pub(crate) fn open(self) -> anyhow::Result<SubmissionSink> {
        Ok(match self {
            Self::LocalPool => SubmissionSink::LocalPool,
            Self::Rejected => SubmissionSink::Rejected,
            Self::Forwarded(url) => {
                let url = url.parse().context("invalid forwarding URL")?;
                SubmissionSink::Forwarded(Forwarder(RpcClient::new_http(url)))
            }
        })
    }
}

/// Forwards transactions.
#[derive(Debug)]
pub(crate) struct Forwarder(RpcClient);

impl Forwarder {
    /// Forwards transactions and returns the other sequencer's result for each.
    pub(crate) async fn submit(&self, raws: Vec<Bytes>) -> Vec<Result<Accepted, Refusal>> {
        let mut results = Vec::with_capacity(raws.len());
        for raws in raws.chunks(BATCH_TRANSACTIONS) {
            let mut batch = self.0.new_batch();
            let mut waiters: Vec<Result<Waiter<B256>, TransportError>> = Vec::new();
            for raw in raws {
                waiters.push(batch.add_call("eth_sendRawTransaction", &(raw,)));
            }
            // The waiters report a failure.
            let sent = batch.send().await;
            for (waiter, raw) in waiters.into_iter().zip(raws) {
                let answer = match (waiter, &sent) {
                    (Ok(waiter), Ok(())) => waiter.await,
                    (Err(error), _) => Err(error),
                    (Ok(_), Err(error)) => Err(RpcError::local_usage_str(&error.to_string())),
                };
                results.push(match answer {
                    Ok(_) => {
                        Ok(Accepted { hash: keccak256(raw), is_new: true, preconfirmation: None })
                    }
                    Err(RpcError::ErrorResp(refused)) => {
                        Err(Refusal::Forwarded(refused.message.into_owned()))
                    }
                    // The error may repeat the URL, which may hold a key: it is not passed on.
                    Err(_) => Err(Refusal::Forwarded("the sequencer does not answer".into())),
                });
            }
        }
        results
    }
}
