use std::ops::Range;

use alloy::rpc::types::{Block, BlockTransactions, Header, Log, TransactionReceipt};
use alloy_consensus::{ReceiptWithBloom, Transaction as _, transaction::Recovered};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, U64, U256};
use alloy_rlp::Encodable as _;
use op_alloy_consensus::OpReceipt;
use op_alloy_rpc_types::{L1BlockInfo, OpTransactionReceipt, Transaction};
use serde::Serialize;
use serde_json::{Value, json};
use turnpike_protocol::{L1Fee, Origin, ReceiptEnvelope, TxEnvelope};
use turnpike_storage::{BlockRecord, ReceiptRecord};

use super::error::{RpcError, RpcResult};
use turnpike_sequencer::{Preconfirmation, hashes::hash_all, sealed::created};

pub(crate) fn quantity(value: u64) -> Value {
    json!(U64::from(value))
}

pub(crate) fn to_json(value: impl Serialize) -> RpcResult {
    serde_json::to_value(value).map_err(|error| RpcError::server(error.to_string()))
}

/// A block with all of its transactions or one of them, decoded once for all responses.
pub(crate) struct RpcBlock {
    pub(crate) hash: B256,
    record: BlockRecord,
    /// The decoded transactions, from position `first` on.
    txs: Vec<DecodedTx>,
    first: usize,
}

struct DecodedTx {
    tx: TxEnvelope,
    receipt: ReceiptEnvelope,
    /// Number of logs in the block before this transaction's own.
    logs_before: usize,
}

impl RpcBlock {
    /// Decodes a block with all its transactions.
    pub(crate) fn new(record: BlockRecord) -> Result<Self, RpcError> {
        let all = 0..record.receipts.len();
        Self::decoded(record, all)
    }

    /// Decodes a block with only the transaction at this position.
    pub(crate) fn with_one(record: BlockRecord, at: usize) -> Result<Self, RpcError> {
        Self::decoded(record, at..at + 1)
    }

    fn decoded(record: BlockRecord, wanted: Range<usize>) -> Result<Self, RpcError> {
        let mut logs_before = 0;
        for stored in &record.receipts[..wanted.start] {
            logs_before += count_logs(&stored.receipt).map_err(damaged)?;
        }
        let first = wanted.start;
        let mut txs = Vec::with_capacity(wanted.len());
        for stored in &record.receipts[wanted] {
            let tx = TxEnvelope::decode_2718(&mut stored.transaction.as_ref()).map_err(damaged)?;
            let receipt = ReceiptEnvelope::decode_2718(&mut stored.receipt.as_ref());
            let receipt = receipt.map_err(damaged)?;
            let logs = receipt.logs().len();
            txs.push(DecodedTx { tx, receipt, logs_before });
            logs_before += logs;
        }
        Ok(Self { hash: record.header.hash_slow(), record, txs, first })
    }

    fn at(&self, position: usize) -> &DecodedTx {
        &self.txs[position - self.first]
    }

    pub(crate) const fn record(&self) -> &BlockRecord {
        &self.record
    }

    /// The address of the contract that a transaction creates, if it creates one.
    pub(super) fn created(&self, at: usize) -> Option<Address> {
        let DecodedTx { tx, receipt, .. } = self.at(at);
        created(tx, receipt, self.sender(at))
    }

    /// The sender of a transaction.
    pub(super) fn sender(&self, at: usize) -> Address {
        self.record.receipts[at].sender
    }

    /// Whether a transaction succeeded.
    pub(super) fn is_success(&self, at: usize) -> bool {
        self.at(at).receipt.status()
    }

    /// A transaction's signed envelope.
    pub(crate) fn envelope(&self, at: usize) -> &TxEnvelope {
        &self.at(at).tx
    }

    pub(crate) const fn len(&self) -> usize {
        self.record.receipts.len()
    }

