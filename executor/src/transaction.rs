use alloc::sync::Arc;

use alloy_consensus::Transaction as _;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256};
use revm::context::TxEnv;
use turnpike_protocol::{EcrecoverInput, L1Fee, SignatureError, SignedTx, TxEnvelope};

use crate::{PlainTransfer, SkipReason, env::tx_env, handler::TxRules};

/// What the state transition needs to know of a transaction.
pub trait BlockTransaction {
    /// Who sends it.
    fn sender(&self) -> Result<Address, SkipReason>;

    /// The transaction in revm's form, sent by `sender`. Who signed its authorizations (EIP-7702) is found out by
    /// `recover`, which computes [`turnpike_protocol::ecrecover`].
    fn tx_env(
        &self,
        sender: Address,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> TxEnv;

    /// The account that it calls or pays, and with what, if it is not a creation.
    fn call(&self) -> Option<(Address, &[u8])>;

    /// The same, if it only carries ether.
    fn plain_transfer(&self) -> Option<PlainTransfer>;

    /// Gas it may use.
    fn gas_limit(&self) -> u64;

    /// The accounts and slots that it declares (EIP-2930), if it has such a list.
    fn access_list(&self) -> Option<&AccessList>;

    /// Its hash.
    fn hash(&self) -> B256;

    /// The wei it creates for its sender, if it is a deposit: paid for on L1, never skipped.
    fn mint(&self) -> Option<u128>;

    /// Its size, as the L1 data fee sees it.
    fn data_size(&self) -> u64;
}

/// A transaction of a Turnpike block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockTx {
    /// From L1's queue.
    Deposit(Arc<TxEnvelope>),
    /// A user's.
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

/// The rules by which a transaction runs.
pub(crate) fn rules(tx: &impl BlockTransaction, l1_fee: Option<&L1Fee>) -> TxRules {
    match tx.mint() {
        Some(mint) => TxRules::Deposit { mint },
        None => {
            let l1_fee = l1_fee.map(|fee| fee.of_size(tx.data_size())).unwrap_or_default();
            TxRules::User { l1_fee }
        }
    }
}
