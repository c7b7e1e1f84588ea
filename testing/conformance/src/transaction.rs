//! The transactions that the suites execute.

use alloy_consensus::{Transaction as _, TxEip4844};
use alloy_primitives::{Address, B256};
use turnpike_executor::{BlockTransaction, BlockTx, PlainTransfer, SkipReason, TxEnv};
use turnpike_protocol::EcrecoverInput;

/// EIP-2718 type of a blob transaction (EIP-4844).
pub(crate) const BLOB: u8 = 3;

/// EIP-2718 type of the OP stack's deposits.
pub(crate) const DEPOSIT: u8 = 0x7e;

/// A transaction of a test: one that a Turnpike block can hold, or a blob transaction.
#[derive(Clone, Debug)]
pub enum TestTransaction {
    /// A transaction that the product decodes.
    Product(BlockTx),
    /// A blob transaction: the product does not decode it, but its executor runs it.
    Blob {
        /// Fields.
        tx: Box<TxEip4844>,
        /// Sender.
        sender: Address,
        /// Hash; zero without a signature.
        hash: B256,
    },
}

impl TestTransaction {
    /// EIP-2718 type.
    pub(crate) fn tx_type(&self) -> u8 {
        match self {
            Self::Product(tx) => tx.envelope().tx_type().into(),
            Self::Blob { .. } => BLOB,
        }
    }
}

impl BlockTransaction for TestTransaction {
    fn sender(&self) -> Result<Address, SkipReason> {
        match self {
            Self::Product(tx) => tx.sender(),
            Self::Blob { sender, .. } => Ok(*sender),
        }
    }

    fn tx_env(
        &self,
        sender: Address,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> TxEnv {
        match self {
            Self::Product(tx) => tx.tx_env(sender, recover),
            Self::Blob { tx, .. } => TxEnv {
                tx_type: BLOB,
                caller: sender,
                gas_limit: tx.gas_limit,
                gas_price: tx.max_fee_per_gas,
                kind: tx.kind(),
                value: tx.value,
                data: tx.input.clone(),
                nonce: tx.nonce,
                chain_id: Some(tx.chain_id),
                access_list: tx.access_list.clone(),
                gas_priority_fee: Some(tx.max_priority_fee_per_gas),
                blob_hashes: tx.blob_versioned_hashes.clone(),
                max_fee_per_blob_gas: tx.max_fee_per_blob_gas,
                ..TxEnv::default()
            },
        }
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        match self {
            Self::Product(tx) => tx.call(),
            Self::Blob { .. } => None,
        }
    }

    fn gas_limit(&self) -> u64 {
        match self {
            Self::Product(tx) => tx.gas_limit(),
            Self::Blob { tx, .. } => tx.gas_limit,
        }
    }

    fn access_list(&self) -> Option<&alloy_eips::eip2930::AccessList> {
        match self {
            Self::Product(tx) => tx.access_list(),
            Self::Blob { tx, .. } => Some(&tx.access_list),
        }
    }

    fn plain_transfer(&self) -> Option<PlainTransfer> {
        match self {
            Self::Product(tx) => tx.plain_transfer(),
            Self::Blob { .. } => None,
        }
    }

    fn hash(&self) -> B256 {
        match self {
            Self::Product(tx) => tx.hash(),
            Self::Blob { hash, .. } => *hash,
        }
    }

    fn mint(&self) -> Option<u128> {
        match self {
            Self::Product(tx) => tx.mint(),
            Self::Blob { .. } => None,
        }
    }

    fn data_size(&self) -> u64 {
        match self {
            Self::Product(tx) => tx.data_size(),
            Self::Blob { .. } => 0,
        }
    }
}
