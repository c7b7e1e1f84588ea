//! Refusals: the coded reasons why a transaction will not be executed.

use alloy_primitives::{Address, B256, U256};
use http::StatusCode;
#[cfg(test)]
use turnpike_protocol::{SignatureError, TxDecodeError};

/// Why a transaction is refused. Texts are geth's where geth has one, because clients match on
/// them.
///
/// JSON-RPC returns the text with code −32000. REST returns a problem document with the refusal's
/// code and status. `turnpike_sequencer_refusals_total{code}` counts them. An accepted transaction
/// that is refused later keeps the text as its reason.
///
#[doc = include_str!("../refusals.md")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not a transaction that this chain accepts.
    #[error("{0}")]
    Undecodable(#[from] turnpike_protocol::TxDecodeError),
    /// The encoding is too long.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Signed for another chain.
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    ChainId {
        /// The transaction's chain id.
        have: u64,
        /// This chain's id.
        want: u64,
    },
    /// No account signed it.
    #[error("invalid sender: {0}")]
    Signature(#[from] turnpike_protocol::SignatureError),
    /// Its gas limit exceeds the limit per transaction (EIP-7825).
    #[error("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")]
    GasCap {
        /// Gas asked for.
        gas_limit: u64,
        /// Gas allowed.
        cap: u64,
    },
    /// Its gas limit is below its intrinsic gas.
    #[error("intrinsic gas too low: gas {gas_limit}, minimum needed {needed}")]
    IntrinsicGas {
        /// Gas asked for.
        gas_limit: u64,
        /// Least gas.
        needed: u64,
    },
    /// Its gas limit is below the floor of its calldata (EIP-7623).
    #[error("insufficient gas for floor data gas cost: gas {gas_limit}, minimum needed {needed}")]
    FloorGas {
        /// Gas asked for.
        gas_limit: u64,
        /// Least gas.
        needed: u64,
    },
    /// Its creation code is too long (EIP-3860).
    #[error("max initcode size exceeded: code size {size}, limit {limit}")]
    InitCode {
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The tip exceeds the fee cap.
    #[error(
        "max priority fee per gas higher than max fee per gas: address {sender}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee}"
    )]
    TipAboveFee {
        /// Sender.
        sender: Address,
        /// Tip, in wei.
        tip: u128,
        /// Fee cap, in wei.
        fee: u128,
    },
    /// The fee cap is below the base fee of the next block.
    #[error(
        "max fee per gas less than block base fee: address {sender}, maxFeePerGas: {fee}, baseFee: {base_fee}"
    )]
    FeeTooLow {
        /// Sender.
        sender: Address,
        /// Fee cap, in wei.
        fee: u128,
        /// Base fee, in wei.
        base_fee: u64,
    },
    /// An EIP-7702 transaction without authorizations.
    #[error("EIP-7702 transaction with empty auth list (sender {sender})")]
    NoAuthorizations {
        /// Sender.
        sender: Address,
    },
    /// The sender's account has code other than a delegation (EIP-3607).
    #[error("sender not an eoa: address {sender}")]
    SenderIsContract {
        /// Sender.
        sender: Address,
    },
    /// The nonce was used.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// The account's next nonce.
        next: u64,
        /// The transaction's.
        nonce: u64,
    },
    /// The nonce is too far ahead.
    #[error("nonce too high: next nonce {next}, tx nonce {nonce}, gap limit {limit}")]
    NonceTooHigh {
        /// The account's next nonce.
        next: u64,
        /// The transaction's.
        nonce: u64,
        /// How far ahead a nonce may be.
        limit: u64,
    },
    /// The balance does not cover value and fees, the L1 data fee included.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}",
        cost.saturating_sub(*balance)
    )]
    InsufficientFunds {
        /// Balance, in wei.
        balance: U256,
        /// Highest cost of the transaction, in wei.
        cost: U256,
    },
    /// The pool or a block already holds it.
    #[error("already known")]
    AlreadyKnown,
    /// It does not pay enough to replace the sender's transaction with the same nonce.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The pool is full.
    #[error("txpool is full")]
    PoolFull,
    /// The sender has too many pending transactions.
    #[error("account limit exceeded: pooled {limit} txs")]
    SenderFull {
        /// Transactions allowed.
        limit: usize,
    },
    /// The sender's pending transactions have too many bytes.
    #[error("account limit exceeded: pooled {limit} bytes")]
    SenderBytesFull {
        /// Bytes allowed.
        limit: usize,
    },
    /// The full pool evicted it: it cannot run now, or another one pays more.
    #[error("dropped from the full txpool: it could not run, or another paid a higher tip")]
    Evicted,
    /// A nonce before its own was missing for too long.
    #[error("dropped from the txpool: no transaction with a lower nonce came within {seconds} s")]
    GapTimeout {
        /// How long it waited, in seconds.
        seconds: u64,
    },
    /// The sender replaced it by one with the same nonce.
    #[error("replaced by {by} with a higher fee")]
    Replaced {
        /// Hash of the other transaction.
        by: B256,
    },
    /// It was invalid when its turn in a block came.
    #[error("skipped at its turn: {reason}")]
    Skipped {
        /// Why it was invalid.
        reason: String,
    },
    /// Admission's queue is full.
    #[error("server is busy: too many transactions await their signature check")]
    Busy,
    /// The journal cannot be written, so nothing is accepted.
    #[error("{reason}; nothing is accepted")]
    JournalFailed {
        /// The journal's error.
        reason: String,
    },
    /// The node is a read-only replica.
    #[error("this node is a read-only replica: transactions go to the sequencer")]
    ReadOnly,
    /// The sequencer refused the forwarded transaction.
    #[error("{0}")]
    Forwarded(String),
    /// An operator drains the sequencer: it finishes its pool and accepts no transaction.
    #[error("sequencer is draining: no transactions are accepted")]
    Draining,
    /// The sequencer is shutting down.
    #[error("sequencer is shutting down")]
    Stopping,
}

