//! Witnesses: what an untrusted source says never panics, and never gives another value than the
//! true one where hashes are checked.

mod nodes;
mod program;
mod state;
mod tamper;

use crate::{Outcome, input::Input};

/// Reads trie nodes, a state or the proof program's oracle from false preimages. The first byte
/// says which.
pub fn witness(data: &[u8]) -> Outcome {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => nodes::check(&mut input),
        1 => state::check(&mut input),
        _ => program::check(&mut input),
    }
}
