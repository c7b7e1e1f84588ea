//! User transactions: decoding, signers and signature rules.

use alloc::{sync::Arc, vec::Vec};

use alloy_consensus::Transaction as _;
use alloy_eips::{
    eip2718::{Decodable2718 as _, Encodable2718 as _},
    eip7702::SignedAuthorization,
};
use alloy_primitives::{Address, B256, Signature, U256, uint};

use crate::{L1Fee, TxEnvelope};

/// Order of the secp256k1 group.
const SECP256K1_N: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Why bytes are not a transaction of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxDecodeError {
    /// No bytes.
    #[error("empty transaction bytes")]
    Empty,
    /// Not the canonical encoding of a transaction.
    #[error("rlp: {0}")]
    Malformed(alloc::string::String),
    /// Bytes follow the transaction.
    #[error("rlp: {0} trailing bytes after the transaction")]
    Trailing(usize),
    /// The type is not supported: blobs, deposits outside the L1 queue, unknown types.
    #[error("transaction type not supported")]
    UnsupportedType(u8),
}

/// Why a signature has no signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `r` or `s` is zero or not below the group order, or `s` is in the upper half (EIP-2).
    #[error("invalid transaction v, r, s values")]
    OutOfRange,
    /// No public key fits the signature.
    #[error("invalid transaction signature")]
    NoSigner,
    /// A deposit carries no signature.
    #[error("transaction type not supported")]
    Unsigned,
}

/// Decodes a user's transaction from its EIP-2718 bytes: legacy, 2930, 1559 or 7702.
pub fn decode_transaction(bytes: &[u8]) -> Result<TxEnvelope, TxDecodeError> {
    match bytes.first() {
        None => return Err(TxDecodeError::Empty),
        Some(1 | 2 | 4 | 0xc0..) => {}
        Some(&other) => return Err(TxDecodeError::UnsupportedType(other)),
    }
    let mut rest = bytes;
    let tx = TxEnvelope::decode_2718(&mut rest)
        .map_err(|error| TxDecodeError::Malformed(alloc::format!("{error}")))?;
    if !rest.is_empty() {
        return Err(TxDecodeError::Trailing(rest.len()));
    }
    Ok(tx)
}

/// A transaction with its signer and its size, which are computed once. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx(Arc<Known>);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    envelope: TxEnvelope,
    signer: Result<Address, SignatureError>,
    data_size: u64,
}

impl SignedTx {
    /// Recovers the signer.
    pub fn recover(envelope: TxEnvelope) -> Self {
        Self::recover_with(envelope, &mut ecrecover)
    }

