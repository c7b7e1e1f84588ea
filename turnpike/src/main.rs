//! The turnpike command: dev, sequencer, batcher, proposer and challenger.
fn main() {}
