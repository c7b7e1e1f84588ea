use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use revm::context::TxEnv;
use turnpike_protocol::SignedTx;

/// Most that a transaction pays for gas, in wei.
const FEE_MAX: u128 = 1_000_000_000;

/// What it pays on top of the base fee: the beneficiary's balance changes with every transaction.
const TIP: u128 = 100_000;

/// A transaction of a workload, from a sender that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who sends it.
    pub sender: Address,
    /// Its place among the sender's.
    pub nonce: u64,
    /// Who is called.
    pub to: Address,
    /// Wei that it carries.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
}

impl Transaction {
    /// As plain revm takes it.
    pub(crate) fn env(&self, chain_id: u64) -> TxEnv {
        TxEnv {
            tx_type: 2,
            caller: self.sender,
            gas_limit: self.gas_limit,
            gas_price: FEE_MAX,
            gas_priority_fee: Some(TIP),
            kind: TxKind::Call(self.to),
            value: self.value,
            data: self.data.clone(),
            nonce: self.nonce,
            chain_id: Some(chain_id),
            ..TxEnv::default()
        }
    }

    /// As Turnpike takes it once its sender is recovered, under a signature that is not the sender's.
    pub(crate) fn signed(&self, chain_id: u64) -> SignedTx {
        let tx = TxEip1559 {
            chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: FEE_MAX,
            max_priority_fee_per_gas: TIP,
            to: TxKind::Call(self.to),
            value: self.value,
            input: self.data.clone(),
            ..TxEip1559::default()
        };
        let tx = tx.into_signed(Signature::test_signature());
        // Admission knows the hash long before execution.
        tx.hash();
        SignedTx::new_unchecked(tx.into(), self.sender)
    }
}
