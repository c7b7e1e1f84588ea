//! What REST requests cost their client in units. JSON-RPC's costs stand in the method tables.

/// Cost of a rejected transaction, on top of the request: its signature was checked in vain.
pub(super) const REFUSED_TRANSACTION_UNITS: u32 = 20;

/// Cost of a REST request. One that submits transactions pays for each of them as well.
pub(super) const REST_UNITS: u32 = 5;

/// Cost of a REST request that makes the node ask L1.
pub(super) const L1_REST_UNITS: u32 = 100;

/// Cost of a transaction that is submitted over REST.
pub(super) const TRANSACTION_UNITS: u32 = 10;
