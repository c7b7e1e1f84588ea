//! Maintenance of a database: verify it, even while a node writes it, and rebuild its index.

mod index;
mod rebuild;
mod scan;
mod verify;

pub use rebuild::{Rebuilt, rebuild};
pub use verify::{Verified, VerifyConfig, VerifyScope, verify};
