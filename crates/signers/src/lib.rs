//! Signers and hashes of many transactions at once, in SIMD lanes and threads.
//!
//! # Job
//!
//! Recover what every user of transactions needs: signer, hash and size. Decoded transactions come
//! in, [`turnpike_protocol::SignedTx`] come out, in the same order.
//!
//! ```text
//! transactions ─► chunks, over threads ─► encode ─► Keccak lanes ─► recovery lanes ─► SignedTx
//! ```
//!
//! # Invariants
//!
//! Every result equals that of [`turnpike_protocol::SignedTx::recover`], also for transactions
//! without a signer.
//!
//! # Limits
//!
//! Chunks of [`CHUNK_TRANSACTIONS_MAX`] transactions. The caller bounds the number of transactions.

mod messages;
mod recover;

pub use recover::{CHUNK_TRANSACTIONS_MAX, recover_all, recover_blocks, signers, with_hash};
