use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use alloy::{
    eips::{BlockId, BlockNumberOrTag, eip7594::BlobTransactionSidecarEip7594},
    network::TransactionBuilder as _,
    providers::{DynProvider, Provider as _},
    rpc::{
        client::BatchRequest,
        types::{FeeHistory, TransactionReceipt, TransactionRequest, state::StateOverride},
    },
    signers::local::PrivateKeySigner,
    transports::TransportError,
};
use alloy_primitives::{Address, B256, U64, U128, U256};
use serde::de::{DeserializeOwned, IgnoredAny};
use turnpike_l1::{Call, L1Client, L1Error, L1Head};

use crate::{Fees, GasPrices, SignedTx, TxType};

/// Most requests in a JSON-RPC batch.
const LOOK_UPS_MAX: usize = 100;

/// JSON-RPC codes of a request that the node does not take as it is: unknown method, invalid
/// request, invalid parameters.
const NOT_TAKEN: [i64; 3] = [-32601, -32600, -32602];

/// Blocks whose priority fees are looked at.
const FEE_HISTORY_BLOCKS: u64 = 5;

/// Of the priority fees in a block, the share that is lower, in percent.
const PRIORITY_FEE_PERCENTILE: f64 = 30.0;

/// Least priority fee per gas, in wei: what common nodes accept.
const PRIORITY_FEE_MIN: u128 = 1_000_000;

/// An account's nonces and balance on its chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Transactions in blocks.
    pub nonce: u64,
    /// The same, with those in the endpoint's pool.
    pub pending_nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
}

/// One account's key and its connection to a chain: estimates, signs and broadcasts, and decides
/// nothing.
#[derive(Clone, Debug)]
pub struct AccountClient {
    provider: DynProvider,
    chain_id: u64,
    signer: PrivateKeySigner,
}

impl AccountClient {
    /// The account of `key` on the chain of `client`.
    pub fn new(client: &L1Client, key: PrivateKeySigner) -> Self {
        Self::connected(client.provider().clone(), client.deployment().chain_id, key)
    }

