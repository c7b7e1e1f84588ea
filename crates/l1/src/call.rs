use alloy::{
    consensus::{
        SignableTransaction as _, Transaction as _, TxEip1559, TxEnvelope,
        transaction::SignerRecoverable as _,
    },
    eips::{BlockId, Decodable2718 as _, Encodable2718 as _},
    network::TransactionBuilder as _,
    providers::Provider as _,
    rpc::types::TransactionRequest,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};

use crate::{Fees, L1Error, L1Sender};

/// A call of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub to: Address,
    /// Wei that go with it.
    pub value: U256,
    /// Function and arguments.
    pub input: Bytes,
}

/// A signed call, whose hash is known before it is broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCall {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    /// What is called.
    pub call: Call,
    /// Gas that it may use.
    pub gas_limit: u64,
    /// What it offers.
    pub fees: Fees,
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
}

impl SignedCall {
    /// The call that these bytes are, if one of `sender`'s.
    pub fn read(raw: Bytes, sender: Address) -> Option<Self> {
        let envelope = TxEnvelope::decode_2718_exact(&raw).ok()?;
        if envelope.recover_signer().ok()? != sender {
            return None;
        }
        let hash = *envelope.tx_hash();
        let TxEnvelope::Eip1559(signed) = envelope else { return None };
        let tx = signed.tx();
        Some(Self {
            hash,
            nonce: tx.nonce,
            call: Call { to: tx.to.into_to()?, value: tx.value, input: tx.input.clone() },
            gas_limit: tx.gas_limit,
            fees: Fees {
                max_fee_per_gas: tx.max_fee_per_gas,
                max_priority_fee_per_gas: tx.max_priority_fee_per_gas().unwrap_or_default(),
                max_fee_per_blob_gas: 0,
            },
            raw,
        })
    }
}

impl L1Sender {
    /// How many transactions of the account L1 holds after the block with this hash.
    pub async fn nonce_at(&self, block: B256) -> Result<u64, L1Error> {
        let count = self.client().provider().get_transaction_count(self.address());
        Ok(count.block_id(BlockId::hash(block)).await?)
    }

    /// Gas that a call takes on top of the newest block, fees left aside. [`L1Error::Rejected`] if it would revert.
    pub async fn estimate_call(&self, call: &Call) -> Result<u64, L1Error> {
        let request = TransactionRequest::default()
            .with_from(self.address())
            .with_to(call.to)
            .with_value(call.value)
            .with_input(call.input.clone());
        let gas = self.client().provider().estimate_gas(request).block(BlockId::latest()).await;
        gas.map_err(L1Error::of_transaction)
    }

    /// Signs a call.
    pub fn sign_call(
        &self,
        call: Call,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<SignedCall, L1Error> {
        let tx = TxEip1559 {
            chain_id: self.client().deployment().chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: TxKind::Call(call.to),
            value: call.value,
            input: call.input.clone(),
            ..TxEip1559::default()
        };
        let signature = self.signature(&tx.signature_hash())?;
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        let (hash, raw) = (*envelope.tx_hash(), envelope.encoded_2718().into());
        Ok(SignedCall { hash, nonce, call, gas_limit, fees, raw })
    }

    /// Hands a signed call to L1. One that L1 already knows is fine.
    pub async fn broadcast_call(&self, signed: &SignedCall) -> Result<(), L1Error> {
        self.broadcast_raw(&signed.raw).await
    }
}