    /// The block with its transactions.
    pub(crate) fn block(&self) -> Block<Transaction> {
        let transactions = (0..self.len()).map(|at| self.transaction(at)).collect();
        answer_block(&self.record, BlockTransactions::Full(transactions))
    }

    pub(crate) fn transaction(&self, at: usize) -> Transaction {
        let DecodedTx { tx, receipt, .. } = self.at(at);
        let stored = &self.record.receipts[at];
        let deposit = receipt.as_deposit_receipt();
        Transaction {
            inner: alloy::rpc::types::Transaction {
                inner: Recovered::new_unchecked(tx.clone(), stored.sender),
                block_hash: Some(self.hash),
                block_number: Some(self.record.header.number),
                transaction_index: Some(at as u64),
                effective_gas_price: Some(stored.effective_gas_price),
                block_timestamp: Some(self.record.header.timestamp),
            },
            deposit_nonce: deposit.and_then(|receipt| receipt.deposit_nonce),
            deposit_receipt_version: deposit.and_then(|receipt| receipt.deposit_receipt_version),
        }
    }

    pub(crate) fn receipt(&self, at: usize) -> OpTransactionReceipt {
        let DecodedTx { tx, receipt: envelope, .. } = self.at(at);
        let stored = &self.record.receipts[at];
        let logs = self.logs_of(at);
        let bloom = *envelope.logs_bloom();
        let receipt = with_rpc_logs(envelope.clone().into(), logs);
        OpTransactionReceipt {
            inner: TransactionReceipt {
                inner: ReceiptWithBloom { receipt, logs_bloom: bloom },
                transaction_hash: tx.tx_hash(),
                transaction_index: Some(at as u64),
                block_hash: Some(self.hash),
                block_number: Some(self.record.header.number),
                gas_used: stored.gas_used,
                effective_gas_price: stored.effective_gas_price,
                blob_gas_used: None,
                blob_gas_price: None,
                from: stored.sender,
                to: tx.to(),
                contract_address: created(tx, envelope, stored.sender),
            },
            l1_block_info: l1_info(&self.record.origin, stored, tx),
            op_gas_refund: None,
        }
    }

    pub(crate) fn receipts(&self) -> Vec<OpTransactionReceipt> {
        (0..self.len()).map(|at| self.receipt(at)).collect()
    }

    fn logs_of(&self, at: usize) -> Vec<Log> {
        let DecodedTx { tx, receipt, logs_before } = self.at(at);
        (*logs_before..)
            .zip(receipt.logs())
            .map(|(index, log)| Log {
                inner: log.clone(),
                block_hash: Some(self.hash),
                block_number: Some(self.record.header.number),
                block_timestamp: Some(self.record.header.timestamp),
                transaction_hash: Some(tx.tx_hash()),
                transaction_index: Some(at as u64),
                log_index: Some(index as u64),
                removed: false,
            })
            .collect()
    }
}

fn damaged(_: impl std::error::Error) -> RpcError {
    RpcError::server("damaged block record")
}

/// A block with the hashes of its transactions.
pub(super) fn block_of_hashes(record: &BlockRecord) -> Block<Transaction> {
    let raws: Vec<_> = record.receipts.iter().map(|stored| &stored.transaction).collect();
    answer_block(record, BlockTransactions::Hashes(hash_all(&raws)))
}

/// A block's header, with the size of the whole block in RLP.
pub(super) fn header_of(record: &BlockRecord) -> Header {
    let transactions: usize =
        record.receipts.iter().map(|stored| in_list(&stored.transaction)).sum();
    // The lists of ommers and withdrawals are empty.
    let parts = record.header.length() + with_head(transactions) + 2 * with_head(0);
    let size = Some(U256::from(with_head(parts)));
    let (hash, inner) = (record.header.hash_slow(), record.header.clone());
    Header { hash, inner, total_difficulty: None, size }
}

/// Length of a transaction in a block's RLP list, where a typed transaction is a string.
fn in_list(transaction: &[u8]) -> usize {
    match transaction.first() {
        Some(first) if *first < alloy_rlp::EMPTY_LIST_CODE => with_head(transaction.len()),
        _ => transaction.len(),
    }
}

