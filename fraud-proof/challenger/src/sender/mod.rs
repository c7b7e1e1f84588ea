//! Sends a challenger's transactions: the only user of its key.
//!
//! ```text
//! orders, the most urgent first ─► Sender ─► estimate ─► offer ─► sign ─► record ─► broadcast ─► L1
//!                                    ▲                                                            │
//!           Book: what is in flight ─┴── upkeep: again, dearer, given up ◄── receipts, nonces ◄───┘
//! ```
//!
//! What is decided is decided by pure code: `Book` of what is in flight, `offer` of fees. Whatever is signed is recorded before
//! it is broadcast, and kept until no reorg brings it back: after a crash, a lost pool or a reorg the very same transaction is
//! told again, so that no bond is paid twice.

mod book;
mod driver;
mod offer;
mod purpose;

pub(crate) use book::Look;
pub(crate) use driver::{Order, Outcome, Sender};
pub use offer::FeePolicy;
pub(crate) use purpose::Purpose;
