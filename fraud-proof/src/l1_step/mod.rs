//! One step of the machine as L1 makes it, and what L1 has to be shown for it.

mod load;

pub use load::{NotABlob, load_call};
