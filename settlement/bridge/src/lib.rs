//! Deposits and withdrawals as their owner sees them: transactions, proofs and stages.
//!
//! ```text
//! TokenDeposit, WithdrawalRequest ─► checks ─► Call ─► Wallet ─► Receipt
//! Receipt ─► SentDeposit, Withdrawn ─► hashes on the other layer
//! Settlement (L1) ─► facts ─► DepositStage, WithdrawalStage: the next step, and when
//! L2Source: a Node, or Replay (L1 alone) ─► WithdrawalProof ─► Calls ─► Wallet ─► L1
//! ```
//!
//! Decisions are pure code. Answers of an L2 node are checked against L1 before anything is sent.
//! [`Replay`] needs no L2 node: it derives and runs the chain from L1 alone and proves withdrawals
//! from that state.
//!
//! The crate prints nothing and waits for nothing but inclusion: waiting for a stage is up to the
//! caller, with [`BridgeError::is_early`] and [`BridgeError::may_pass`].

mod calls;
mod deposit;
mod deposit_stage;
mod error;
mod layer;
mod node;
mod proof;
mod queue;
mod replay;
mod settlement;
mod source;
mod status;
mod token;
mod transfer;
mod wallet;
mod withdrawal;
mod withdrawal_stage;

pub use calls::Calls;
pub use deposit::SentDeposit;
pub use deposit_stage::{DepositFacts, DepositStage};
pub use error::BridgeError;
pub use layer::Layer;
pub use node::{Node, Receipt};
pub use proof::WithdrawalProof;
pub use queue::Queue;
pub use replay::Replay;
pub use settlement::Settlement;
pub use source::L2Source;
pub use status::DepositStatus;
pub use transfer::{TokenDeposit, WithdrawalRequest};
pub use turnpike_l1::Call;
pub use wallet::Wallet;
pub use withdrawal::Withdrawn;
pub use withdrawal_stage::{OutputFacts, ProvenFacts, WithdrawalFacts, WithdrawalStage};
