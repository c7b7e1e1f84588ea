use alloy::{
    consensus::TxEnvelope,
    eips::Encodable2718 as _,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    providers::Provider as _,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::OutputRoot;

use crate::{L1Client, L1Error, ProposedOutput, Rollup};

/// Room above the estimate, in percent: state may move between estimate and inclusion.
const GAS_MARGIN_PERCENT: u64 = 20;

/// Signs and sends a role's transactions: one key, one in flight.
#[derive(Clone, Debug)]
pub struct L1Sender {
    client: L1Client,
    wallet: EthereumWallet,
    signer: PrivateKeySigner,
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub struct PreparedTx {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    request: TransactionRequest,
    raw: Vec<u8>,
}

impl L1Sender {
    /// A sender that signs with `key`.
    pub fn new(client: L1Client, key: PrivateKeySigner) -> Self {
        Self { client, wallet: key.clone().into(), signer: key }
    }

    /// The account it sends from.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// The connection that it sends through.
    pub(crate) const fn client(&self) -> &L1Client {
        &self.client
    }

    /// Its key.
    pub(crate) const fn signer(&self) -> &PrivateKeySigner {
        &self.signer
    }

    /// Signs a proposal of `output`, whose header is `header`, after entry `entry` on top of `parent`.
    pub async fn prepare_propose(
        &self,
        parent: &ProposedOutput,
        entry: u64,
        acc: B256,
        output: &OutputRoot,
        header: Bytes,
        bond: U256,
    ) -> Result<PreparedTx, L1Error> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        let proof = Rollup::OutputRootProof {
            version: B256::ZERO,
            stateRoot: output.state_root,
            messagePasserStorageRoot: output.message_passer_storage_root,
            latestBlockhash: output.block_hash,
        };
        let call = rollup
            .propose(U256::from(parent.index), parent.claim, entry, acc, proof, header)
            .value(bond);
        self.prepare(call.into_transaction_request()).await
    }

    /// Signs the return of the bond of an output that is built on a rejected one.
    pub async fn prepare_void(&self, index: u64) -> Result<PreparedTx, L1Error> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        self.prepare(rollup.voidOutput(U256::from(index)).into_transaction_request()).await
    }

    /// Signs the finalization of an output.
    pub async fn prepare_finalize(&self, index: u64) -> Result<PreparedTx, L1Error> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        self.prepare(rollup.finalize(U256::from(index)).into_transaction_request()).await
    }

    /// Signs the withdrawal of what bonds have been credited.
    pub async fn prepare_withdraw_bond(&self) -> Result<PreparedTx, L1Error> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        self.prepare(rollup.withdrawBond().into_transaction_request()).await
    }

    /// Hands a prepared transaction to L1. One that L1 already knows is fine.
    pub async fn broadcast(&self, tx: &PreparedTx) -> Result<(), L1Error> {
        self.broadcast_raw(&tx.raw).await
    }

    /// Hands a signed transaction to L1, as it travels between nodes. One that L1 already knows is fine.
    pub(crate) async fn broadcast_raw(&self, raw: &[u8]) -> Result<(), L1Error> {
        match self.client.provider().send_raw_transaction(raw).await {
            Ok(_) => Ok(()),
            Err(error) if is_known(&error.to_string()) => Ok(()),
            Err(error) => Err(L1Error::of_transaction(error)),
        }
    }

    /// The receipt of a transaction, once L1 holds it.
    pub async fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, L1Error> {
        Ok(self.client.provider().get_transaction_receipt(hash).await?)
    }

    /// Whether L1 still knows a transaction, included or waiting.
    pub async fn is_known(&self, hash: B256) -> Result<bool, L1Error> {
        Ok(self.client.provider().get_transaction_by_hash(hash).await?.is_some())
    }

    /// Signs a call of a contract.
    pub async fn prepare_call(
        &self,
        to: Address,
        value: U256,
        input: Bytes,
    ) -> Result<PreparedTx, L1Error> {
        self.prepare(TransactionRequest::default().with_to(to).with_value(value).with_input(input))
            .await
    }

    async fn prepare(&self, request: TransactionRequest) -> Result<PreparedTx, L1Error> {
        let provider = self.client.provider();
        let request = request.with_from(self.address());
        let gas = provider.estimate_gas(request.clone()).await.map_err(L1Error::of_transaction)?;
        let nonce = provider.get_transaction_count(self.address()).await?;
        let fees = provider.estimate_eip1559_fees().await?;
        let request = request
            .with_nonce(nonce)
            .with_chain_id(self.client.deployment().chain_id)
            .with_gas_limit(gas + gas * GAS_MARGIN_PERCENT / 100)
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        self.sign(request, nonce).await
    }

    /// Signs a transaction that waits again, for twice what it offered, or what is asked for by now if that is more.
    pub async fn prepare_replacement(&self, waiting: &PreparedTx) -> Result<PreparedTx, L1Error> {
        let fees = self.client.provider().estimate_eip1559_fees().await?;
        let request = waiting.request.clone();
        let twice = |fee: Option<u128>| fee.unwrap_or_default().saturating_mul(2);
        let max_fee = twice(request.max_fee_per_gas).max(fees.max_fee_per_gas);
        let tip = twice(request.max_priority_fee_per_gas).max(fees.max_priority_fee_per_gas);
        let request =
            request.with_max_fee_per_gas(max_fee).with_max_priority_fee_per_gas(tip.min(max_fee));
        self.sign(request, waiting.nonce).await
    }

    async fn sign(&self, request: TransactionRequest, nonce: u64) -> Result<PreparedTx, L1Error> {
        let envelope: TxEnvelope = request
            .clone()
            .build(&self.wallet)
            .await
            .map_err(|error| L1Error::Inconsistent(format!("cannot sign: {error}")))?;
        Ok(PreparedTx { hash: *envelope.tx_hash(), nonce, request, raw: envelope.encoded_2718() })
    }
}

/// Whether L1 refuses a transaction because it has it: in geth's words, Nethermind's, or anvil's.
fn is_known(refusal: &str) -> bool {
    ["already known", "AlreadyKnown", "already imported"].iter().any(|text| refusal.contains(text))
}
