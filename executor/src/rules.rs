//! The rules of a transaction: a user's, or a deposit's.

use alloy_primitives::U256;
use turnpike_protocol::L1Fee;

use crate::BlockTransaction;

/// The rules of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TxRules {
    /// A user's transaction. It pays for its gas, and for L1 data if the chain charges for it.
    User {
        /// L1 data fee in wei, charged on success and failure.
        l1_fee: U256,
    },
    /// A deposit. It was paid for on L1 and is never skipped. It mints and bumps the nonce even if
    /// it fails.
    Deposit {
        /// Wei minted for the sender.
        mint: u128,
    },
}

/// The rules for `tx`. `l1_fee` is the price of L1 data.
pub(crate) fn rules(tx: &impl BlockTransaction, l1_fee: Option<&L1Fee>) -> TxRules {
    match tx.mint() {
        Some(mint) => TxRules::Deposit { mint },
        None => {
            let l1_fee = l1_fee.map(|fee| fee.of_size(tx.data_size())).unwrap_or_default();
            TxRules::User { l1_fee }
        }
    }
}
