//! The L1 side of the sequencer: posts sealed blocks as batches and proposes outputs.
