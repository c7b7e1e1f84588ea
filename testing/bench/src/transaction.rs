use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use turnpike_executor::BlockTx;
use turnpike_protocol::SignedTx;

/// Most that a transaction pays for gas, in wei.
const FEE_MAX: u128 = 1_000_000_000;

/// What it pays on top of the base fee: the beneficiary's balance changes with every transaction.
const TIP: u128 = 100_000;

/// A transaction of a workload in the making, from a sender that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Who sends it.
    pub(crate) sender: Address,
    /// Its place among the sender's.
    pub(crate) nonce: u64,
    /// Who is called.
    pub(crate) to: Address,
    /// Wei that it carries.
    pub(crate) value: U256,
    /// Calldata.
    pub(crate) data: Bytes,
    /// Gas limit.
    pub(crate) gas_limit: u64,
}

impl Transaction {
    /// As Turnpike takes it once its sender is recovered, under a signature that is not the sender's.
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
        // Admission knows the hash long before execution.
        tx.hash();
        BlockTx::User(SignedTx::new_unchecked(tx.into(), self.sender))
    }
}
