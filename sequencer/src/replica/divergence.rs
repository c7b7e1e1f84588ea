use alloy_primitives::{Address, B64, B256};
use serde::Serialize;

/// Where a journal and what running it comes to part: the first difference that was found, and nothing after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Divergence {
    /// A row of the journal is not chained to the one before it.
    #[error(
        "row {sequence}: the chain of checksums breaks, {expected} follows from the rows before, {found} is given"
    )]
    Checksum {
        /// The row.
        sequence: u64,
        /// The checksum that follows from the rows before and from what it holds.
        expected: B64,
        /// The checksum that it carries.
        found: B64,
    },
    /// Another row was given than the next.
    #[error("row {expected} is expected, row {found} is given")]
    Sequence {
        /// The next row.
        expected: u64,
        /// The row that was given.
        found: u64,
    },
    /// A row that cannot be read, or does not fit the rows before it.
    #[error("row {sequence}: {reason}")]
    Row {
        /// The row.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A block cannot begin as the journal says.
    #[error("block {block}: {reason}")]
    Block {
        /// The block.
        block: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction that cannot be read.
    #[error("block {block}, transaction {index} ({hash}): {reason}")]
    Transaction {
        /// Its block.
        block: u64,
        /// Its place in the block, among all that the block was offered, deposits first.
        index: usize,
        /// Its hash.
        hash: B256,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction that somebody else signed.
    #[error(
        "block {block}, transaction {index} ({hash}): sender {expected} is expected, its signature is that of {found}"
    )]
    Sender {
        /// Its block.
        block: u64,
        /// Its place in the block, among all that the block was offered, deposits first.
        index: usize,
        /// Its hash.
        hash: B256,
        /// Whom the journal names.
        expected: Address,
        /// Who signed it; the zero address if nobody did.
        found: Address,
    },
    /// A transaction of which something else came. Of a receipt's hash the journal holds the first eight bytes.
    #[error(
        "block {block}, transaction {index} ({hash}): receipt hash {} is expected, {} is found",
        Outcome(.expected),
        Receipt(.found)
    )]
    Outcome {
        /// Its block.
        block: u64,
        /// Its place in the block, among all that the block was offered, deposits first.
        index: usize,
        /// Its hash.
        hash: B256,
        /// What the journal says: zero for one that was skipped.
        expected: B64,
        /// Hash of the receipt that it has here; none if it is skipped.
        found: Option<B256>,
    },
    /// A block with more or fewer outcomes than transactions.
    #[error("block {block}: {expected} outcomes are given, it has {found} transactions")]
    OutcomeCount {
        /// The block.
        block: u64,
        /// Outcomes that the journal holds.
        expected: usize,
        /// Transactions that it was offered, deposits included.
        found: usize,
    },
    /// A block whose header is another one.
    #[error("block {block}: {field} {expected} is expected, {found} is found")]
    Header {
        /// The block.
        block: u64,
        /// The field.
        field: &'static str,
        /// What the journal says.
        expected: String,
        /// What running the block comes to.
        found: String,
    },
    /// L1 holds another block.
    #[error(
        "block {block}: inbox entry {entry} holds another one than the source, {}",
        Given(.hash)
    )]
    L1 {
        /// The first block that differs.
        block: u64,
        /// The entry that holds it.
        entry: u64,
        /// The block's hash as the source has it; none if it has taken back the one that L1 holds.
        hash: Option<B256>,
    },
    /// The source has another row at a place that was taken over from it.
    #[error("row {sequence}: the source holds another one than it gave")]
    Rewritten {
        /// The row.
        sequence: u64,
    },
    /// The index differs from the journal.
    #[error("{table} of {key}: {reason}")]
    Index {
        /// Table of the index.
        table: &'static str,
        /// Which of its entries.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An outcome as the journal holds it.
struct Outcome<'a>(&'a B64);

impl std::fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_zero() { f.write_str("none (skipped)") } else { write!(f, "{}…", self.0) }
    }
}

/// What a source has at a block's place.
struct Given<'a>(&'a Option<B256>);

impl std::fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(hash) => write!(f, "which has {hash}"),
            None => f.write_str("which has taken it back"),
        }
    }
}

/// A receipt's hash, if there is one.
struct Receipt<'a>(&'a Option<B256>);

impl std::fmt::Display for Receipt<'_> {
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
