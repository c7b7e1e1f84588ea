//! Recovers the signers of many transactions at once.

use alloy_consensus::{SignableTransaction as _, Signed};
use alloy_primitives::{Address, B256, Signature as Proof};
use turnpike_ecrecover::{Signature, recover_many};
use turnpike_protocol::{SignedTx, TxEnvelope};

use crate::hashes::hash_all;

/// A transaction with its known hash, which is not computed again.
pub(crate) fn with_hash(envelope: TxEnvelope, hash: B256) -> TxEnvelope {
    fn signed<T>(tx: Signed<T>, hash: B256) -> Signed<T> {
        let signature = *tx.signature();
        Signed::new_unchecked(tx.strip_signature(), signature, hash)
    }
    match envelope {
        TxEnvelope::Legacy(tx) => TxEnvelope::Legacy(signed(tx, hash)),
        TxEnvelope::Eip2930(tx) => TxEnvelope::Eip2930(signed(tx, hash)),
        TxEnvelope::Eip1559(tx) => TxEnvelope::Eip1559(signed(tx, hash)),
        TxEnvelope::Eip7702(tx) => TxEnvelope::Eip7702(signed(tx, hash)),
        unsigned @ (TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_)) => unsigned,
    }
}

/// The recovered signer of each transaction, in order; `None` for a transaction without a
/// signature.
pub(crate) fn signers<'a>(
    envelopes: impl Iterator<Item = &'a TxEnvelope>,
) -> std::vec::IntoIter<Option<Address>> {
    let signed: Vec<_> = envelopes.map(signature).collect();
    let (messages, signatures): (Vec<_>, Vec<_>) = signed.iter().flatten().cloned().unzip();
    let signature = |(hash, signature): (B256, &Proof)| Signature {
        hash,
        r: signature.r(),
        s: signature.s(),
        is_odd: signature.v(),
    };
    let signatures: Vec<_> =
        hash_all(&messages).into_iter().zip(&signatures).map(signature).collect();
    let mut found = recover_many(&signatures).into_iter();
    let signer = |signed: Option<_>| signed.and_then(|_| found.next().flatten());
    signed.into_iter().map(signer).collect::<Vec<_>>().into_iter()
}

/// The transaction with its recovered signer. The rules about the signature's range apply here.
pub(crate) fn signed(envelope: TxEnvelope, signer: Option<Address>) -> SignedTx {
    SignedTx::recover_with(envelope, &mut |_| signer)
}

/// The signed hash and the signature.
fn signature(envelope: &TxEnvelope) -> Option<(Vec<u8>, Proof)> {
    match envelope {
        TxEnvelope::Legacy(tx) => Some((tx.tx().encoded_for_signing(), *tx.signature())),
        TxEnvelope::Eip2930(tx) => Some((tx.tx().encoded_for_signing(), *tx.signature())),
        TxEnvelope::Eip1559(tx) => Some((tx.tx().encoded_for_signing(), *tx.signature())),
        TxEnvelope::Eip7702(tx) => Some((tx.tx().encoded_for_signing(), *tx.signature())),
        TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{
        SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy,
        crypto::secp256k1::sign_message,
    };
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::U256;
    use op_alloy_consensus::TxDeposit;
    use turnpike_protocol::SignatureError;

    use super::*;

    fn sign<T: SignableTransaction<Proof>>(tx: T, key: u8) -> TxEnvelope
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let proof = sign_message(B256::repeat_byte(key), tx.signature_hash()).expect("is a key");
        tx.into_signed(proof).into()
    }

    /// Transactions of every type and with every kind of fault, so that each occurs at every
    /// position of a batch.
    fn envelopes(count: u8) -> Vec<TxEnvelope> {
        let one = U256::from(1);
        let unsigned = |r, s| TxLegacy::default().into_signed(Proof::new(r, s, false)).into();
        let of = |at: u8| {
            let (key, nonce) = (at + 1, u64::from(at));
            match at % 9 {
                0 => sign(TxLegacy { nonce, ..Default::default() }, key),
                1 => sign(TxEip2930 { nonce, ..Default::default() }, key),
                2 => sign(TxEip7702 { nonce, ..Default::default() }, key),
                3 => TxEnvelope::Deposit(alloy_consensus::Sealed::new(TxDeposit::default())),
                4 => unsigned(one, U256::MAX >> 1),
                5 => unsigned(U256::from(5), one),
                6 => unsigned(U256::ZERO, one),
                _ => sign(TxEip1559 { nonce, ..Default::default() }, key),
            }
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn with_hash_keeps_the_given_hash() {
        for envelope in envelopes(9) {
            let hash = alloy_primitives::keccak256(envelope.encoded_2718());
            let given = with_hash(envelope.clone(), hash);
            assert_eq!((given.tx_hash(), &given), (hash, &envelope));
        }
    }

    #[test]
    fn batch_recovery_matches_single_recovery() {
        for count in [0, 1, 2, 9, 80] {
            let envelopes = envelopes(count);
            let mut signers = signers(envelopes.iter());
            let many: Vec<_> = envelopes
                .iter()
                .map(|envelope| signed(envelope.clone(), signers.next().expect("one for each")))
                .collect();
            assert_eq!(signers.next(), None);
            let each: Vec<_> = envelopes.into_iter().map(SignedTx::recover).collect();
            assert_eq!(many, each);
            if count == 80 {
                let has = |fault| many.iter().any(|tx| tx.signer() == Err(fault));
                assert!(has(SignatureError::OutOfRange) && has(SignatureError::NoSigner));
                assert!(has(SignatureError::Unsigned));
            }
        }
    }
}
