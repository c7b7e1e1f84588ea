//! The L1 side: contract bindings, deployment and the readers of inbox, deposits and outputs.
