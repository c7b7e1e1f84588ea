//! A pooled transaction.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes};
use turnpike_protocol::SignedTx;

/// How much more, in percent, a replacement must pay.
const REPLACEMENT_BUMP_PERCENT: u128 = 10;

/// A transaction in the pool.
#[derive(Clone, Debug)]
pub struct PooledTx {
    /// The transaction.
    pub tx: SignedTx,
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
    /// Its signer.
    pub sender: Address,
    /// Its position in the order of arrival.
    pub arrival: u64,
    /// When it was received, in Unix milliseconds.
    pub received_ms: u64,
}

impl PooledTx {
    /// Fee cap per gas, in wei.
    pub(super) fn fee_cap(&self) -> u128 {
        self.tx.envelope().max_fee_per_gas()
    }

    /// Tip cap per gas, in wei.
    fn tip_cap(&self) -> u128 {
        let tip = self.tx.envelope().max_priority_fee_per_gas();
        tip.unwrap_or_else(|| self.fee_cap())
    }

    /// Whether it pays enough to replace `old`.
    pub(super) fn outbids(&self, old: &Self) -> bool {
        let enough = |new: u128, old: u128| {
            new >= old.saturating_add(old.saturating_mul(REPLACEMENT_BUMP_PERCENT).div_ceil(100))
        };
        enough(self.fee_cap(), old.fee_cap()) && enough(self.tip_cap(), old.tip_cap())
    }
}
