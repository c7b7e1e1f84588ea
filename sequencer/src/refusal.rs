use alloy_primitives::{Address, U256};

/// Why a transaction is not taken. The texts are geth's where geth has one: clients match on them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not a transaction this chain takes.
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
        /// Chain id of the transaction.
        have: u64,
        /// Chain id here.
        want: u64,
    },
    /// Nobody signed it.
    #[error("invalid sender: {0}")]
    Signature(#[from] turnpike_protocol::SignatureError),
    /// It asks for more gas than a transaction may (EIP-7825).
    #[error("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")]
    GasCap {
        /// Gas asked for.
        gas_limit: u64,
        /// Gas allowed.
        cap: u64,
    },
    /// Its gas limit is below what it costs before anything runs.
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
    /// The sender's account has code that is no delegation (EIP-3607).
    #[error("sender not an eoa: address {sender}")]
    SenderIsContract {
        /// Sender.
        sender: Address,
    },
    /// The nonce is used up.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// The account's next nonce.
        next: u64,
        /// The transaction's.
        nonce: u64,
    },
    /// The nonce is so far ahead that the transaction would wait for too many others.
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
        /// Most that the transaction may cost, in wei.
        cost: U256,
    },
    /// It is in the pool, or in a block, already.
    #[error("already known")]
    AlreadyKnown,
    /// One with the same sender and nonce is there and pays about as much.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The pool is full.
    #[error("txpool is full")]
    PoolFull,
    /// The sender has too many transactions waiting.
    #[error("account limit exceeded: pooled {limit} txs")]
    SenderFull {
        /// Transactions allowed.
        limit: usize,
    },
    /// The sequencer is stopping.
    #[error("sequencer is shutting down")]
    Stopping,
}

impl Refusal {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undecodable(_) => "undecodable",
            Self::Oversized { .. } => "oversized",
            Self::ChainId { .. } => "wrong-chain-id",
            Self::Signature(_) => "invalid-signature",
            Self::GasCap { .. } => "gas-limit-too-high",
            Self::IntrinsicGas { .. } => "intrinsic-gas-too-low",
            Self::FloorGas { .. } => "floor-gas-too-low",
            Self::InitCode { .. } => "initcode-too-long",
            Self::TipAboveFee { .. } => "tip-above-fee-cap",
            Self::FeeTooLow { .. } => "fee-cap-below-base-fee",
            Self::NoAuthorizations { .. } => "no-authorizations",
            Self::SenderIsContract { .. } => "sender-not-eoa",
            Self::NonceTooLow { .. } => "nonce-too-low",
            Self::NonceTooHigh { .. } => "nonce-too-high",
            Self::InsufficientFunds { .. } => "insufficient-funds",
            Self::AlreadyKnown => "already-known",
            Self::Underpriced => "replacement-underpriced",
            Self::PoolFull => "pool-full",
            Self::SenderFull { .. } => "sender-full",
            Self::Stopping => "stopping",
        }
    }
}