    /// Recovers the signer with another implementation of [`ecrecover`]. The signature's ranges are
    /// checked before any backend sees it, so that all backends agree.
    pub fn recover_with(
        envelope: TxEnvelope,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> Self {
        let signer = recover_signer(&envelope, recover);
        Self::new(envelope, signer)
    }

    /// The transaction with the result of [`ecrecover`] on its signature, computed elsewhere. The
    /// signature's ranges are checked here. `encoded` holds the transaction's EIP-2718 bytes.
    pub fn with_recovered(
        envelope: TxEnvelope,
        recovered: Option<Address>,
        encoded: &[u8],
    ) -> Self {
        let signer = signature_of(&envelope)
            .and_then(check_ranges)
            .and_then(|()| recovered.ok_or(SignatureError::NoSigner));
        Self::new_encoded(envelope, signer, encoded)
    }

    fn new(envelope: TxEnvelope, signer: Result<Address, SignatureError>) -> Self {
        let encoded = envelope.encoded_2718();
        Self::new_encoded(envelope, signer, &encoded)
    }

    fn new_encoded(
        envelope: TxEnvelope,
        signer: Result<Address, SignatureError>,
        encoded: &[u8],
    ) -> Self {
        Self(Arc::new(Known { envelope, signer, data_size: L1Fee::size_of(encoded) }))
    }

    /// Trusts the given sender and does not read the signature. For measurements and tests of later
    /// stages. Submissions of users go through [`Self::recover`].
    pub fn new_unchecked(envelope: TxEnvelope, sender: Address) -> Self {
        Self::new(envelope, Ok(sender))
    }

    /// The transaction.
    pub fn envelope(&self) -> &TxEnvelope {
        &self.0.envelope
    }

    /// The signer, or why the transaction has none.
    pub fn signer(&self) -> Result<Address, SignatureError> {
        self.0.signer
    }

    /// The hash of the transaction.
    pub fn hash(&self) -> B256 {
        self.envelope().tx_hash()
    }

    /// The nonce of the transaction.
    pub fn nonce(&self) -> u64 {
        self.envelope().nonce()
    }

    /// The transaction's size for the L1 data fee, in millionths of a byte.
    pub fn data_size(&self) -> u64 {
        self.0.data_size
    }

    /// The transaction's EIP-2718 bytes.
    pub fn encoded(&self) -> Vec<u8> {
        self.envelope().encoded_2718()
    }
}

/// Input of the ecrecover precompile: digest, `v` (27 or 28), `r` and `s`, 32 bytes each.
pub type EcrecoverInput = [u8; 128];

const WORD_BYTES: usize = 32;
/// `v` of a public key with an even y coordinate.
const V_EVEN: u8 = 27;
/// `v` of a public key with an odd y coordinate.
const V_ODD: u8 = 28;

/// The address of the key that made a signature. It is the result of the `ecrecover` precompile,
/// computed natively. `None` if the precompile's output is empty.
pub fn ecrecover(input: &EcrecoverInput) -> Option<Address> {
    let [digest, v, r, s] = [0, 1, 2, 3].map(|word| {
        let bytes: [u8; WORD_BYTES] = core::array::from_fn(|at| input[word * WORD_BYTES + at]);
        B256::from(bytes)
    });
    let odd = B256::with_last_byte(V_ODD);
    if v != odd && v != B256::with_last_byte(V_EVEN) {
        return None;
    }
    let signature = Signature::new(r.into(), s.into(), v == odd);
    alloy_consensus::crypto::secp256k1::recover_signer_unchecked(&signature, digest).ok()
}

fn ecrecover_input(signature: &Signature, digest: B256) -> EcrecoverInput {
    let v = B256::with_last_byte(if signature.v() { V_ODD } else { V_EVEN });
    let words = [digest, v, signature.r().into(), signature.s().into()];
    core::array::from_fn(|at| words[at / WORD_BYTES][at % WORD_BYTES])
}

fn recover_signer(
    envelope: &TxEnvelope,
    recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
) -> Result<Address, SignatureError> {
    let digest = match envelope {
        TxEnvelope::Legacy(tx) => tx.signature_hash(),
        TxEnvelope::Eip2930(tx) => tx.signature_hash(),
        TxEnvelope::Eip1559(tx) => tx.signature_hash(),
        TxEnvelope::Eip7702(tx) => tx.signature_hash(),
        TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_) => return Err(SignatureError::Unsigned),
    };
    recover_address(signature_of(envelope)?, digest, recover)
}

const fn signature_of(envelope: &TxEnvelope) -> Result<&Signature, SignatureError> {
    match envelope {
        TxEnvelope::Legacy(tx) => Ok(tx.signature()),
        TxEnvelope::Eip2930(tx) => Ok(tx.signature()),
        TxEnvelope::Eip1559(tx) => Ok(tx.signature()),
        TxEnvelope::Eip7702(tx) => Ok(tx.signature()),
        TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_) => Err(SignatureError::Unsigned),
    }
}

/// Checks a signature's ranges by the rules of transactions (EIP-2).
fn check_ranges(signature: &Signature) -> Result<(), SignatureError> {
    let in_range = |value: U256| !value.is_zero() && value < SECP256K1_N;
    if !in_range(signature.r())
        || !in_range(signature.s())
        || signature.s() > alloy_consensus::crypto::SECP256K1N_HALF
    {
        return Err(SignatureError::OutOfRange);
    }
    Ok(())
}

/// The address of the key that made `signature` over `digest`, by the rules of transactions
/// (EIP-2).
fn recover_address(
    signature: &Signature,
    digest: B256,
    recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
) -> Result<Address, SignatureError> {
    check_ranges(signature)?;
    recover(&ecrecover_input(signature, digest)).ok_or(SignatureError::NoSigner)
}

/// The account that signed an EIP-7702 authorization. `None` means that the authorization is void.
pub fn recover_authority(authorization: &SignedAuthorization) -> Option<Address> {
    recover_authority_with(authorization, &mut ecrecover)
}