/// RLP length of a list or a string with a payload of this length.
const fn with_head(payload_length: usize) -> usize {
    alloy_rlp::length_of_length(payload_length) + payload_length
}

fn answer_block(
    record: &BlockRecord,
    transactions: BlockTransactions<Transaction>,
) -> Block<Transaction> {
    let header = header_of(record);
    Block { header, uncles: Vec::new(), transactions, withdrawals: Some(Default::default()) }
}

/// Number of logs in an encoded receipt: type, then a list of status, gas, bloom and the list of
/// logs.
fn count_logs(receipt: &[u8]) -> alloy_rlp::Result<usize> {
    let mut rest = match receipt {
        [kind, list @ ..] if *kind < alloy_rlp::EMPTY_LIST_CODE => list,
        list => list,
    };
    let mut fields = alloy_rlp::Header::decode_bytes(&mut rest, true)?;
    for _ in 0..3 {
        alloy_rlp::Header::decode_bytes(&mut fields, false)?;
    }
    let mut logs = alloy_rlp::Header::decode_bytes(&mut fields, true)?;
    let mut count = 0;
    while !logs.is_empty() {
        alloy_rlp::Header::decode_bytes(&mut logs, true)?;
        count += 1;
    }
    Ok(count)
}

/// The receipt of a transaction in the open block. Block hash and log indices are missing.
pub(crate) fn preconfirmed_receipt(found: &Preconfirmation) -> OpTransactionReceipt {
    let executed = &found.transaction;
    let (tx, receipt) = (executed.envelope(), &executed.receipt);
    let (hash, bloom) = (tx.tx_hash(), *receipt.envelope.logs_bloom());
    let log = |log: &alloy_primitives::Log| Log {
        inner: log.clone(),
        block_hash: None,
        block_number: Some(found.block),
        block_timestamp: None,
        transaction_hash: Some(hash),
        transaction_index: Some(found.index),
        log_index: None,
        removed: false,
    };
    let logs = receipt.envelope.logs().iter().map(log).collect();
    let with_logs = with_rpc_logs(receipt.envelope.clone().into(), logs);
    OpTransactionReceipt {
        inner: TransactionReceipt {
            inner: ReceiptWithBloom { receipt: with_logs, logs_bloom: bloom },
            transaction_hash: hash,
            transaction_index: Some(found.index),
            block_hash: None,
            block_number: Some(found.block),
            gas_used: receipt.gas_used,
            effective_gas_price: receipt.effective_gas_price,
            blob_gas_used: None,
            blob_gas_price: None,
            from: executed.sender,
            to: tx.to(),
            contract_address: created(tx, &receipt.envelope, executed.sender),
        },
        l1_block_info: L1BlockInfo {
            l1_fee: (!tx.is_deposit()).then(|| receipt.l1_fee.saturating_to()),
            ..L1BlockInfo::default()
        },
        op_gas_refund: None,
    }
}

fn with_rpc_logs(receipt: OpReceipt, logs: Vec<Log>) -> OpReceipt<Log> {
    let mut logs = Some(logs);
    let mut replace = |receipt: alloy_consensus::Receipt| alloy_consensus::Receipt {
        status: receipt.status,
        cumulative_gas_used: receipt.cumulative_gas_used,
        logs: logs.take().unwrap_or_default(),
    };
    match receipt {
        OpReceipt::Legacy(receipt) => OpReceipt::Legacy(replace(receipt)),
        OpReceipt::Eip2930(receipt) => OpReceipt::Eip2930(replace(receipt)),
        OpReceipt::Eip1559(receipt) => OpReceipt::Eip1559(replace(receipt)),
        OpReceipt::Eip7702(receipt) => OpReceipt::Eip7702(replace(receipt)),
        OpReceipt::PostExec(receipt) => OpReceipt::PostExec(replace(receipt)),
        OpReceipt::Deposit(deposit) => OpReceipt::Deposit(op_alloy_consensus::OpDepositReceipt {
            inner: replace(deposit.inner),
            deposit_nonce: deposit.deposit_nonce,
            deposit_receipt_version: deposit.deposit_receipt_version,
        }),
    }
}

