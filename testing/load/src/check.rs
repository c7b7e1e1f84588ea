//! Checks that accepted transactions are included once and reads their receipts.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{args::Receipts, rpc::Rpc};

/// Receipts in a sample.
const SAMPLE: usize = 1_000;

/// Inclusion of accepted transactions.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct InclusionCheck {
    /// Transactions that the node accepted.
    pub(crate) accepted: usize,
    /// Accepted transactions in a block.
    pub(crate) included: usize,
    /// Accepted transactions in no block; must be 0.
    pub(crate) lost: usize,
    /// Accepted transactions found in a second block; must be 0.
    pub(crate) twice: usize,
    /// Receipts read.
    pub(crate) receipts: usize,
    /// Receipts of failed transactions.
    pub(crate) failed: usize,
}

impl InclusionCheck {
    /// Whether every accepted transaction is included exactly once.
    pub(crate) const fn is_good(&self) -> bool {
        self.lost == 0 && self.twice == 0
    }
}

/// The status of a receipt.
#[derive(Deserialize)]
struct Receipt {
    status: String,
}

/// Reads receipts of included transactions. Returns how many, and how many of them are failures.
pub(crate) async fn receipts(
    rpc: &mut Rpc,
    which: Receipts,
    included: &[B256],
) -> anyhow::Result<(usize, usize)> {
    let step = match which {
        Receipts::None => return Ok((0, 0)),
        Receipts::All => 1,
        Receipts::Sample => included.len().div_ceil(SAMPLE).max(1),
    };
    let params: Vec<_> = included.iter().step_by(step).map(|hash| json!([hash])).collect();
    let mut failed = 0;
    for receipt in rpc.batch_as::<Receipt>("eth_getTransactionReceipt", &params).await? {
        if receipt?.status != "0x1" {
            failed += 1;
        }
    }
    Ok((params.len(), failed))
}
