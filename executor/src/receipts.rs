//! Receipts. Each is built once, after the gas of all earlier transactions in the block is known.

use alloc::{sync::Arc, vec::Vec};

use alloy_consensus::{Eip658Value, Receipt as ReceiptBody, ReceiptWithBloom, Transaction as _};
use alloy_primitives::{Log, logs_bloom};
use op_alloy_consensus::{OpDepositReceipt, OpDepositReceiptWithBloom, OpTxType};
#[cfg(feature = "std")]
use rayon::{
    ThreadPool,
    iter::{
        IndexedParallelIterator as _, IntoParallelIterator as _, ParallelExtend as _,
        ParallelIterator as _,
    },
};
use turnpike_protocol::{Receipt, ReceiptEnvelope};

use crate::{ExecutedTx, Included, Transactions};

/// Version of a deposit's receipt encoding (the OP stack's Canyon).
const DEPOSIT_RECEIPT_VERSION: u64 = 1;

/// Minimum number of receipts per task. Fewer receipts do not justify a thread.
#[cfg(feature = "std")]
const TASK_RECEIPTS: usize = 128;

/// Completes the receipts of `transactions`, which follow those in `executed`, and appends them.
/// `base_fee` is that of the block.
pub(crate) fn complete(
    executed: &mut Vec<Arc<ExecutedTx>>,
    transactions: Transactions,
    base_fee: Option<u64>,
) {
    let mut gas = gas_used(executed);
    executed.reserve(transactions.len());
    for tx in transactions {
        gas += tx.gas_used;
        executed.push(Arc::new(tx.into_executed(base_fee, gas)));
    }
}

/// [`complete`] on the threads of a pool, if there are enough receipts.
#[cfg(feature = "std")]
pub(crate) fn complete_on(
    pool: Option<&ThreadPool>,
    executed: &mut Vec<Arc<ExecutedTx>>,
    transactions: Transactions,
    base_fee: Option<u64>,
) {
    let Some(pool) = pool.filter(|_| transactions.len() >= 2 * TASK_RECEIPTS) else {
        return complete(executed, transactions, base_fee);
    };
    let mut gas = gas_used(executed);
    let counted = transactions.into_iter().map(|tx| {
        gas += tx.gas_used;
        (tx, gas)
    });
    let counted: Vec<(Included, u64)> = counted.collect();
    pool.install(|| {
        let tasks = counted.into_par_iter().with_min_len(TASK_RECEIPTS);
        executed.par_extend(tasks.map(|(tx, gas)| Arc::new(tx.into_executed(base_fee, gas))));
    });
}

/// Cumulative gas after these transactions.
pub(crate) fn gas_used(executed: &[Arc<ExecutedTx>]) -> u64 {
    executed.last().map_or(0, |tx| tx.receipt.envelope.cumulative_gas_used())
}

impl Included {
    /// Completes the receipt. `base_fee` is that of the block, and `cumulative_gas_used` includes
    /// this transaction's gas.
    fn into_executed(self, base_fee: Option<u64>, cumulative_gas_used: u64) -> ExecutedTx {
        let Self { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = self;
        let envelope = tx.envelope();
        let tx_type = envelope.tx_type();
        let effective_gas_price = match tx_type {
            OpTxType::Deposit => 0,
            _ => envelope.effective_gas_price(base_fee),
        };
        let envelope = receipt_envelope(is_success, cumulative_gas_used, logs, tx_type, nonce);
        ExecutedTx {
            tx,
            sender,
            receipt: Receipt { envelope, gas_used, effective_gas_price, l1_fee },
        }
    }
}

/// A receipt in its consensus encoding. `nonce` is the sender's before the transaction.
fn receipt_envelope(
    is_success: bool,
    cumulative_gas_used: u64,
    logs: Vec<Log>,
    tx_type: OpTxType,
    nonce: u64,
) -> ReceiptEnvelope {
    let logs_bloom = logs_bloom(&logs);
    let status = Eip658Value::Eip658(is_success);
    let receipt = ReceiptBody { status, cumulative_gas_used, logs };
    let envelope = match tx_type {
        OpTxType::Legacy => ReceiptEnvelope::Legacy,
        OpTxType::Eip2930 => ReceiptEnvelope::Eip2930,
        OpTxType::Eip1559 => ReceiptEnvelope::Eip1559,
        OpTxType::Eip7702 => ReceiptEnvelope::Eip7702,
        OpTxType::PostExec => ReceiptEnvelope::PostExec,
        OpTxType::Deposit => {
            let receipt = OpDepositReceipt {
                inner: receipt,
                deposit_nonce: Some(nonce),
                deposit_receipt_version: Some(DEPOSIT_RECEIPT_VERSION),
            };
            return ReceiptEnvelope::Deposit(OpDepositReceiptWithBloom { receipt, logs_bloom });
        }
    };
    envelope(ReceiptWithBloom { receipt, logs_bloom })
}
