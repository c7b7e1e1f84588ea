//! Decodes signed transactions and recovers their signers by the rules of a fork.

use alloy_consensus::{Signed, TxEnvelope as EthereumTx, TxLegacy, crypto::SECP256K1N_HALF};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Signature, U256, uint};
use turnpike_executor::BlockTx;
use turnpike_protocol::{SignedTx, TxEnvelope, decode_transaction};

use crate::{execute::Fork, transaction::TestTransaction};

/// Order of the secp256k1 group.
const SECP256K1_N: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Decodes EIP-2718 bytes and recovers the signer with the product's code.
///
/// The product starts with Osaka, so this function adds two older rules: before Spurious Dragon a
/// signature names no chain (EIP-155), and before Homestead `s` may be in the upper half (EIP-2).
pub(crate) fn decode(bytes: &[u8], fork: Fork) -> Result<SignedTx, String> {
    let envelope = decode_transaction(bytes).map_err(|error| error.to_string())?;
    if let TxEnvelope::Legacy(tx) = &envelope {
        if tx.tx().chain_id.is_some() && fork < Fork::SPURIOUS_DRAGON {
            return Err("the signature names a chain id".to_owned());
        }
        if let Some(low) = with_low_s(tx).filter(|_| fork < Fork::HOMESTEAD) {
            let signer = SignedTx::recover(low.into()).signer();
            let signer = signer.map_err(|error| error.to_string())?;
            return Ok(SignedTx::new_unchecked(envelope, signer));
        }
    }
    let tx = SignedTx::recover(envelope);
    tx.signer().map_err(|error| error.to_string())?;
    Ok(tx)
}

/// The transaction with the equivalent low-`s` signature, if its `s` is in the upper half.
fn with_low_s(tx: &Signed<TxLegacy>) -> Option<Signed<TxLegacy>> {
    let signature = tx.signature();
    let (r, s) = (signature.r(), signature.s());
    (s > SECP256K1N_HALF && s < SECP256K1_N).then(|| {
        let signature = Signature::new(r, SECP256K1_N - s, !signature.v());
        Signed::new_unhashed(tx.tx().clone(), signature)
    })
}

/// Converts a transaction of an Ethereum block for the executor. alloy recovers the signers of blob
/// transactions, which the product does not decode.
pub(crate) fn of_block(tx: EthereumTx, fork: Fork) -> Result<TestTransaction, String> {
    match tx {
        EthereumTx::Eip4844(signed) => {
            let sender = signed.recover_signer().map_err(|error| error.to_string())?;
            let hash = *signed.hash();
            Ok(TestTransaction::Blob {
                tx: Box::new(signed.strip_signature().into()),
                sender,
                hash,
            })
        }
        other => {
            let tx = decode(&other.encoded_2718(), fork)?;
            Ok(TestTransaction::Product(BlockTx::User(tx)))
        }
    }
}
