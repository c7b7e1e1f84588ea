//! Pending transactions in responses, which have no block yet.

use alloy_consensus::transaction::Recovered;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Bytes};
use op_alloy_rpc_types::Transaction;
use serde_json::{Value, json};
use turnpike_protocol::TxEnvelope;
use turnpike_sequencer::notifications::PendingTx;

use super::{
    convert::to_json,
    error::{RpcError, RpcResult},
    params::Params,
};

/// The detail of pending transactions: hashes, or whole transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingDetail {
    Hash,
    Whole,
}

impl PendingDetail {
    /// Parses the optional parameter that asks for whole transactions.
    pub(super) fn parse(params: &mut Params) -> Result<Self, RpcError> {
        let is_whole = params.optional::<bool>()?.unwrap_or(false);
        Ok(if is_whole { Self::Whole } else { Self::Hash })
    }

    /// The notification of a transaction; `None` if the transaction is no longer known.
    pub(super) fn of(self, tx: &PendingTx) -> Option<Value> {
        match self {
            Self::Hash => Some(json!(tx.hash)),
            Self::Whole => {
                let (raw, sender) = tx.signed.as_ref()?;
                waiting_transaction(raw, *sender).ok()
            }
        }
    }
}

/// An RPC transaction that waits for a block.
pub(super) fn waiting_transaction(raw: &Bytes, sender: Address) -> RpcResult {
    let envelope = TxEnvelope::decode_2718(&mut raw.as_ref());
    let envelope = envelope.map_err(|_| RpcError::server("damaged transaction"))?;
    to_json(without_block(envelope, sender))
}

/// An RPC transaction without a block.
pub(super) const fn without_block(envelope: TxEnvelope, sender: Address) -> Transaction {
    Transaction {
        inner: alloy::rpc::types::Transaction {
            inner: Recovered::new_unchecked(envelope, sender),
            block_hash: None,
            block_number: None,
            transaction_index: None,
            effective_gas_price: None,
            block_timestamp: None,
        },
        deposit_nonce: None,
        deposit_receipt_version: None,
    }
}