    /// The account of `key` on the chain with this id.
    pub const fn connected(provider: DynProvider, chain_id: u64, key: PrivateKeySigner) -> Self {
        Self { provider, chain_id, signer: key }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// The newest block.
    pub async fn head(&self) -> Result<L1Head, L1Error> {
        let block = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
        let block = block.ok_or_else(|| L1Error::NotYet("there is no latest block".to_owned()))?;
        let (number, time) = (block.header.number, block.header.timestamp);
        Ok(L1Head { number, hash: block.header.hash, time, finalized: None })
    }

    /// Nonces and balance after the newest block.
    pub async fn account(&self) -> Result<AccountState, L1Error> {
        Ok(self.observe(BlockId::latest(), TxType::Call).await?.0)
    }

    /// The account after a block, and the prices of the next one, in one request. The blob base fee
    /// is zero for accounts that send no blobs.
    pub async fn observe(
        &self,
        block: BlockId,
        tx_type: TxType,
    ) -> Result<(AccountState, GasPrices), L1Error> {
        let (address, latest) = (self.address(), BlockNumberOrTag::Latest);
        let mut batch = BatchRequest::new(self.provider.client());
        let mut count =
            |block: BlockId| batch.add_call::<_, U64>("eth_getTransactionCount", &(address, block));
        let (nonce, pending_nonce) = (count(block)?, count(BlockId::pending())?);
        let balance = batch.add_call("eth_getBalance", &(address, latest))?;
        let history = (U64::from(FEE_HISTORY_BLOCKS), latest, [PRIORITY_FEE_PERCENTILE]);
        let history = batch.add_call::<_, FeeHistory>("eth_feeHistory", &history)?;
        let blob_base_fee = match tx_type {
            TxType::Call => None,
            TxType::Blobs => Some(batch.add_call::<_, U128>("eth_blobBaseFee", &())?),
        };
        batch.send().await?;
        let account = AccountState {
            nonce: nonce.await?.to(),
            pending_nonce: pending_nonce.await?.to(),
            balance: balance.await?,
        };
        let blob_base_fee = match blob_base_fee {
            Some(answer) => answer.await?.to(),
            None => 0,
        };
        Ok((account, GasPrices { blob_base_fee, ..gas_prices(&history.await?)? }))
    }

    /// Gas that a call takes on top of the newest block, whose state is changed by `overrides`, fees
    /// left aside; 0 if the node takes no overrides. [`L1Error::Rejected`] if it would revert.
    pub async fn estimate(
        &self,
        call: &Call,
        sidecar: Option<&BlobTransactionSidecarEip7594>,
        overrides: Option<StateOverride>,
    ) -> Result<u64, L1Error> {
        let mut request = TransactionRequest::default()
            .with_from(self.address())
            .with_to(call.to)
            .with_value(call.value)
            .with_input(call.input.clone());
        request.blob_versioned_hashes = sidecar.map(|it| it.versioned_hashes().collect());
        let has_overrides = overrides.is_some();
        let gas = self
            .provider
            .estimate_gas(request)
            .block(BlockId::latest())
            .overrides_opt(overrides)
            .await;
        let is_not_taken = |error: &TransportError| {
            error.as_error_resp().is_some_and(|answer| NOT_TAKEN.contains(&answer.code))
        };
        match gas {
            Err(error) if has_overrides && is_not_taken(&error) => Ok(0),
            gas => gas.map_err(L1Error::of_transaction),
        }
    }

    /// Signs a call, with blobs if there is a sidecar.
    pub fn sign(
        &self,
        call: Call,
        sidecar: Option<&BlobTransactionSidecarEip7594>,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<SignedTx, L1Error> {
        SignedTx::sign(&self.signer, self.chain_id, call, sidecar, nonce, gas_limit, fees)
    }

    /// Broadcasts a signed transaction, with its blobs: the same bytes each time. A node that
    /// already knows it counts as having accepted it.
    pub async fn broadcast(
        &self,
        tx: &SignedTx,
        sidecar: Option<&BlobTransactionSidecarEip7594>,
    ) -> Result<(), L1Error> {
        let raw = match sidecar {
            Some(sidecar) => tx.with_sidecar(sidecar)?,
            None => tx.raw.to_vec(),
        };
        match self.provider.send_raw_transaction(&raw).await {
            Ok(_) => Ok(()),
            Err(error) if is_known(&error.to_string()) => Ok(()),
            Err(error) => Err(L1Error::of_transaction(error)),
        }
    }

    /// The receipts of those of these transactions that blocks hold.
    pub async fn receipts(
        &self,
        hashes: &[B256],
    ) -> Result<BTreeMap<B256, TransactionReceipt>, L1Error> {
        self.look_up("eth_getTransactionReceipt", hashes).await
    }

    /// Those of these transactions that the chain's endpoint knows, included or pending.
    pub async fn known(&self, hashes: &[B256]) -> Result<BTreeSet<B256>, L1Error> {
        let found = self.look_up::<IgnoredAny>("eth_getTransactionByHash", hashes).await?;
        Ok(found.into_keys().collect())
    }

    /// What a method returns for those hashes for which it does not return null.
    async fn look_up<T: DeserializeOwned + Debug + Send + Sync + Unpin + 'static>(
        &self,
        method: &'static str,
        hashes: &[B256],
    ) -> Result<BTreeMap<B256, T>, L1Error> {
        let mut found = BTreeMap::new();
        for hashes in hashes.chunks(LOOK_UPS_MAX) {
            let mut batch = BatchRequest::new(self.provider.client());
            let mut answers = Vec::with_capacity(hashes.len());
            for hash in hashes {
                answers.push((*hash, batch.add_call::<_, Option<T>>(method, &(*hash,))?));
            }
            batch.send().await?;
            for (hash, answer) in answers {
                found.extend(answer.await?.map(|value| (hash, value)));
            }
        }
        Ok(found)
    }
}

/// Whether a node refuses a transaction because it has it: in geth's words, Nethermind's, or
/// anvil's.
fn is_known(refusal: &str) -> bool {
    ["already known", "AlreadyKnown", "already imported"].iter().any(|text| refusal.contains(text))
}

/// Prices of the next block, with a blob base fee of zero.
fn gas_prices(history: &FeeHistory) -> Result<GasPrices, L1Error> {
    let missing = || L1Error::NotYet("the fee history is empty".to_owned());
    let mut rewards: Vec<u128> =
        history.reward.iter().flatten().filter_map(|block| block.first().copied()).collect();
    rewards.sort_unstable();
    let median = rewards.get(rewards.len() / 2).copied().unwrap_or_default();
    Ok(GasPrices {
        base_fee: history.next_block_base_fee().ok_or_else(missing)?,
        priority_fee: median.max(PRIORITY_FEE_MIN),
        blob_base_fee: 0,
    })
}
