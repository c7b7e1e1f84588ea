//! A call as a client requests it.

use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::context::TxEnv;
use turnpike_protocol::{ChainConfig, ecrecover};

use crate::env::recovered;

/// A call that does not change the chain: `eth_call`, and each probe of `eth_estimateGas`.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// Caller.
    pub from: Address,
    /// Callee, or a creation.
    pub to: TxKind,
    /// Nonce, if it is checked.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Maximum price per gas in wei. With zero the call pays no fees.
    pub gas_price: u128,
    /// Maximum tip per gas in wei, if it is limited (EIP-1559).
    pub priority_fee: Option<u128>,
    /// Value in wei.
    pub value: U256,
    /// Input.
    pub input: Bytes,
    /// Addresses and slots that are warm from the start.
    pub access_list: AccessList,
    /// EIP-7702 authorizations, applied first.
    pub authorizations: Vec<SignedAuthorization>,
}

impl CallRequest {
    /// The transaction type that fits the call's fields.
    pub const fn tx_type(&self) -> u8 {
        if !self.authorizations.is_empty() {
            4
        } else if self.priority_fee.is_some() {
            2
        } else if !self.access_list.0.is_empty() {
            1
        } else {
            0
        }
    }

    pub(crate) fn tx_env(&self, config: &ChainConfig) -> TxEnv {
        TxEnv {
            // revm checks the fields of this type only.
            tx_type: self.tx_type(),
            caller: self.from,
            gas_limit: self.gas_limit,
            gas_price: self.gas_price,
            gas_priority_fee: self.priority_fee,
            kind: self.to,
            value: self.value,
            data: self.input.clone(),
            nonce: self.nonce,
            chain_id: Some(config.chain_id),
            access_list: self.access_list.clone(),
            authorization_list: recovered(&self.authorizations, &mut ecrecover),
            ..TxEnv::default()
        }
    }
}
