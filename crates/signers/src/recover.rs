//! Recovers signers: of envelopes, of transactions, of blocks.

use alloy_consensus::{SignableTransaction, Signed};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Signature as Proof};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use turnpike_ecrecover::{Signature, recover_many};
use turnpike_protocol::{BlockInput, SignedTx, TxEnvelope};

use crate::messages::Messages;

/// Maximum number of transactions that one thread recovers together. More would not make SIMD lanes
/// faster.
pub const CHUNK_TRANSACTIONS_MAX: usize = 256;

/// Recovers the signers of blocks. The transactions of all blocks share SIMD lanes and threads.
pub fn recover_blocks(mut blocks: Vec<BlockInput<TxEnvelope>>) -> Vec<BlockInput> {
    let counts: Vec<_> = blocks.iter().map(|block| block.transactions.len()).collect();
    let envelopes = blocks.iter_mut().flat_map(|block| std::mem::take(&mut block.transactions));
    let mut recovered = recover_all(envelopes.collect()).into_iter();
    let recover = |(block, count): (BlockInput<TxEnvelope>, usize)| {
        block.with_transactions(recovered.by_ref().take(count).collect())
    };
    blocks.into_iter().zip(counts).map(recover).collect()
}

/// Recovers the signers of transactions, in order.
pub fn recover_all(envelopes: Vec<TxEnvelope>) -> Vec<SignedTx> {
    if envelopes.len() <= CHUNK_TRANSACTIONS_MAX {
        return recover_chunk(envelopes);
    }
    let chunks = envelopes.into_par_iter().chunks(CHUNK_TRANSACTIONS_MAX);
    let recovered: Vec<_> = chunks.map(recover_chunk).collect();
    recovered.into_iter().flatten().collect()
}

/// Each transaction is encoded once, for its hash and its size.
fn recover_chunk(envelopes: Vec<TxEnvelope>) -> Vec<SignedTx> {
    let mut encoded = Messages::default();
    for envelope in &envelopes {
        encoded.push(|out| envelope.encode_2718(out));
    }
    let known = encoded.hashes().into_iter().zip(signers(envelopes.iter()));
    let transactions = envelopes.into_iter().zip(encoded.iter()).zip(known);
    let recovered = transactions.map(|((envelope, encoded), (hash, signer))| {
        SignedTx::with_recovered(with_hash(envelope, hash), signer, encoded)
    });
    recovered.collect()
}

/// The recovered signer of each transaction, in order; `None` for a transaction without a
/// signature. [`SignedTx::with_recovered`] applies the rules about the signature's range.
pub fn signers<'a>(
    envelopes: impl Iterator<Item = &'a TxEnvelope>,
) -> std::vec::IntoIter<Option<Address>> {
    let (mut messages, mut proofs) = (Messages::default(), Vec::new());
    let is_signed: Vec<_> = envelopes
        .map(|envelope| {
            let proof = push_signed(envelope, &mut messages);
            proofs.extend(proof);
            proof.is_some()
        })
        .collect();
    let signature = |(hash, proof): (B256, &Proof)| Signature {
        hash,
        r: proof.r(),
        s: proof.s(),
        is_odd: proof.v(),
    };
    let signatures: Vec<_> = messages.hashes().into_iter().zip(&proofs).map(signature).collect();
    let mut found = recover_many(&signatures).into_iter();
    let signer = |is_signed: bool| if is_signed { found.next().flatten() } else { None };
    is_signed.into_iter().map(signer).collect::<Vec<_>>().into_iter()
}

/// Appends the message that the transaction's signature signs, and returns the signature.
fn push_signed(envelope: &TxEnvelope, messages: &mut Messages) -> Option<Proof> {
    fn push<T: SignableTransaction<Proof>>(tx: &Signed<T>, messages: &mut Messages) -> Proof {
        messages.push(|out| tx.tx().encode_for_signing(out));
        *tx.signature()
    }
    match envelope {
        TxEnvelope::Legacy(tx) => Some(push(tx, messages)),
        TxEnvelope::Eip2930(tx) => Some(push(tx, messages)),
        TxEnvelope::Eip1559(tx) => Some(push(tx, messages)),
        TxEnvelope::Eip7702(tx) => Some(push(tx, messages)),
        TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_) => None,
    }
}

