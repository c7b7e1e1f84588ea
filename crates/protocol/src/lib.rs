//! Types and rules that every party of the rollup shares.
//!
//! ```text
//!  L1 inbox entry ──┐
//!  batch data ──────┼─► derive ─► BlockInput ─► (executor) ─► Header, receipts ─► output root ─► claim
//!  deposit queue ───┘
//! ```
//!
//! Every item is a pure function of its arguments: no I/O, no clock, no randomness, no threads. The
//! node, the challenger and the proof program run the same code, so each rule has one
//! implementation. Without default features the crate is `no_std`.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;

mod backlog;
mod batch;
mod blob;
mod block;
mod config;
mod deposit;
mod derive;
mod extra_data;
mod fee;
mod genesis;
mod history;
mod inbox;
mod oracle;
mod output;
pub mod predeploys;
mod timeline;
mod transaction;
mod withdrawal;

pub use backlog::{
    BLOCK_LOAD, Load, SKIPPED_LOAD, TRANSACTION_GAS_MIN, base_fee, next_base_fee,
    next_open_backlog, open_backlog,
};
pub use batch::{
    BATCH_VERSION, Batch, BatchBlock, BatchEncoder, BatchError, BatchHead, BatchLimits,
    DepositHint, Effort, StateRootPrefix, state_root_prefix,
};
pub use blob::{BLOB_BYTES, blob_data_bytes, blobs_for, pack_blobs, unpack_blobs};
pub use block::{BlockInput, Origin, Parent, QueuedDeposit, Receipt, history_slot, mix_hash};
pub use config::{ChainConfig, ConfigError};
pub use deposit::{
    ATTRIBUTES_GAS_LIMIT, DEPOSITOR_ACCOUNT, Deposit, DepositError, DepositPreimage, SourceHash,
    attributes_deposit,
};
pub use derive::{
    BatchFault, DeriveError, Derived, EntryBlocks, EntryData, TAIL_BLOCKS_MAX, block_time,
    deposits_of_block, derive,
};
pub use extra_data::{backlog, extra_data, time_ms};
pub use fee::L1Fee;
pub use genesis::{Genesis, GenesisAccount, L1Deployment};
pub use history::{
    History, HistoryPath, REVEAL_WIDTH, history_depth, leads_to, node_above, reveal_width,
};
pub use inbox::{BatchContent, CHUNK_BYTES_MAX, DataKind, Entry, blobs_hash, calldata_hash};
pub use oracle::{
    LocalInput, LocalInputs, ORACLE_WORD_BYTES, Oracle, OracleWord, Preimage, Preimages,
    PreimagesError, blob_key, is_oracle_key, keccak_key, precompile_key,
};
pub use output::{OutputRoot, output_claim};
pub use timeline::{MatchProgress, MatchSide, Rival, match_progress};
pub use transaction::{
    EcrecoverInput, SignatureError, SignedTx, TxDecodeError, decode_transaction, ecrecover,
    recover_authority, recover_authority_with,
};
pub use withdrawal::Withdrawal;

pub use alloy_consensus::Header;
pub use op_alloy_consensus::{OpReceiptEnvelope as ReceiptEnvelope, OpTxEnvelope as TxEnvelope};
