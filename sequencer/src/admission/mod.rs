//! What is known of a transaction before it may wait for a block.
//!
//! ```text
//! requests ─► queue of raw transactions ─► workers: decode, recover, check what needs no state ─► answers, in order
//!                                                                                                    │
//!                                               check_state: balance, code, nonce, by the producer ◄─┘
//! ```

mod state;
mod stateless;
mod workers;

pub(crate) use self::{
    state::{StateRules, check_state},
    stateless::{CheckedTx, check_stateless},
    workers::Admission,
};