fn l1_info(origin: &Origin, stored: &ReceiptRecord, tx: &TxEnvelope) -> L1BlockInfo {
    if tx.is_deposit() {
        return L1BlockInfo::default();
    }
    L1BlockInfo {
        l1_gas_price: Some(origin.l1_base_fee.saturating_to()),
        l1_blob_base_fee: Some(origin.l1_blob_base_fee.saturating_to()),
        l1_fee: Some(stored.l1_fee.saturating_to()),
        l1_gas_used: Some(u128::from(L1Fee::gas_of(&stored.transaction))),
        ..L1BlockInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Eip658Value, Receipt, SignableTransaction as _, TxReceipt as _};
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::{Bytes, LogData};

    use super::*;

    #[test]
    fn block_size_is_its_encoded_length() {
        let tx = |input: Vec<u8>| alloy_consensus::TxEip1559 {
            input: input.into(),
            ..Default::default()
        };
        let legacy = alloy_consensus::TxLegacy { chain_id: Some(4242), ..Default::default() };
        let signature = alloy_primitives::Signature::test_signature();
        let legacy: TxEnvelope = legacy.into_signed(signature).into();
        let typed = [0, 300, 70_000].map(|len| tx(vec![7; len]).into_signed(signature).into());
        for count in 0..5 {
            let transactions: Vec<TxEnvelope> =
                std::iter::once(legacy.clone()).chain(typed.clone()).take(count).collect();
            let receipt = |tx: &TxEnvelope| ReceiptRecord {
                transaction: tx.encoded_2718().into(),
                sender: Address::ZERO,
                receipt: Bytes::new(),
                gas_used: 0,
                effective_gas_price: 0,
                l1_fee: U256::ZERO,
            };
            let header = alloy_consensus::Header {
                base_fee_per_gas: Some(7),
                withdrawals_root: Some(B256::ZERO),
                ..Default::default()
            };
            let record = BlockRecord {
                header: header.clone(),
                message_passer_storage_root: B256::ZERO,
                origin: Origin::default(),
                receipts: transactions.iter().map(receipt).collect(),
            };
            let withdrawals = Some(Default::default());
            let body = alloy_consensus::BlockBody { transactions, ommers: Vec::new(), withdrawals };
            let encoded = alloy_rlp::encode(alloy_consensus::Block::new(header, body));
            assert_eq!(header_of(&record).size, Some(U256::from(encoded.len())), "{count}");
        }
    }

    #[test]
    fn logs_are_counted_without_being_decoded() {
        for count in [0, 1, 7] {
            let log = |n: usize| alloy_primitives::Log {
                address: Address::with_last_byte(1),
                data: LogData::new_unchecked(vec![B256::ZERO; n % 4], Bytes::from(vec![7; 9 * n])),
            };
            let logs = (0..count).map(log).collect();
            let receipt =
                Receipt { status: Eip658Value::Eip658(true), cumulative_gas_used: 70_000, logs };
            let deposit = op_alloy_consensus::OpDepositReceipt {
                inner: receipt.clone(),
                deposit_nonce: Some(3),
                deposit_receipt_version: Some(1),
            };
            for receipt in [
                ReceiptEnvelope::Legacy(receipt.clone().into_with_bloom()),
                ReceiptEnvelope::Eip1559(receipt.into_with_bloom()),
                ReceiptEnvelope::Deposit(deposit.into_with_bloom()),
            ] {
                let encoded = receipt.encoded_2718();
                assert_eq!(count_logs(&encoded).ok(), Some(count));
                assert!(count_logs(&encoded[..encoded.len() - 1]).is_err());
            }
        }
    }
}