/// The stable code and HTTP status of each refusal, with an example for the documented table. One
/// line each, so that none is forgotten.
macro_rules! refusals {
    ($($refusal:pat => $code:literal, $status:ident, $example:expr;)*) => {
        impl Refusal {
            /// The stable code, for programs.
            pub const fn code(&self) -> &'static str {
                match self {
                    $($refusal => $code,)*
                }
            }

            /// The HTTP status of REST's reply.
            pub const fn status(&self) -> StatusCode {
                match self {
                    $($refusal => StatusCode::$status,)*
                }
            }

            /// Code and status of each refusal.
            pub fn codes() -> impl Iterator<Item = (&'static str, StatusCode)> {
                [$(($code, StatusCode::$status),)*].into_iter()
            }

            #[cfg(test)]
            fn examples() -> Vec<(&'static str, Self)> {
                vec![$(($code, $example),)*]
            }
        }
    };
}

refusals! {
    Self::Undecodable(_) => "undecodable", BAD_REQUEST, Self::Undecodable(TxDecodeError::UnsupportedType(3));
    Self::Oversized { .. } => "oversized", PAYLOAD_TOO_LARGE, Self::Oversized { size: 140_000, limit: 131_072 };
    Self::ChainId { .. } => "wrong-chain-id", UNPROCESSABLE_ENTITY, Self::ChainId { have: 1, want: 901 };
    Self::Signature(_) => "invalid-signature", UNPROCESSABLE_ENTITY, Self::Signature(SignatureError::OutOfRange);
    Self::GasCap { .. } => "gas-limit-too-high", UNPROCESSABLE_ENTITY, Self::GasCap { gas_limit: 20_000_000, cap: 16_777_216 };
    Self::IntrinsicGas { .. } => "intrinsic-gas-too-low", UNPROCESSABLE_ENTITY, Self::IntrinsicGas { gas_limit: 20_000, needed: 21_000 };
    Self::FloorGas { .. } => "floor-gas-too-low", UNPROCESSABLE_ENTITY, Self::FloorGas { gas_limit: 21_500, needed: 22_000 };
    Self::InitCode { .. } => "initcode-too-long", UNPROCESSABLE_ENTITY, Self::InitCode { size: 50_000, limit: 49_152 };
    Self::TipAboveFee { .. } => "tip-above-fee-cap", UNPROCESSABLE_ENTITY, Self::TipAboveFee { sender: SAMPLE_SENDER, tip: 2, fee: 1 };
    Self::FeeTooLow { .. } => "fee-cap-below-base-fee", UNPROCESSABLE_ENTITY, Self::FeeTooLow { sender: SAMPLE_SENDER, fee: 1, base_fee: 7 };
    Self::NoAuthorizations { .. } => "no-authorizations", UNPROCESSABLE_ENTITY, Self::NoAuthorizations { sender: SAMPLE_SENDER };
    Self::SenderIsContract { .. } => "sender-not-eoa", UNPROCESSABLE_ENTITY, Self::SenderIsContract { sender: SAMPLE_SENDER };
    Self::NonceTooLow { .. } => "nonce-too-low", UNPROCESSABLE_ENTITY, Self::NonceTooLow { next: 5, nonce: 4 };
    Self::NonceTooHigh { .. } => "nonce-too-high", UNPROCESSABLE_ENTITY, Self::NonceTooHigh { next: 5, nonce: 2_000, limit: 1_024 };
    Self::InsufficientFunds { .. } => "insufficient-funds", UNPROCESSABLE_ENTITY, Self::InsufficientFunds { balance: U256::from(1), cost: U256::from(3) };
    Self::AlreadyKnown => "already-known", UNPROCESSABLE_ENTITY, Self::AlreadyKnown;
    Self::Underpriced => "replacement-underpriced", UNPROCESSABLE_ENTITY, Self::Underpriced;
    Self::PoolFull => "pool-full", SERVICE_UNAVAILABLE, Self::PoolFull;
    Self::SenderFull { .. } => "sender-full", UNPROCESSABLE_ENTITY, Self::SenderFull { limit: 1_024 };
    Self::SenderBytesFull { .. } => "sender-bytes-full", UNPROCESSABLE_ENTITY, Self::SenderBytesFull { limit: 4_194_304 };
    Self::Evicted => "evicted", UNPROCESSABLE_ENTITY, Self::Evicted;
    Self::GapTimeout { .. } => "nonce-gap-timeout", UNPROCESSABLE_ENTITY, Self::GapTimeout { seconds: 600 };
    Self::Replaced { .. } => "replaced", UNPROCESSABLE_ENTITY, Self::Replaced { by: B256::repeat_byte(0xab) };
    Self::Skipped { .. } => "skipped", UNPROCESSABLE_ENTITY, Self::Skipped { reason: "nonce too high: next nonce 5, tx nonce 6".to_owned() };
    Self::Busy => "busy", SERVICE_UNAVAILABLE, Self::Busy;
    Self::JournalFailed { .. } => "journal-failed", SERVICE_UNAVAILABLE, Self::JournalFailed { reason: "the journal cannot be written: disk is full".to_owned() };
    Self::ReadOnly => "read-only", FORBIDDEN, Self::ReadOnly;
    Self::Forwarded(_) => "refused-by-sequencer", UNPROCESSABLE_ENTITY, Self::Forwarded("the sequencer does not answer".to_owned());
    Self::Draining => "draining", SERVICE_UNAVAILABLE, Self::Draining;
    Self::Stopping => "stopping", SERVICE_UNAVAILABLE, Self::Stopping;
}

#[cfg(test)]
const SAMPLE_SENDER: Address = Address::repeat_byte(0x5e);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The expected content of `refusals.md`.
    fn table() -> String {
        let mut table = String::from("| code | HTTP | text, for example |\n|---|---|---|\n");
        for (code, example) in Refusal::examples() {
            assert_eq!(example.code(), code, "the example of {code} is another refusal");
            let status = example.status().as_u16();
            table.push_str(&format!("| `{code}` | {status} | {example} |\n"));
        }
        table
    }

    #[test]
    fn documented_table_lists_every_refusal() {
        crate::documented_table::assert_documented("refusals.md", &table());
    }

    #[test]
    fn refusal_codes_are_unique() {
        let codes: Vec<_> = Refusal::examples().into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }
}
