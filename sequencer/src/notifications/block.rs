//! A block as subscribers receive it, converted once for all of them.

use std::{borrow::Cow, sync::OnceLock};

use alloy::rpc::types::{Header, Log};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B256, keccak256};
use serde_json::{Value, json};
use turnpike_protocol::ReceiptEnvelope;
use turnpike_storage::{BlockRecord, StorageError};

/// A block as subscribers receive it.
#[derive(Debug)]
pub struct BlockNotification {
    /// The block's number.
    pub number: u64,
    /// The block's hash.
    pub hash: B256,
    /// The header, as JSON.
    pub head: String,
    /// The block's logs, in order.
    pub logs: Vec<LogNotification>,
    /// Approximate size in memory, in bytes.
    pub(super) bytes: usize,
}

/// A log of a block.
#[derive(Debug)]
pub struct LogNotification {
    /// The log as JSON-RPC answers it.
    pub log: Log,
    /// Its JSON, made on first use.
    text: OnceLock<String>,
}

impl BlockNotification {
    pub(super) fn new(record: &BlockRecord) -> Result<Self, StorageError> {
        let (number, hash) = (record.header.number, record.header.hash_slow());
        let inner = record.header.clone();
        let head = json!(Header { hash, inner, total_difficulty: None, size: None }).to_string();
        let logs = logs_in(record, |_| true)?;
        let logs: Vec<_> =
            logs.into_iter().map(|log| LogNotification { log, text: OnceLock::new() }).collect();
        // With its JSON, a log takes about three times the memory of its data.
        let in_logs: usize = logs.iter().map(|log| 1_000 + 3 * log.log.data().data.len()).sum();
        let bytes = head.len() + in_logs;
        Ok(Self { number, hash, head, logs, bytes })
    }
}

impl LogNotification {
    /// The log as JSON. `is_removed` says that a reorg removed its block.
    pub fn text(&self, is_removed: bool) -> Cow<'_, str> {
        if is_removed {
            return Cow::Owned(self.value(true).to_string());
        }
        Cow::Borrowed(self.text.get_or_init(|| self.value(false).to_string()))
    }

    /// The log as JSON. `is_removed` says that a reorg removed its block.
    pub fn value(&self, is_removed: bool) -> Value {
        json!(Log { removed: is_removed, ..self.log.clone() })
    }
}

/// The logs of a block that `is_asked_for` selects, in order.
pub fn logs_in(
    record: &BlockRecord,
    is_asked_for: impl Fn(&alloy_primitives::Log) -> bool,
) -> Result<Vec<Log>, StorageError> {
    let header = &record.header;
    let block_hash = header.hash_slow();
    let (mut found, mut log_index) = (Vec::new(), 0);
    for (at, stored) in record.receipts.iter().enumerate() {
        let receipt = ReceiptEnvelope::decode_2718(&mut stored.receipt.as_ref());
        let receipt = receipt.map_err(|error| StorageError::Damaged {
            table: "blocks",
            key: header.number,
            reason: format!("receipt {at}: {error}"),
        })?;
        let mut transaction_hash = None;
        for log in receipt.logs() {
            if is_asked_for(log) {
                let hash = *transaction_hash.get_or_insert_with(|| keccak256(&stored.transaction));
                found.push(Log {
                    inner: log.clone(),
                    block_hash: Some(block_hash),
                    block_number: Some(header.number),
                    block_timestamp: Some(header.timestamp),
                    transaction_hash: Some(hash),
                    transaction_index: Some(at as u64),
                    log_index: Some(log_index),
                    removed: false,
                });
            }
            log_index += 1;
        }
    }
    Ok(found)
}