/// [`recover_authority`] with another implementation of [`ecrecover`].
pub fn recover_authority_with(
    authorization: &SignedAuthorization,
    recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
) -> Option<Address> {
    let signature = authorization.signature().ok()?;
    recover_address(&signature, authorization.signature_hash(), recover).ok()
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEip1559, TxLegacy};
    use alloy_primitives::{Bytes, TxKind};

    use super::*;

    /// The first of the well-known development accounts.
    const KEY: [u8; 32] =
        alloy_primitives::hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    const ACCOUNT: Address = alloy_primitives::address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

    fn signed(tx: TxEip1559) -> TxEnvelope {
        let signature =
            alloy_consensus::crypto::secp256k1::sign_message(B256::from(KEY), tx.signature_hash())
                .expect("signs");
        tx.into_signed(signature).into()
    }

    #[test]
    fn transaction_decodes_and_recovers_its_signer() {
        let tx = signed(TxEip1559 { chain_id: 4242, to: TxKind::Create, ..Default::default() });
        let decoded = decode_transaction(&tx.encoded_2718()).expect("decodes");
        assert_eq!(decoded, tx);
        assert_eq!(SignedTx::recover(decoded).signer(), Ok(ACCOUNT));
    }

    #[test]
    fn bytes_of_other_transactions_are_rejected() {
        assert_eq!(decode_transaction(&[]), Err(TxDecodeError::Empty));
        for kind in [0u8, 3, 5, 0x7d, 0x7e, 0x7f] {
            assert_eq!(
                decode_transaction(&[kind, 0xc0]),
                Err(TxDecodeError::UnsupportedType(kind))
            );
        }
        assert!(matches!(decode_transaction(&[0xff; 40]), Err(TxDecodeError::Malformed(_))));
        let mut bytes = signed(TxEip1559::default()).encoded_2718();
        bytes.push(0);
        assert!(decode_transaction(&bytes).is_err());
        let mut bytes = TxLegacy { input: Bytes::from_static(&[1; 60]), ..Default::default() }
            .into_signed(Signature::test_signature())
            .encoded_2718();
        bytes.push(7);
        assert_eq!(decode_transaction(&bytes), Err(TxDecodeError::Trailing(1)));
    }

    #[test]
    fn signature_ranges_are_checked_before_recovery() {
        let digest = B256::repeat_byte(1);
        let high_s = SECP256K1_N - U256::from(1);
        for (r, s) in [
            (U256::ZERO, U256::from(1)),
            (U256::from(1), U256::ZERO),
            (SECP256K1_N, U256::from(1)),
            (U256::from(1), high_s),
            (U256::from(1), SECP256K1_N),
        ] {
            let signature = Signature::new(r, s, false);
            let mut never = |_: &EcrecoverInput| panic!("out of range: no backend sees it");
            assert_eq!(
                recover_address(&signature, digest, &mut never),
                Err(SignatureError::OutOfRange)
            );
        }
        // No point of the curve has x = 5.
        let signature = Signature::new(U256::from(5), U256::from(1), false);
        assert_eq!(
            recover_address(&signature, digest, &mut ecrecover),
            Err(SignatureError::NoSigner)
        );
    }

    #[test]
    fn backend_receives_the_precompiles_input() {
        let tx = signed(TxEip1559 { chain_id: 4242, ..Default::default() });
        let TxEnvelope::Eip1559(inner) = &tx else { unreachable!() };
        let (digest, signature) = (inner.signature_hash(), *inner.signature());
        let mut asked = Vec::new();
        let elsewhere = Address::repeat_byte(7);
        let recovered = SignedTx::recover_with(tx, &mut |input| {
            asked.push(*input);
            Some(elsewhere)
        });
        assert_eq!(recovered.signer(), Ok(elsewhere));
        let v = B256::with_last_byte(27 + u8::from(signature.v()));
        let (r, s) = (B256::from(signature.r()), B256::from(signature.s()));
        assert_eq!(
            asked.iter().flatten().copied().collect::<Vec<u8>>(),
            [digest, v, r, s].concat()
        );
        assert_eq!(ecrecover(&asked[0]), Some(ACCOUNT));
        // `v` is a whole word, so its upper bytes count.
        let mut foreign = asked[0];
        foreign[40] = 1;
        assert_eq!(ecrecover(&foreign), None);
        foreign = asked[0];
        foreign[63] = 29;
        assert_eq!(ecrecover(&foreign), None);
    }
}
