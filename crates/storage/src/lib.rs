//! What the roles keep: the journal, its look-ups, the posting outbox and what a challenger has sent.
//!
//! ```text
//! sequencer  ─► journal ─► blocks, transactions, transaction_runs, pending, refused,     (sequencer.db, sequencer.index.db)
//!                          withdrawals, passer_proofs, reorganisations, reverted,
//!                          block_keys, block_postings
//! batcher    ─► batches, attempts, derived                             (batcher.db; reads the sequencer's)
//! challenger ─► sent                                                   (challenger.db)
//! ```
//!
//! One schema (`migrations/`) and one set of queries, for SQLite files and PostgreSQL servers. A database has one writer, guarded by a
//! lock, and the journal by an epoch as well; any number of readers. Every write of the ground truth is one transaction, durable when
//! the call returns. The look-ups follow from the journal: they are written behind it, and on SQLite into a file of their own, so that no
//! append waits for them. It holds no rules: what the records mean is `turnpike-protocol`'s business.

mod assemble;
mod block_index;
mod codec;
mod connect;
mod database;
mod encoded;
mod entry;
mod error;
mod index;
mod journal;
mod location;
mod lookups;
mod migrations;
mod outbox;
mod pending;
mod record;
mod reorganisation;
mod sealed;
mod sent;
mod sql;
mod times;
mod transaction_index;
mod withdrawals;

pub use assemble::{Assembled, BlockAssembler};
pub use block_index::{BlockKey, BlockKeys, BlockQuery};
pub use database::{Database, genesis_id};
pub use encoded::EncodedRow;
pub use entry::{
    AcceptedTx, BlockOpening, BlockPart, JournalBlock, JournalEntry, JournalRow, JournalTx,
    SealedEntry, SliceEntry, TakenBackEntry,
};
pub use error::StorageError;
pub use index::{IndexBatch, SealedBlock, TakenBack};
pub use location::DatabaseLocation;
pub use outbox::{Attempt, DerivedRecord, Inclusion, OutboxBatch};
pub use record::{BlockRecord, PasserProof, ReceiptRecord, SealedInput, WithdrawalRecord};
pub use reorganisation::{Reorganisation, RevertedFrom};
pub use sent::SentTransaction;
pub use times::{BlockTimes, StoredTimes, TransactionTimes, unix_milliseconds};
pub use transaction_index::TransactionPlace;
