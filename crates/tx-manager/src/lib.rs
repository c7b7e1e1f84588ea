//! Brings calls and blob transactions on chain: the only user of an account's key.
//!
//! ```text
//! TxCandidate ─► TxManager ─► estimate ─► FeePolicy: bid ─► sign ─► TxStore: record ─► broadcast ─► chain
//!                    ▲                                                                                │
//! NonceTable: status ┴── upkeep: rebroadcast, replace, cancel, forget ◄── receipts, nonces, prices ◄──┘
//! ```
//!
//! Decisions are pure code: [`NonceTable`] holds what was signed with each nonce and decides what
//! it needs, [`FeePolicy`] decides what to bid. Time and the chain come in as an [`L1Observation`].
//! [`TxManager`] is the driver around them.
//!
//! # Durability
//!
//! Every signed transaction is recorded before it is broadcast, and kept until no reorg can bring
//! it back. After a crash, a lost pool or a reorg the tx manager rebroadcasts the same bytes, so
//! that nothing is paid twice. With [`InMemory`] a new run knows nothing of an earlier one: it
//! waits for the earlier transactions as [`ForeignPolicy`] says.
//!
//! # Limits
//!
//! - At most 16 transactions are in flight before one without urgency is sent, and 64 before an
//!   urgent one.
//! - A transaction without urgency bids at most [`FeePolicy::max_fee_per_gas`]; an urgent one a
//!   share of the balance.
//! - A candidate takes the next nonce, or that of a transaction which is no longer wanted
//!   ([`TxManager::replace`]): then at most one of both takes effect.
//! - Pools refuse blob and ordinary transactions of one account side by side: the tx manager sends
//!   one kind at a time, and a candidate of the other kind waits until nothing is in flight. It then
//!   cancels nonces in flight that nobody wants.

mod candidate;
mod client;
mod confirm;
mod error;
mod fees;
mod manager;
mod nonces;
mod signed;
mod store;

pub use candidate::{Deferral, GasPlan, SendOutcome, TxCandidate, TxEvent, TxPurpose};
pub use client::{AccountClient, AccountState};
pub use confirm::{Confirmed, OneShot};
pub use error::TxManagerError;
pub use fees::{BLOB_GAS, FeeLimits, FeePolicy, Fees, GasPrices, TxType, Urgency};
pub use manager::{ForeignPolicy, TxManager, TxManagerConfig};
pub use nonces::{L1Observation, NonceState, NonceTable, SentTx, TxStatus, Upkeep};
pub use signed::SignedTx;
pub use store::{InMemory, RecordedTx, TxStore};
