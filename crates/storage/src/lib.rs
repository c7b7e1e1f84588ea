//! What the roles keep: the journal, its index, the posting outbox and what a challenger has sent.
//!
//! ```text
//! sequencer  ─► journal ─► blocks, transactions, transaction_runs, pending, refused,     (sequencer.db, sequencer.index.db)
//!                          withdrawals, passer_proofs, reorgs, reorged_transactions,
//!                          block_keys, block_postings
//! batcher    ─► batches, attempts, derived                             (batcher.db; reads the sequencer's)
//! challenger ─► sent                                                   (challenger.db)
//! ```
//!
//! One schema (`migrations/`) and one set of queries, for SQLite files and PostgreSQL servers. A database has one writer, guarded by a
//! lock, and the journal by an epoch as well; any number of readers. Every write of the ground truth is one transaction, durable when
//! the call returns. The index follows from the journal: they are written behind it, and on SQLite into a file of their own, so that no
//! append waits for them. It holds no rules: what the records mean is `turnpike-protocol`'s business.

mod connect;
mod database;
mod error;
mod index;
mod journal;
mod location;
mod migrations;
mod outbox;
mod record;
mod sql;

pub use database::{Database, genesis_id};
pub use error::StorageError;
pub use index::{
    BlockKey, BlockKeys, BlockQuery, BlockTimes, IndexBatch, IndexRewind, IndexedReorg,
    ReorgedFrom, SealedBlock, StoredTimes, TransactionLocation, TransactionTimes,
    unix_milliseconds,
};
pub use journal::{
    AcceptedTx, Assembled, BlockAssembler, BlockOpening, BlockPart, EncodedRow, JournalBlock,
    JournalEntry, JournalRow, JournalTx, ReorgEntry, SealedEntry, SliceEntry,
};
pub use location::DatabaseLocation;
pub use outbox::{Attempt, DerivedRecord, Inclusion, OutboxBatch, SentTransaction};
pub use record::{BlockRecord, PasserProof, ReceiptRecord, SealedInput, WithdrawalRecord};
