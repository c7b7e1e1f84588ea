//! Hashes many messages at once.

use std::borrow::Borrow;

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::B256;
use turnpike_executor::ExecutedTx;
use turnpike_keccak::keccak256_many;

/// Keccak-256 of each message, in order.
pub fn hash_all<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    let messages: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
    let mut hashes = vec![[0; 32]; messages.len()];
    keccak256_many(&messages, &mut hashes);
    hashes.into_iter().map(B256::new).collect()
}

/// Keccak-256 of the EIP-2718 bytes of each transaction's receipt, in order.
pub fn receipt_hashes<T: Borrow<ExecutedTx>>(txs: &[T]) -> Vec<B256> {
    let encoded: Vec<_> =
        txs.iter().map(|tx| tx.borrow().receipt.envelope.encoded_2718()).collect();
    hash_all(&encoded)
}
