//! Deposits and withdrawals as their owner sees them: transactions, proofs and stages.
//!
//! ```text
//! receipts ─► SentDeposit, Withdrawal ─► hashes on the other layer
//! Settlement (L1) ─► facts ─► DepositStage, WithdrawalStage: the next step, and when
//! Node (L2), or Replay (L1 alone) ─► WithdrawalProof ─► Wallet ─► L1
//! ```
//!
//! Decisions are pure code. Answers of an L2 node are checked against L1 before anything is sent.
//! [`Replay`] needs no L2 node: it derives and runs the chain from L1 alone and proves withdrawals
//! from that state.

mod deposit;
mod error;
mod layer;
mod node;
mod proof;
mod replay;
mod settlement;
mod stage;
mod token;
mod wallet;
mod withdrawal;

pub use deposit::SentDeposit;
pub use error::BridgeError;
pub use layer::Layer;
pub use node::{Block, Node, Receipt};
pub use proof::WithdrawalProof;
pub use replay::{Found, Replay};
pub use settlement::{Queue, Settlement};
pub use stage::{
    DepositFacts, DepositStage, OutputFacts, ProvenFacts, WithdrawalFacts, WithdrawalStage,
};
pub use token::Token;
pub use turnpike_l1::Call;
pub use wallet::Wallet;