/// A transaction with its known hash, which is not computed again.
pub fn with_hash(envelope: TxEnvelope, hash: B256) -> TxEnvelope {
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

#[cfg(test)]
mod tests {
    use alloy_consensus::{
        Transaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy,
        crypto::secp256k1::sign_message,
    };
    use alloy_eips::eip7702::Authorization;
    use alloy_primitives::{Bytes, U256, uint};
    use op_alloy_consensus::TxDeposit;
    use turnpike_protocol::{Origin, SignatureError, recover_authority};
    use turnpike_random::Rng;

    use super::*;

    const ORDER: U256 =
        uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

    fn sign<T: SignableTransaction<Proof>>(tx: T, key: u8) -> Signed<T> {
        let proof = sign_message(B256::repeat_byte(key), tx.signature_hash()).expect("is a key");
        tx.into_signed(proof)
    }

    fn authorization(key: u8) -> alloy_eips::eip7702::SignedAuthorization {
        let unsigned =
            Authorization { chain_id: U256::from(4242), address: Address::ZERO, nonce: 0 };
        let proof = sign_message(B256::repeat_byte(key), unsigned.signature_hash()).expect("signs");
        unsigned.into_signed(proof)
    }

    /// A legacy transaction whose signature is changed.
    fn changed(nonce: u64, key: u8, change: impl Fn(Proof) -> Proof) -> TxEnvelope {
        let (tx, proof, _) = sign(TxLegacy { nonce, ..Default::default() }, key).into_parts();
        tx.into_signed(change(proof)).into()
    }

    const KINDS: u8 = 17;

    /// A transaction of each type, or with one kind of fault.
    fn envelope(kind: u8, nonce: u64, key: u8, input: Bytes) -> TxEnvelope {
        let one = U256::from(1);
        let raw = |r, s| changed(nonce, key, move |_| Proof::new(r, s, nonce % 2 == 1));
        match kind % KINDS {
            0 => sign(TxLegacy { nonce, input, ..Default::default() }, key).into(),
            // Protected by EIP-155.
            1 => sign(TxLegacy { chain_id: Some(4242), nonce, input, ..Default::default() }, key)
                .into(),
            2 => sign(TxEip2930 { nonce, input, ..Default::default() }, key).into(),
            3 => {
                let authorization_list = vec![authorization(key)];
                sign(TxEip7702 { nonce, authorization_list, ..Default::default() }, key).into()
            }
            4 => TxEnvelope::Deposit(alloy_consensus::Sealed::new(TxDeposit::default())),
            // The upper half of the range of `s`.
            5 => changed(nonce, key, |it| Proof::new(it.r(), ORDER - it.s(), !it.v())),
            6 => changed(nonce, key, |it| Proof::new(it.r(), it.s(), !it.v())),
            7 => raw(one, U256::MAX >> 1),
            // No point of the curve has x = 5.
            8 => raw(U256::from(5), one),
            9 => raw(U256::ZERO, one),
            10 => raw(one, U256::ZERO),
            11 => raw(ORDER, one),
            12 => raw(one, ORDER),
            13 => raw(U256::MAX, U256::MAX),
            14 => raw(ORDER - one, one),
            _ => sign(TxEip1559 { nonce, input, ..Default::default() }, key).into(),
        }
    }

    /// Transactions of every kind in turn.
    fn envelopes(count: u8) -> Vec<TxEnvelope> {
        (0..count).map(|at| envelope(at, u64::from(at), at % 250 + 1, Bytes::new())).collect()
    }

    fn assert_same(many: &[SignedTx], envelopes: Vec<TxEnvelope>) {
        assert_eq!(many.len(), envelopes.len());
        for (found, envelope) in many.iter().zip(envelopes) {
            let expected = SignedTx::recover(envelope);
            assert_eq!(*found, expected);
            assert_eq!((found.hash(), found.data_size()), (expected.hash(), expected.data_size()));
        }
    }

    #[test]
    fn with_hash_keeps_the_given_hash() {
        for envelope in envelopes(KINDS) {
            let hash = alloy_primitives::keccak256(envelope.encoded_2718());
            let given = with_hash(envelope.clone(), hash);
            assert_eq!((given.tx_hash(), &given), (hash, &envelope));
        }
    }

    #[test]
    fn batch_recovery_matches_single_recovery() {
        for count in [0, 1, 2, 9, 16, 17, 80, 255] {
            let envelopes = envelopes(count);
            let many = recover_all(envelopes.clone());
            assert_same(&many, envelopes);
            if count >= KINDS {
                let has = |fault| many.iter().any(|tx| tx.signer() == Err(fault));
                assert!(has(SignatureError::OutOfRange) && has(SignatureError::NoSigner));
                assert!(has(SignatureError::Unsigned));
                let delegations = many[3].envelope().authorization_list().expect("its type");
                let authority = recover_authority(&delegations[0]);
                assert_eq!(authority, many[3].signer().ok(), "left to execution");
            }
        }
    }

    /// Blocks of random transactions, a few of them longer than a chunk.
    #[test]
    fn blocks_keep_their_transactions_and_signers() {
        let mut random = Rng::new(7);
        for round in 0..4 {
            let blocks: Vec<_> = (0..random.between(0, 6))
                .map(|number| {
                    let count = random.pick(&[0, 1, 7, 300]);
                    let transactions = (0..count).map(|nonce| {
                        let [kind, key, length] = [255, 250, 200].map(|end| random.byte(end));
                        let input = vec![kind ^ key; usize::from(length)].into();
                        envelope(kind, nonce, key + 1, input)
                    });
                    let transactions = transactions.collect();
                    BlockInput {
                        number,
                        time_ms: round,
                        origin: Origin::default(),
                        deposits: envelopes(2),
                        transactions,
                    }
                })
                .collect();
            let expected = blocks.clone();
            let recovered = recover_blocks(blocks);
            assert_eq!(recovered.len(), expected.len());
            for (found, expected) in recovered.iter().zip(expected) {
                assert_same(&found.transactions, expected.transactions.clone());
                assert_eq!(*found, expected.map_transactions(SignedTx::recover));
            }
        }
    }
}
