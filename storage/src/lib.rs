//! What the roles keep on disk: the journal, its look-ups, the posting outbox and what a challenger has sent.
//!
//! ```text
//! sequencer  ─► pending, journal, blocks, transactions, refused,    (sequencer.db)
//!               withdrawals, passer_proofs, reorganisations, reverted
//! batcher    ─► batches, attempts, derived                          (batcher.db; reads sequencer.db)
//! challenger ─► sent                                                (challenger.db)
//! ```
//!
//! One schema (`migrations/`), one set of queries. A file has one writer, guarded by a lock file; any number of
//! readers. Every write is one transaction, durable when the call returns (`synchronous=FULL`).
//! It holds no rules: what the records mean is `turnpike-protocol`'s business.

mod database;
mod error;
mod journal;
mod lookups;
mod outbox;
mod pending;
mod record;
mod reorganisation;
mod sent;
mod withdrawals;

pub use database::{Database, genesis_id};
pub use error::StorageError;
pub use lookups::TransactionPlace;
pub use outbox::{Attempt, DerivedRecord, Inclusion, OutboxBatch};
pub use record::{
    BlockRecord, JournalRecord, PasserProof, ReceiptRecord, SealedBlock, WithdrawalRecord,
};
pub use reorganisation::{Reorganisation, RevertedFrom};
pub use sent::SentTransaction;
