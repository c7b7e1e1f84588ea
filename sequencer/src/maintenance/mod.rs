//! What can be done with a database that nobody writes, or that somebody else does: verify it, and rebuild its index.

mod index;
mod rebuild;
mod scan;
mod verify;

pub use rebuild::{Rebuilt, rebuild};
pub use verify::{Verified, VerifyConfig, VerifyScope, verify};
