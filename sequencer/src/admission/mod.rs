//! Admission: decodes submissions, recovers their signers and checks their form, before the pool
//! sees them.
//!
//! ```text
//! submissions ─► queue ─► workers: decode, recover, check without state ─► results, in order
//!                                                                            │
//!                       check_state: balance, code, nonce, by the producer ◄─┘
//! ```

mod state;
mod stateless;
mod workers;

pub(crate) use self::{
    state::{StateRules, check_state},
    stateless::{CheckedTx, check_stateless},
    workers::Admission,
};
