//! The state transition: one block of transactions on revm.
