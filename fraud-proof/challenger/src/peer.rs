//! JSON-RPC client of an untrusted peer.

use std::time::Duration;

use alloy::{
    rpc::client::{ClientBuilder, RpcClient},
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256, Log, LogData, U64, U256};
use serde::Deserialize;

/// Time limit of one request.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// A node that serves the claimed chain. Its answers are not trusted: they explain a verdict and
/// never change it.
#[derive(Debug)]
pub struct Peer {
    client: RpcClient,
}

/// Why a peer did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The URL is malformed.
    #[error("the peer's URL is malformed")]
    Url,
    /// No answer within the time limit.
    #[error("the peer does not answer {method} in time")]
    Late {
        /// The JSON-RPC method.
        method: &'static str,
    },
    /// The peer returned an error.
    #[error("the peer refuses {method}: {message}")]
    Refused {
        /// The JSON-RPC method.
        method: &'static str,
        /// The peer's message.
        message: String,
    },
    /// The request failed. The cause is not shown because it may contain the URL, and with it a
    /// key.
    #[error("the peer is unreachable or its answer to {method} is malformed")]
    Unreachable {
        /// The JSON-RPC method.
        method: &'static str,
    },
}

#[derive(Debug, Deserialize)]
struct PeerBlock {
    hash: B256,
}

/// The parts of a receipt that are compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerReceipt {
    pub(crate) transaction_hash: B256,
    pub(crate) from: Address,
    pub(crate) status: U64,
    pub(crate) gas_used: U64,
    logs: Vec<PeerLog>,
}

#[derive(Debug, Deserialize)]
struct PeerLog {
    address: Address,
    #[serde(flatten)]
    data: LogData,
}

/// The parts of an account that are compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerAccount {
    pub(crate) balance: U256,
    pub(crate) nonce: U64,
    pub(crate) code_hash: B256,
    pub(crate) storage_proof: Vec<PeerSlot>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PeerSlot {
    pub(crate) value: U256,
}

impl Peer {
    /// A peer at `url`. Sends nothing yet.
    pub fn new(url: &str) -> Result<Self, PeerError> {
        let url = url.parse().map_err(|_| PeerError::Url)?;
        Ok(Self { client: ClientBuilder::default().http(url) })
    }

    /// Number of the peer's newest block.
    pub(crate) async fn head(&self) -> Result<u64, PeerError> {
        let method = "eth_blockNumber";
        let number: U64 = answer(method, self.client.request_noparams(method)).await?;
        Ok(number.to())
    }

    /// Hash of the peer's block `number`, if it has that block.
    pub(crate) async fn block_hash(&self, number: u64) -> Result<Option<B256>, PeerError> {
        let method = "eth_getBlockByNumber";
        let params = (U64::from(number), false);
        let block: Option<PeerBlock> = answer(method, self.client.request(method, params)).await?;
        Ok(block.map(|block| block.hash))
    }

    /// Receipts of the peer's block `number`.
    pub(crate) async fn receipts(&self, number: u64) -> Result<Vec<PeerReceipt>, PeerError> {
        let method = "eth_getBlockReceipts";
        let receipts: Option<_> =
            answer(method, self.client.request(method, (U64::from(number),))).await?;
        Ok(receipts.unwrap_or_default())
    }

    /// An account and some of its slots after block `number`.
    pub(crate) async fn account(
        &self,
        address: Address,
        slots: &[U256],
        number: u64,
    ) -> Result<PeerAccount, PeerError> {
        let method = "eth_getProof";
        let slots: Vec<B256> = slots.iter().map(|slot| (*slot).into()).collect();
        answer(method, self.client.request(method, (address, slots, U64::from(number)))).await
    }
}

impl PeerReceipt {
    /// The logs without their positions.
    pub(crate) fn logs(self) -> Vec<Log> {
        self.logs.into_iter().map(|log| Log { address: log.address, data: log.data }).collect()
    }
}

async fn answer<R>(
    method: &'static str,
    call: impl IntoFuture<Output = Result<R, RpcError<TransportErrorKind>>>,
) -> Result<R, PeerError> {
    match tokio::time::timeout(ANSWER_TIME_MAX, call).await {
        Err(_) => Err(PeerError::Late { method }),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(RpcError::ErrorResp(payload))) => {
            Err(PeerError::Refused { method, message: payload.message.into_owned() })
        }
        Ok(Err(_)) => Err(PeerError::Unreachable { method }),
    }
}
