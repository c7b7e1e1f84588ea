use alloy::rpc::types::{Block, BlockTransactions, Header, Log, TransactionReceipt};
use alloy_consensus::{ReceiptWithBloom, Transaction as _, transaction::Recovered};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B256, U256};
use op_alloy_consensus::OpReceipt;
use op_alloy_rpc_types::{L1BlockInfo, OpTransactionReceipt, Transaction};
use turnpike_protocol::{L1Fee, Origin, ReceiptEnvelope, TxEnvelope};
use turnpike_storage::{BlockRecord, ReceiptRecord};

use super::error::RpcError;

/// A block with what its answers need, decoded once.
pub(crate) struct RpcBlock {
    pub(crate) hash: B256,
    record: BlockRecord,
    txs: Vec<(TxEnvelope, ReceiptEnvelope)>,
}

impl RpcBlock {
    pub(crate) fn new(record: BlockRecord) -> Result<Self, RpcError> {
        let damaged = |_| RpcError::server("damaged block record");
        let txs = record
            .receipts
            .iter()
            .map(|stored| {
                let tx = TxEnvelope::decode_2718(&mut stored.transaction.as_ref());
                let receipt = ReceiptEnvelope::decode_2718(&mut stored.receipt.as_ref());
                Ok((tx.map_err(damaged)?, receipt.map_err(damaged)?))
            })
            .collect::<Result<_, RpcError>>()?;
        Ok(Self { hash: record.header.hash_slow(), record, txs })
    }

    pub(crate) const fn record(&self) -> &BlockRecord {
        &self.record
    }

    pub(crate) const fn len(&self) -> usize {
        self.txs.len()
    }

    pub(crate) fn block(&self, full: bool) -> Block<Transaction> {
        let transactions = if full {
            BlockTransactions::Full((0..self.len()).map(|at| self.transaction(at)).collect())
        } else {
            BlockTransactions::Hashes(self.txs.iter().map(|(tx, _)| tx.tx_hash()).collect())
        };
        let header = Header {
            hash: self.hash,
            inner: self.record.header.clone(),
            total_difficulty: None,
            size: Some(U256::from(self.size())),
        };
        Block { header, uncles: Vec::new(), transactions, withdrawals: Some(Default::default()) }
    }

    /// Length in bytes of header and transactions.
    fn size(&self) -> usize {
        let transactions: usize =
            self.record.receipts.iter().map(|stored| stored.transaction.len()).sum();
        alloy_rlp_length(&self.record.header) + transactions
    }

    pub(crate) fn transaction(&self, at: usize) -> Transaction {
        let (tx, receipt) = &self.txs[at];
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
        let (tx, receipt) = &self.txs[at];
        let stored = &self.record.receipts[at];
        let logs = self.logs_of(at);
        let bloom = *receipt.logs_bloom();
        let receipt = with_rpc_logs(receipt.clone().into(), logs);
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
                contract_address: self.contract_address(at),
            },
            l1_block_info: l1_info(&self.record.origin, stored, tx),
            op_gas_refund: None,
        }
    }

    pub(crate) fn receipts(&self) -> Vec<OpTransactionReceipt> {
        (0..self.len()).map(|at| self.receipt(at)).collect()
    }

    /// The logs of all transactions, in order.
    pub(crate) fn logs(&self) -> impl Iterator<Item = Log> + '_ {
        (0..self.len()).flat_map(|at| self.logs_of(at))
    }

    fn logs_of(&self, at: usize) -> Vec<Log> {
        let before: usize = self.txs[..at].iter().map(|(_, receipt)| receipt.logs().len()).sum();
        let (tx, receipt) = &self.txs[at];
        (before..)
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

    fn contract_address(&self, at: usize) -> Option<alloy_primitives::Address> {
        let (tx, receipt) = &self.txs[at];
        let nonce = match receipt.as_deposit_receipt() {
            Some(deposit) => deposit.deposit_nonce?,
            None => tx.nonce(),
        };
        tx.kind().is_create().then(|| self.record.receipts[at].sender.create(nonce))
    }
}

fn alloy_rlp_length(header: &turnpike_protocol::Header) -> usize {
    alloy_rlp::Encodable::length(header)
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
