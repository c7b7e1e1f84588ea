//! Preconfirmations and the promises that sign them.
//!
//! A promise is signed as EIP-712 typed data, so that any wallet library can verify it:
//!
//! | | |
//! |---|---|
//! | domain | `name` "Turnpike", `version` "1", `chainId`, `salt`: the hash of the genesis block |
//! | type | `Preconfirmation(uint64 block,uint64 index,bytes32 transactionHash,bytes32 receiptHash)` |
//! | `receiptHash` | Keccak-256 of the receipt's EIP-2718 bytes, which are those in the sealed block's receipts root |
//!
//! The signer is the account that the genesis file names as `sequencer`.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use alloy::{
    signers::local::PrivateKeySigner,
    sol_types::{Eip712Domain, SolStruct as _},
};
use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_primitives::{Address, B64, B256, Signature, U256};
use turnpike_executor::ExecutedTx;
use turnpike_protocol::Genesis;
use turnpike_storage::TransactionTimes;

use crate::replay::outcome_of;

mod typed {
    alloy::sol! {
        struct Preconfirmation {
            uint64 block;
            uint64 index;
            bytes32 transactionHash;
            bytes32 receiptHash;
        }
    }
}

/// An executed transaction in a durable journal row. Its position and receipt are final unless L1
/// forces a reorg.
#[derive(Clone, Debug)]
pub struct Preconfirmation {
    /// The block that includes it.
    pub block: u64,
    /// Its position in the block, deposits included.
    pub index: u64,
    /// The transaction with its receipt.
    pub transaction: Arc<ExecutedTx>,
    receipt_hash: B256,
    received_ms: Option<u64>,
    /// Set once its row is durable.
    preconfirmed_ms: OnceLock<u64>,
}

impl Preconfirmation {
    /// An executed transaction at its position. `received_ms` is the time of its submission, in
    /// Unix milliseconds.
    pub(crate) const fn new(
        block: u64,
        index: u64,
        transaction: Arc<ExecutedTx>,
        receipt_hash: B256,
        received_ms: Option<u64>,
    ) -> Self {
        let preconfirmed_ms = OnceLock::new();
        Self { block, index, transaction, receipt_hash, received_ms, preconfirmed_ms }
    }

    /// Records that its row is durable and was written at `at_ms`, in Unix milliseconds.
    pub(crate) fn is_durable(&self, written_at_ms: u64) {
        let _ = self.preconfirmed_ms.set(written_at_ms);
    }

    /// Timestamps of its stages.
    pub fn times(&self) -> TransactionTimes {
        let preconfirmed_ms = self.preconfirmed_ms.get().copied();
        TransactionTimes { received_ms: self.received_ms, preconfirmed_ms }
    }

    /// The transaction's hash.
    pub fn hash(&self) -> B256 {
        self.transaction.envelope().tx_hash()
    }

    /// Keccak-256 of the receipt's EIP-2718 bytes.
    pub const fn receipt_hash(&self) -> B256 {
        self.receipt_hash
    }

    /// Its outcome in the journal.
    pub(crate) fn outcome(&self) -> B64 {
        outcome_of(Some(&self.receipt_hash))
    }

    /// The promise that a key signs.
    pub fn promise(&self) -> Promise {
        Promise {
            block: self.block,
            index: self.index,
            transaction_hash: self.hash(),
            receipt_hash: self.receipt_hash(),
        }
    }
}

/// The signed part of a preconfirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The block that includes the transaction.
    pub block: u64,
    /// The transaction's position in the block, deposits included.
    pub index: u64,
    /// The transaction's hash.
    pub transaction_hash: B256,
    /// Keccak-256 of the receipt's EIP-2718 bytes.
    pub receipt_hash: B256,
}

/// The EIP-712 domain of a chain's promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseDomain(Eip712Domain);

impl PromiseDomain {
    /// The domain of the chain with this id and genesis block.
    pub const fn new(chain_id: u64, genesis_hash: B256) -> Self {
        Self(Eip712Domain::new(
            Some(Cow::Borrowed("Turnpike")),
            Some(Cow::Borrowed("1")),
            Some(U256::from_limbs([chain_id, 0, 0, 0])),
            None,
            Some(genesis_hash),
        ))
    }

    /// The digest that the sequencer's key signs.
    pub fn signing_hash(&self, promise: &Promise) -> B256 {
        let Promise { block, index, transaction_hash, receipt_hash } = *promise;
        let typed = typed::Preconfirmation {
            block,
            index,
            transactionHash: transaction_hash,
            receiptHash: receipt_hash,
        };
        typed.eip712_signing_hash(&self.0)
    }

    /// Recovers the signer of a promise; `None` if the signature is invalid.
    pub fn signer(&self, promise: &Promise, signature: &Signature) -> Option<Address> {
        // A high `s` would be a second valid signature of the same promise.
        if signature.normalize_s().is_some() {
            return None;
        }
        signature.recover_address_from_prehash(&self.signing_hash(promise)).ok()
    }
}

