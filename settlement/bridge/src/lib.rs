//! Money between L1 and L2, as its owner sees it: deposits, withdrawals, their proofs and how far they are.
//!
//! ```text
//! receipts ─► SentDeposit, Withdrawal ─► names on the other layer
//! Settlement (L1) ─► facts ─► DepositStage, WithdrawalStage: what comes next, and when
//! Node (L2), or Replay (L1 alone) ─► WithdrawalProof ─► Wallet ─► L1
//! ```
//!
//! What decides is pure; nodes are only asked. What an L2 node says is checked against L1 before anything is sent. With
//! [`Replay`] no L2 node is needed: the chain is derived and run from L1 alone, and the proof made from that state.

mod deposit;
mod error;
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
pub use node::{Block, Layer, Node, Receipt};
pub use proof::WithdrawalProof;
pub use replay::{Found, Replay};
pub use settlement::{Queue, Settlement};
pub use stage::{
    DepositFacts, DepositStage, OutputFacts, ProvenFacts, WithdrawalFacts, WithdrawalStage,
};
pub use token::Token;
pub use turnpike_l1::Call;
pub use wallet::Wallet;
