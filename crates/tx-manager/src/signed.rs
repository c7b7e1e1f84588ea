use alloy::{
    consensus::{
        SignableTransaction as _, Signed, Transaction as _, TxEip1559, TxEip4844, TxEip4844Variant,
        TxEip4844WithSidecar, TxEnvelope, transaction::SignerRecoverable as _,
    },
    eips::{
        Decodable2718 as _, Encodable2718 as _, eip2930::AccessList,
        eip7594::BlobTransactionSidecarEip7594,
    },
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use turnpike_l1::{Call, L1Error};

use crate::{Fees, TxType};

/// A signed call or blob transaction, without its blobs. Its hash is known before it is broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    /// What is called.
    pub call: Call,
    /// Gas that it may use.
    pub gas_limit: u64,
    /// What it bids.
    pub fees: Fees,
    /// Blobs that it names.
    pub blobs: usize,
    /// Its EIP-2718 bytes, as blocks hold them.
    pub raw: Bytes,
}

impl SignedTx {
    /// Decodes a transaction, if `sender` signed it.
    pub fn decode(raw: Bytes, sender: Address) -> Option<Self> {
        let envelope = TxEnvelope::decode_2718_exact(&raw).ok()?;
        if envelope.recover_signer().ok()? != sender {
            return None;
        }
        let hash = *envelope.tx_hash();
        match envelope {
            TxEnvelope::Eip1559(signed) => {
                let tx = signed.strip_signature();
                Some(Self {
                    hash,
                    nonce: tx.nonce,
                    call: Call { to: tx.to.into_to()?, value: tx.value, input: tx.input },
                    gas_limit: tx.gas_limit,
                    fees: Fees {
                        max_fee_per_gas: tx.max_fee_per_gas,
                        max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
                        max_fee_per_blob_gas: 0,
                    },
                    blobs: 0,
                    raw,
                })
            }
            TxEnvelope::Eip4844(signed) => {
                let TxEip4844Variant::TxEip4844(tx) = signed.strip_signature() else { return None };
                Some(Self {
                    hash,
                    nonce: tx.nonce,
                    call: Call { to: tx.to, value: tx.value, input: tx.input },
                    gas_limit: tx.gas_limit,
                    fees: Fees {
                        max_fee_per_gas: tx.max_fee_per_gas,
                        max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
                        max_fee_per_blob_gas: tx.max_fee_per_blob_gas,
                    },
                    blobs: tx.blob_versioned_hashes.len(),
                    raw,
                })
            }
            _ => None,
        }
    }

    /// Signs a call, with blobs if there is a sidecar.
    pub(crate) fn sign(
        signer: &PrivateKeySigner,
        chain_id: u64,
        call: Call,
        sidecar: Option<&BlobTransactionSidecarEip7594>,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<Self, L1Error> {
        let sign = |hash: &B256| {
            let signature = signer.sign_hash_sync(hash);
            signature.map_err(|error| L1Error::Inconsistent(format!("cannot sign: {error}")))
        };
        let envelope = match sidecar {
            None => {
                let tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fees.max_fee_per_gas,
                    max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
                    to: TxKind::Call(call.to),
                    value: call.value,
                    access_list: AccessList::default(),
                    input: call.input.clone(),
                };
                let signature = sign(&tx.signature_hash())?;
                TxEnvelope::from(tx.into_signed(signature))
            }
            Some(sidecar) => {
                let tx = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fees.max_fee_per_gas,
                    max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
                    to: call.to,
                    value: call.value,
                    access_list: AccessList::default(),
                    blob_versioned_hashes: sidecar.versioned_hashes().collect(),
                    max_fee_per_blob_gas: fees.max_fee_per_blob_gas,
                    input: call.input.clone(),
                };
                let signature = sign(&tx.signature_hash())?;
                TxEnvelope::from(tx.into_signed(signature))
            }
        };
        let (hash, raw) = (*envelope.tx_hash(), envelope.encoded_2718().into());
        let blobs = sidecar.map_or(0, |sidecar| sidecar.blobs.len());
        Ok(Self { hash, nonce, call, gas_limit, fees, blobs, raw })
    }

    /// Most that the transaction can take from its account, in wei.
    pub fn worst_cost(&self) -> U256 {
        self.call.value + self.fees.worst_cost(self.gas_limit, self.blobs)
    }

    /// Whether it is a call or a blob transaction.
    pub const fn tx_type(&self) -> TxType {
        if self.blobs > 0 { TxType::Blobs } else { TxType::Call }
    }

    /// Whether the transaction commits to these blobs.
    pub(crate) fn commits_to(&self, sidecar: &BlobTransactionSidecarEip7594) -> bool {
        let envelope = TxEnvelope::decode_2718_exact(&self.raw).ok();
        let hashes = envelope.as_ref().and_then(|tx| tx.blob_versioned_hashes());
        hashes.is_some_and(|hashes| sidecar.versioned_hashes().eq(hashes.iter().copied()))
    }

    /// A blob transaction as it travels between nodes.
    pub(crate) fn with_sidecar(
        &self,
        sidecar: &BlobTransactionSidecarEip7594,
    ) -> Result<Vec<u8>, L1Error> {
        let foreign = || L1Error::Inconsistent("not a blob transaction".to_owned());
        let envelope = TxEnvelope::decode_2718_exact(&self.raw).map_err(|_| foreign())?;
        let TxEnvelope::Eip4844(signed) = envelope else { return Err(foreign()) };
        let (tx, signature, hash) = signed.into_parts();
        let TxEip4844Variant::TxEip4844(tx) = tx else { return Err(foreign()) };
        let tx = TxEip4844WithSidecar::from_tx_and_sidecar(tx, sidecar.clone());
        Ok(Signed::new_unchecked(tx, signature, hash).encoded_2718())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(sidecar: Option<&BlobTransactionSidecarEip7594>) -> (PrivateKeySigner, SignedTx) {
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key");
        let call =
            Call { to: Address::ZERO, value: U256::from(3), input: Bytes::from_static(b"x") };
        let fees =
            Fees { max_fee_per_gas: 9, max_priority_fee_per_gas: 2, max_fee_per_blob_gas: 0 };
        let fees = Fees { max_fee_per_blob_gas: sidecar.map_or(0, |_| 5), ..fees };
        let tx = SignedTx::sign(&key, 1, call, sidecar, 7, 21_000, fees).expect("signs");
        (key, tx)
    }

    #[test]
    fn signed_transactions_decode_to_the_same() {
        let sidecar = BlobTransactionSidecarEip7594 {
            blobs: vec![Default::default()],
            commitments: vec![Default::default()],
            cell_proofs: Vec::new(),
        };
        for sidecar in [None, Some(&sidecar)] {
            let (key, tx) = signed(sidecar);
            assert_eq!(SignedTx::decode(tx.raw.clone(), key.address()), Some(tx.clone()));
            assert_eq!(SignedTx::decode(tx.raw.clone(), Address::ZERO), None, "another signer");
            assert_eq!(tx.tx_type(), if sidecar.is_some() { TxType::Blobs } else { TxType::Call });
        }
    }
}
