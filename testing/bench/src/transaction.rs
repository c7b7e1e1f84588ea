//! Transactions of made workloads.

use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use turnpike_executor::BlockTx;
use turnpike_protocol::SignedTx;

/// Maximum fee per gas, in wei.
const FEE_MAX: u128 = 1_000_000_000;

/// Priority fee per gas, in wei: every transaction changes the beneficiary's balance.
const TIP: u128 = 100_000;

/// An unsigned transaction of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Sender.
    pub(crate) sender: Address,
    /// Nonce.
    pub(crate) nonce: u64,
    /// Recipient.
    pub(crate) to: Address,
    /// Value, in wei.
    pub(crate) value: U256,
    /// Calldata.
    pub(crate) data: Bytes,
    /// Gas limit.
    pub(crate) gas_limit: u64,
}

impl Transaction {
    /// Turnpike's transaction with a recovered sender and a dummy signature.
    pub(crate) fn signed(self, chain_id: u64) -> BlockTx {
        let tx = TxEip1559 {
            chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: FEE_MAX,
            max_priority_fee_per_gas: TIP,
            to: TxKind::Call(self.to),
            value: self.value,
            input: self.data,
            ..TxEip1559::default()
        };
        let tx = tx.into_signed(Signature::test_signature());
        // Computes the hash now, as admission does.
        tx.hash();
        BlockTx::User(SignedTx::new_unchecked(tx.into(), self.sender))
    }
}
