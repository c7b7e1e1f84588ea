//! The databases of the roles: journal, index and outbox, on SQLite and PostgreSQL.
//!
//! ```text
//! sequencer  ─► journal ─► index: blocks, transactions, logs, …   (sequencer.db, sequencer.index.db)
//! batcher    ─► outbox: batches, signed_transactions, derived     (batcher.db; reads the sequencer's)
//! challenger ─► outbox: signed_transactions                       (challenger.db)
//! ```
//!
//! - The [journal](JournalEntry) is the write-ahead log of the sequencer and the ground truth.
//! - The [index](IndexBatch) is derived from the journal and answers queries. It is written behind
//!   the journal, on SQLite into a file of its own, so that no append waits for it.
//! - The [outbox](OutboxBatch) holds signed L1 transactions, persisted before they are broadcast.
//!
//! One schema (`migrations/`) and one set of queries serve both engines. A database has one writer,
//! guarded by a lock and for the journal also by an epoch, and any number of readers. A write of
//! journal or outbox is one transaction and durable when the call returns.
//!
//! The crate holds no rules of the chain: what a record means is up to `turnpike-protocol`.

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
mod times;

pub use database::{Database, genesis_id};
pub use error::StorageError;
pub use index::{
    BlockKey, BlockKeys, BlockQuery, IndexBatch, IndexRewind, IndexedReorg, ReorgedFrom,
    SealedBlock, StoredTimes, TransactionLocation,
};
pub use journal::{
    AcceptedBytes, AcceptedTx, Assembled, BlockAssembler, BlockOpening, BlockPart, EncodedRow,
    JournalBlock, JournalEntry, JournalRow, JournalTx, ReorgEntry, SealedEntry, SliceEntry,
    WaitingTxs,
};
pub use location::DatabaseLocation;
pub use outbox::{DerivedRecord, Inclusion, OutboxBatch, SignedTransaction, SigningRole};
pub use record::{BlockRecord, PasserProof, ReceiptRecord, SealedInput, WithdrawalRecord};
pub use times::{BlockTimes, TransactionTimes, unix_milliseconds};
