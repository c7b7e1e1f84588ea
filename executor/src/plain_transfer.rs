//! Transactions that only transfer ether, read from an envelope or from revm's form.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, TxKind, U256};
use revm::context::TxEnv;
use turnpike_protocol::TxEnvelope;

/// Gas of a transaction without data that runs no code, in every fork.
pub(crate) const TRANSFER_GAS: u64 = 21_000;

/// A transaction that transfers ether to an address without calldata. Only the transaction's own
/// fields are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainTransfer {
    /// EIP-2718 type: legacy, 2930 or 1559.
    pub tx_type: u8,
    /// Chain id. `None` is valid on any chain.
    pub chain_id: Option<u64>,
    /// The sender's nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Maximum price per gas in wei.
    pub max_fee_per_gas: u128,
    /// Maximum tip per gas in wei, if it is limited.
    pub max_priority_fee_per_gas: Option<u128>,
    /// Recipient.
    pub to: Address,
    /// Value in wei, not zero.
    pub value: U256,
}

impl PlainTransfer {
    /// A revm transaction as a plain transfer, if it is one.
    pub fn from_env(env: &TxEnv) -> Option<Self> {
        let TxKind::Call(to) = env.kind else { return None };
        let is_plain = env.tx_type <= 2 && env.data.is_empty() && env.access_list.is_empty();
        (is_plain && !env.value.is_zero()).then_some(Self {
            tx_type: env.tx_type,
            chain_id: env.chain_id,
            nonce: env.nonce,
            gas_limit: env.gas_limit,
            max_fee_per_gas: env.gas_price,
            max_priority_fee_per_gas: env.gas_priority_fee,
            to,
            value: env.value,
        })
    }

    /// A user's transaction as a plain transfer, if it is one.
    pub(crate) fn from_envelope(tx: &TxEnvelope) -> Option<Self> {
        let (tx_type, access_list) = match tx {
            TxEnvelope::Legacy(_) => (0, None),
            TxEnvelope::Eip2930(tx) => (1, tx.access_list()),
            TxEnvelope::Eip1559(tx) => (2, tx.access_list()),
            _ => return None,
        };
        let TxKind::Call(to) = tx.kind() else { return None };
        let is_plain = tx.input().is_empty() && access_list.is_none_or(|list| list.is_empty());
        (is_plain && !tx.value().is_zero()).then(|| Self {
            tx_type,
            chain_id: tx.chain_id(),
            nonce: tx.nonce(),
            gas_limit: tx.gas_limit(),
            max_fee_per_gas: tx.max_fee_per_gas(),
            max_priority_fee_per_gas: tx.max_priority_fee_per_gas(),
            to,
            value: tx.value(),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
    use alloy_eips::eip2930::{AccessList, AccessListItem};
    use alloy_primitives::{Bytes, Signature};

    use turnpike_protocol::ecrecover;

    use super::*;
    use crate::env::tx_env;

    #[test]
    fn plain_transfer_is_equal_from_envelope_and_env() {
        let to = TxKind::Call(Address::repeat_byte(1));
        let listed = AccessList(vec![AccessListItem::default()]);
        let signature = Signature::test_signature();
        let mut transfers = 0;
        for (kind, input, value, list) in [
            (to, Bytes::new(), 5, AccessList::default()),
            (to, Bytes::new(), 0, AccessList::default()),
            (to, Bytes::from_static(&[0]), 5, AccessList::default()),
            (TxKind::Create, Bytes::new(), 5, AccessList::default()),
            (to, Bytes::new(), 5, listed),
        ] {
            let (value, nonce, gas_limit) = (U256::from(value), 3, 21_000);
            let legacy = TxLegacy {
                chain_id: Some(7),
                nonce,
                gas_price: 9,
                gas_limit,
                to: kind,
                value,
                input: input.clone(),
            };
            let listing = TxEip2930 {
                chain_id: 7,
                nonce,
                gas_price: 9,
                gas_limit,
                to: kind,
                value,
                input: input.clone(),
                access_list: list.clone(),
            };
            let dynamic = TxEip1559 {
                chain_id: 7,
                nonce,
                gas_limit,
                max_fee_per_gas: 9,
                max_priority_fee_per_gas: 2,
                to: kind,
                value,
                input,
                access_list: list,
            };
            let envelopes: [TxEnvelope; 3] = [
                legacy.into_signed(signature).into(),
                listing.into_signed(signature).into(),
                dynamic.into_signed(signature).into(),
            ];
            for envelope in envelopes {
                let transfer = PlainTransfer::from_envelope(&envelope);
                assert_eq!(
                    transfer,
                    PlainTransfer::from_env(&tx_env(&envelope, Address::ZERO, &mut ecrecover))
                );
                transfers += usize::from(transfer.is_some());
            }
        }
        // All three types of the first case, and the legacy form of the last, which has no access
        // list.
        assert_eq!(transfers, 4);
        let delegating: TxEnvelope =
            TxEip7702 { value: U256::from(5), ..Default::default() }.into_signed(signature).into();
        assert_eq!(PlainTransfer::from_envelope(&delegating), None);
        assert_eq!(
            PlainTransfer::from_env(&tx_env(&delegating, Address::ZERO, &mut ecrecover)),
            None
        );
    }
}
