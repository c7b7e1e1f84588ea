//! The sequencer: admission, ordering, block production and the HTTP API.
