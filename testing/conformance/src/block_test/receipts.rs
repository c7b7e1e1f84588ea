//! Compares the receipts of an executed block with its header.

use alloy_consensus::{Eip658Value, Header, Receipt, RlpEncodableReceipt as _};
use alloy_primitives::{Bloom, Log, logs_bloom};
use alloy_trie::root::ordered_trie_root_with_encoder;
use op_alloy_consensus::OpDepositReceipt;

use turnpike_executor::{Included, Transactions};

use crate::{
    execute::Fork,
    transaction::{DEPOSIT, TestTransaction},
};

/// Version of a deposit's receipt encoding (the OP stack's Canyon).
const DEPOSIT_RECEIPT_VERSION: u64 = 1;

/// Compares gas used, bloom and, from Byzantium on, the receipts root. Older receipts hold state
/// roots, which a partial state cannot give.
pub(super) fn check(
    header: &Header,
    fork: Fork,
    executed: &Transactions<TestTransaction>,
) -> Result<(), String> {
    let mut gas_used = 0;
    let with_gas = executed.iter().map(|tx| {
        gas_used += tx.gas_used;
        (tx, gas_used)
    });
    let with_gas: Vec<_> = with_gas.collect();
    if gas_used != header.gas_used {
        return Err(format!("gas used: expected {}, got {gas_used}", header.gas_used));
    }
    let bloom = executed.iter().fold(Bloom::ZERO, |bloom, tx| bloom | logs_bloom(&tx.logs));
    if bloom != header.logs_bloom {
        return Err(format!("logs bloom: expected {}, got {bloom}", header.logs_bloom));
    }
    if fork < Fork::BYZANTIUM {
        return Ok(());
    }
    let root = ordered_trie_root_with_encoder(&with_gas, encode);
    if root != header.receipts_root {
        return Err(format!("receipts root: expected {}, got {root}", header.receipts_root));
    }
    Ok(())
}

/// EIP-2718 encoding of a receipt.
fn encode(&(executed, cumulative_gas_used): &(&Included<TestTransaction>, u64), out: &mut Vec<u8>) {
    let receipt: Receipt<Log> = Receipt {
        status: Eip658Value::Eip658(executed.is_success),
        cumulative_gas_used,
        logs: executed.logs.clone(),
    };
    let logs_bloom = logs_bloom(&executed.logs);
    let tx_type = executed.tx.tx_type();
    if tx_type != 0 {
        out.push(tx_type);
    }
    if tx_type == DEPOSIT {
        let receipt = OpDepositReceipt {
            inner: receipt,
            deposit_nonce: Some(executed.nonce),
            deposit_receipt_version: Some(DEPOSIT_RECEIPT_VERSION),
        };
        receipt.rlp_encode_with_bloom(&logs_bloom, out);
    } else {
        receipt.rlp_encode_with_bloom(&logs_bloom, out);
    }
}