/// Signs promises of one chain with the sequencer's key.
#[derive(Clone)]
pub struct PromiseSigner {
    domain: PromiseDomain,
    key: PrivateKeySigner,
}

impl PromiseSigner {
    /// Signs with `key` for the chain of `domain`.
    pub const fn new(domain: PromiseDomain, key: PrivateKeySigner) -> Self {
        Self { domain, key }
    }

    /// The signer for the chain of `genesis`, whose genesis block has this hash. Fails if the
    /// genesis names another account.
    pub fn of(
        genesis: &Genesis,
        genesis_hash: B256,
        key: PrivateKeySigner,
    ) -> Result<Self, WrongKey> {
        let found = key.address();
        match genesis.sequencer.filter(|expected| *expected != found) {
            Some(expected) => Err(WrongKey { expected, found }),
            None => {
                let domain = PromiseDomain::new(genesis.config.chain_id, genesis_hash);
                Ok(Self::new(domain, key))
            }
        }
    }

    /// The key's account.
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// Signs a promise.
    pub fn sign(&self, promise: &Promise) -> Signature {
        let digest = self.domain.signing_hash(promise);
        sign_message(self.key.to_bytes(), digest).expect("invariant: a key signs any digest")
    }
}

/// The key is not the one that the genesis names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sequencer's key is {found}'s: the genesis file expects preconfirmations signed by {expected}"
)]
pub struct WrongKey {
    /// The account that the genesis names.
    pub expected: Address,
    /// The key's account.
    pub found: Address,
}

impl fmt::Debug for PromiseSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PromiseSigner").field(&self.address()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256, hex, uint};

    use super::*;

    /// The eleventh well-known development account, which signs for `turnpike dev`.
    const KEY: B256 = b256!("f214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897");
    const ACCOUNT: Address = address!("BcD4042DE499D14e55001CcbB24a551F3b954096");

    /// Order of the secp256k1 group.
    const SECP256K1_N: U256 =
        uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

    fn domain() -> PromiseDomain {
        PromiseDomain::new(4242, B256::repeat_byte(0x11))
    }

    fn promise() -> Promise {
        Promise {
            block: 7,
            index: 3,
            transaction_hash: B256::repeat_byte(0x22),
            receipt_hash: B256::repeat_byte(0x33),
        }
    }

    fn key() -> PrivateKeySigner {
        PrivateKeySigner::from_bytes(&KEY).expect("is a key")
    }

    /// Made with viem's `hashTypedData` and `signTypedData`.
    #[test]
    fn promise_signature_matches_other_libraries() {
        let digest = b256!("e16fb73999e1925117c3bb36014e012ff605ab7af3c1d270feaa4bc71dd48104");
        assert_eq!(domain().signing_hash(&promise()), digest);
        let signature = PromiseSigner::new(domain(), key()).sign(&promise());
        assert_eq!(
            signature.as_bytes(),
            hex!(
                "040558c384afea96ee749c8c5a480777968b1caadab0fcf1e68b9bc6a90d6f40"
                "1360a7c2335d4195c6f1d2c7c4f378ab2966cbcc42fe3095c458cf0bdcda3269"
                "1b"
            )
        );
        assert_eq!(domain().signer(&promise(), &signature), Some(ACCOUNT));
    }

    #[test]
    fn promise_signature_covers_every_field() {
        let signature = PromiseSigner::new(domain(), key()).sign(&promise());
        let others = [
            Promise { block: 8, ..promise() },
            Promise { index: 4, ..promise() },
            Promise { transaction_hash: B256::ZERO, ..promise() },
            Promise { receipt_hash: B256::ZERO, ..promise() },
        ];
        for other in others {
            assert_ne!(domain().signer(&other, &signature), Some(ACCOUNT), "{other:?}");
        }
        for elsewhere in [
            PromiseDomain::new(4243, B256::repeat_byte(0x11)),
            PromiseDomain::new(4242, B256::ZERO),
        ] {
            assert_ne!(elsewhere.signer(&promise(), &signature), Some(ACCOUNT));
        }
        let twin = Signature::new(signature.r(), SECP256K1_N - signature.s(), !signature.v());
        assert_eq!(domain().signer(&promise(), &twin), None, "one signature, not two");
    }

    #[test]
    fn key_must_match_the_genesis() {
        let mut genesis = Genesis::dev();
        assert!(PromiseSigner::of(&genesis, B256::ZERO, key()).is_ok());
        genesis.sequencer = Some(ACCOUNT);
        assert!(PromiseSigner::of(&genesis, B256::ZERO, key()).is_ok());
        let expected = Address::repeat_byte(1);
        genesis.sequencer = Some(expected);
        let wrong = PromiseSigner::of(&genesis, B256::ZERO, key()).expect_err("another's");
        assert_eq!(wrong, WrongKey { expected, found: ACCOUNT });
    }
}
