use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{args::Receipts, rpc::Rpc};

/// Receipts in a sample.
const SAMPLE: usize = 1_000;

/// What became of accepted transactions, as the blocks show it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Check {
    /// Transactions that the node took.
    pub(crate) accepted: usize,
    /// Those of them that a block holds.
    pub(crate) included: usize,
    /// Those that no block holds. Must be 0.
    pub(crate) lost: usize,
    /// Those that were found in a second block. Must be 0.
    pub(crate) twice: usize,
    /// Receipts that were read.
    pub(crate) receipts: usize,
    /// Those of them that say that the transaction failed.
    pub(crate) failed: usize,
}

impl Check {
    /// Whether everything that the node said it took is there once.
    pub(crate) const fn is_good(&self) -> bool {
        self.lost == 0 && self.twice == 0
    }
}

/// As much of a receipt as says whether its transaction succeeded.
#[derive(Deserialize)]
struct Receipt {
    status: String,
}

/// Reads receipts of included transactions; returns how many, and how many of failures.
pub(crate) async fn receipts(
    rpc: &mut Rpc,
    which: Receipts,
    included: &[B256],
) -> anyhow::Result<(usize, usize)> {
    let step = match which {
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
