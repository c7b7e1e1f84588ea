//! The challenger: derives the chain from L1, re-executes it and disputes false outputs.
