//! The properties of a transaction that the executor needs.

use alloc::sync::Arc;

use alloy_consensus::Transaction as _;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256};
use revm::context::TxEnv;
use turnpike_protocol::{EcrecoverInput, SignatureError, SignedTx, TxEnvelope};

use crate::{PlainTransfer, SkipReason, env::tx_env};

/// The properties of a transaction that the executor needs.
pub trait BlockTransaction {
    /// Sender.
    fn sender(&self) -> Result<Address, SkipReason>;

    /// The transaction as revm takes it, sent by `sender`. `recover` recovers the signers of
    /// EIP-7702 authorizations and computes [`turnpike_protocol::ecrecover`].
    fn tx_env(
        &self,
        sender: Address,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> TxEnv;

    /// Callee and input. `None` for a creation.
    fn call(&self) -> Option<(Address, &[u8])>;

    /// The transaction as a plain transfer, if it only transfers ether.
    fn plain_transfer(&self) -> Option<PlainTransfer>;

    /// Gas limit.
    fn gas_limit(&self) -> u64;

    /// The accounts and slots of its access list (EIP-2930), if it has one.
    fn access_list(&self) -> Option<&AccessList>;

    /// Hash.
    fn hash(&self) -> B256;

    /// Wei minted for the sender, if the transaction is a deposit. Deposits were paid for on L1 and
    /// are never skipped.
    fn mint(&self) -> Option<u128>;

    /// Size that the L1 data fee is charged for.
    fn data_size(&self) -> u64;
}

/// A transaction of a Turnpike block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockTx {
    /// A deposit from L1.
    Deposit(Arc<TxEnvelope>),
    /// A user's transaction.
    User(SignedTx),
}

impl BlockTx {
    /// The transaction.
    pub fn envelope(&self) -> &TxEnvelope {
        match self {
            Self::Deposit(envelope) => envelope,
            Self::User(tx) => tx.envelope(),
        }
    }
}

impl BlockTransaction for BlockTx {
    fn sender(&self) -> Result<Address, SkipReason> {
        match self {
            Self::Deposit(envelope) => match envelope.as_deposit() {
                Some(deposit) => Ok(deposit.from),
                None => Err(SignatureError::Unsigned.into()),
            },
            Self::User(tx) => Ok(tx.signer()?),
        }
    }

    fn tx_env(
        &self,
        sender: Address,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> TxEnv {
        tx_env(self.envelope(), sender, recover)
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        Some((self.envelope().to()?, self.envelope().input()))
    }

    fn plain_transfer(&self) -> Option<PlainTransfer> {
        PlainTransfer::from_envelope(self.envelope())
    }

    fn gas_limit(&self) -> u64 {
        self.envelope().gas_limit()
    }

    fn access_list(&self) -> Option<&AccessList> {
        self.envelope().access_list()
    }

    fn hash(&self) -> B256 {
        self.envelope().tx_hash()
    }

    fn mint(&self) -> Option<u128> {
        self.envelope().as_deposit().map(|deposit| deposit.mint)
    }

    fn data_size(&self) -> u64 {
        match self {
            Self::Deposit(_) => 0,
            Self::User(tx) => tx.data_size(),
        }
    }
}
