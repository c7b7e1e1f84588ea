//! Divergences: how a journal can differ from its execution.

use alloy_primitives::{Address, B64, B256};
use serde::Serialize;

/// The first difference between a journal and its execution. Nothing after it is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Divergence {
    /// The checksum of a journal row does not follow from the row before it.
    #[error("row {sequence}: expected checksum {expected}, found {found}")]
    Checksum {
        /// The row.
        sequence: u64,
        /// The checksum computed from the rows before it and its content.
        expected: B64,
        /// The checksum that it carries.
        found: B64,
    },
    /// A row arrived out of order.
    #[error("expected row {expected}, found row {found}")]
    Sequence {
        /// The next row.
        expected: u64,
        /// The row that arrived.
        found: u64,
    },
    /// A row cannot be decoded or contradicts the rows before it.
    #[error("row {sequence}: {reason}")]
    Row {
        /// The row.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A block cannot start as the journal says.
    #[error("block {block}: {reason}")]
    Block {
        /// The block.
        block: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction cannot be decoded.
    #[error("block {block}, transaction {index} ({hash}): {reason}")]
    Transaction {
        /// Its block.
        block: u64,
        /// Its position in the block's input, deposits included.
        index: usize,
        /// Its hash.
        hash: B256,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal names the wrong signer of a transaction.
    #[error(
        "block {block}, transaction {index} ({hash}): expected sender {expected}, recovered {found}"
    )]
    Sender {
        /// Its block.
        block: u64,
        /// Its position in the block's input, deposits included.
        index: usize,
        /// Its hash.
        hash: B256,
        /// The sender that the journal names.
        expected: Address,
        /// The recovered signer; the zero address if there is none.
        found: Address,
    },
    /// A transaction has another outcome. The journal holds the first eight bytes of a receipt's
    /// hash.
    #[error(
        "block {block}, transaction {index} ({hash}): expected receipt hash {}, found {}",
        JournalOutcome(.expected),
        ReceiptHash(.found)
    )]
    Outcome {
        /// Its block.
        block: u64,
        /// Its position in the block's input, deposits included.
        index: usize,
        /// Its hash.
        hash: B256,
        /// The journal's outcome: zero for a skipped transaction.
        expected: B64,
        /// Hash of the receipt from its execution; `None` if it was skipped.
        found: Option<B256>,
    },
    /// A block has more or fewer outcomes than transactions.
    #[error("block {block}: the journal has {expected} outcomes for {found} transactions")]
    OutcomeCount {
        /// The block.
        block: u64,
        /// Outcomes in the journal.
        expected: usize,
        /// Transactions in its input, deposits included.
        found: usize,
    },
    /// A block's header differs.
    #[error("block {block}: expected {field} {expected}, found {found}")]
    Header {
        /// The block.
        block: u64,
        /// The field.
        field: &'static str,
        /// The journal's value.
        expected: String,
        /// The value from executing the block.
        found: String,
    },
    /// L1 holds another block.
    #[error(
        "block {block}: inbox entry {entry} and the source differ, {}",
        SourceBlock(.hash)
    )]
    L1 {
        /// The first block that differs.
        block: u64,
        /// The entry that holds it.
        entry: u64,
        /// The source's hash of the block; `None` if the source rewound the block that L1 holds.
        hash: Option<B256>,
    },
    /// The source now has another row than the one that was copied from it.
    #[error("row {sequence}: the source replaced it after it was copied")]
    Rewritten {
        /// The row.
        sequence: u64,
    },
    /// The index differs from the journal.
    #[error("{table}, key {key}: {reason}")]
    Index {
        /// The index's table.
        table: &'static str,
        /// The key of the entry.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An outcome as the journal holds it.
struct JournalOutcome<'a>(&'a B64);

impl std::fmt::Display for JournalOutcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_zero() { f.write_str("none (skipped)") } else { write!(f, "{}…", self.0) }
    }
}

/// The source's block at a number.
struct SourceBlock<'a>(&'a Option<B256>);

impl std::fmt::Display for SourceBlock<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(hash) => write!(f, "the source has {hash}"),
            None => f.write_str("the source rewound it"),
        }
    }
}

/// A receipt's hash, if the transaction has one.
struct ReceiptHash<'a>(&'a Option<B256>);

impl std::fmt::Display for ReceiptHash<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(hash) => write!(f, "{hash}"),
            None => f.write_str("none (skipped)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_report_names_position_and_both_sides() {
        let outcome = Divergence::Outcome {
            block: 7,
            index: 2,
            hash: B256::repeat_byte(1),
            expected: B64::repeat_byte(2),
            found: None,
        };
        let text = outcome.to_string();
        for part in ["block 7", "transaction 2", "0x0101", "0x0202020202020202…", "skipped"] {
            assert!(text.contains(part), "{text}");
        }
        let json = serde_json::to_value(&outcome).expect("is JSON");
        assert_eq!((&json["kind"], &json["block"]), (&"outcome".into(), &7.into()));
    }
}
