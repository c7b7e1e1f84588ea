//! JSON-RPC requests to a node of either layer.

use std::time::Duration;

use alloy::{
    eips::BlockNumberOrTag,
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::{
        client::RpcClient,
        json_rpc::{RpcRecv, RpcSend},
        types::{EIP1186AccountProofResponse, Log},
    },
    transports::http::{Http, reqwest},
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Deserialize;
use turnpike_protocol::{OutputRoot, Withdrawal, predeploys::MESSAGE_PASSER};

use crate::{BridgeError, Layer, Withdrawn};

/// Timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A node of either layer, over JSON-RPC.
#[derive(Clone, Debug)]
pub struct Node {
    layer: Layer,
    provider: DynProvider,
}

/// The fields of a receipt that both layers share.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The transaction.
    pub transaction_hash: B256,
    /// Number of its block.
    pub block_number: U64,
    /// Hash of its block.
    pub block_hash: B256,
    /// One if it succeeded.
    pub status: U64,
    /// Its logs.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Whether the transaction succeeded.
    pub fn is_success(&self) -> bool {
        self.status == U64::ONE
    }

    /// Number of the block that holds it.
    pub fn block(&self) -> u64 {
        self.block_number.to()
    }

    /// The messages to L1 that it sent. Fails if it failed or sent none.
    pub fn withdrawn(&self) -> Result<Withdrawn, BridgeError> {
        let transaction = self.transaction_hash;
        if !self.is_success() {
            return Err(BridgeError::WithdrawalFailed(transaction));
        }
        Withdrawn::from_logs(transaction, self.block(), self.logs.iter().map(|log| &log.inner))
    }
}

/// The fields of a block that both layers share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    /// Its number.
    pub(crate) number: U64,
    /// Its hash.
    pub(crate) hash: B256,
    /// Root of the state after it.
    pub(crate) state_root: B256,
    /// Its time, in seconds.
    pub(crate) timestamp: U64,
}

impl Node {
    /// A node at `url`. Sends no request.
    pub fn new(layer: Layer, url: &str) -> Result<Self, BridgeError> {
        let malformed = |what: &str| match layer {
            Layer::L1 => turnpike_l1::L1Error::Unreachable(what.to_owned()).into(),
            Layer::L2 => BridgeError::L2Unreachable(what.to_owned()),
        };
        let url = url.parse().map_err(|_| malformed("the URL is malformed"))?;
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|_| malformed("cannot make an HTTP client"))?;
        let client = RpcClient::new(Http::with_client(http, url), false);
        let provider = DynProvider::new(ProviderBuilder::default().connect_client(client));
        Ok(Self { layer, provider })
    }

    /// The L2 node at `url`, if it serves the chain with this id.
    pub async fn connect_l2(url: &str, chain_id: u64) -> Result<Self, BridgeError> {
        let node = Self::new(Layer::L2, url)?;
        let found = node.provider.get_chain_id().await;
        let found = found.map_err(|error| BridgeError::transport(Layer::L2, error))?;
        if found == chain_id {
            Ok(node)
        } else {
            Err(BridgeError::WrongL2Chain { expected: chain_id, found })
        }
    }

    /// The layer that it serves.
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// The connection itself.
    pub(crate) const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// A transaction's receipt, once it is in a block.
    pub async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, BridgeError> {
        self.ask("eth_getTransactionReceipt", (hash,)).await
    }

    /// The receipt of the first of these transactions that is in a block.
    pub(crate) async fn any_receipt(
        &self,
        hashes: &[B256],
    ) -> Result<Option<Receipt>, BridgeError> {
        for hash in hashes {
            if let Some(receipt) = self.receipt(*hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// Whether the node knows a transaction, included or pending.
    pub async fn knows(&self, hash: B256) -> Result<bool, BridgeError> {
        let found: Option<serde::de::IgnoredAny> =
            self.ask("eth_getTransactionByHash", (hash,)).await?;
        Ok(found.is_some())
    }

    /// A block, if there is one.
    pub(crate) async fn block(
        &self,
        block: BlockNumberOrTag,
    ) -> Result<Option<Block>, BridgeError> {
        self.ask("eth_getBlockByNumber", (block, false)).await
    }

    /// The newest block.
    pub(crate) async fn latest_block(&self) -> Result<Block, BridgeError> {
        let latest = self.block(BlockNumberOrTag::Latest).await?;
        latest.ok_or_else(|| BridgeError::Inconsistent(format!("{} has no block", self.layer)))
    }

    /// Balance of an account, in wei.
    pub(crate) async fn balance(&self, account: Address) -> Result<U256, BridgeError> {
        self.ask("eth_getBalance", (account, BlockNumberOrTag::Latest)).await
    }

    /// Checks that an account has this much ether, besides the cost of gas.
    pub async fn check_balance(&self, account: Address, needed: U256) -> Result<(), BridgeError> {
        let found = self.balance(account).await?;
        if found >= needed {
            return Ok(());
        }
        let layer = self.layer;
        Err(BridgeError::BalanceTooSmall { account, layer, unit: "wei", found, needed })
    }

    /// The output after an L2 block according to this node, and the nodes of a withdrawal's storage
    /// proof in that state. `None` if the node does not have the block.
    pub(crate) async fn withdrawal_proof(
        &self,
        block: u64,
        withdrawal: &Withdrawal,
    ) -> Result<Option<(OutputRoot, Vec<Bytes>)>, BridgeError> {
        let Some(header) = self.block(block.into()).await? else { return Ok(None) };
        let slot = withdrawal.slot();
        let proof: EIP1186AccountProofResponse = self
            .ask("eth_getProof", (MESSAGE_PASSER, [slot], BlockNumberOrTag::from(block)))
            .await?;
        let output = OutputRoot {
            state_root: header.state_root,
            message_passer_storage_root: proof.storage_hash,
            block_hash: header.hash,
        };
        let nodes = proof.storage_proof.into_iter().next().map(|slot| slot.proof);
        Ok(Some((output, nodes.unwrap_or_default())))
    }

    async fn ask<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, BridgeError> {
        let answer = self.provider.client().request(method, params).await;
        answer.map_err(|error| BridgeError::transport(self.layer, error))
    }
}
