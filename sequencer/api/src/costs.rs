//! What REST requests and submitted bytes cost their client in units. JSON-RPC's other costs stand in
//! the method tables.

/// Bytes of a submitted transaction that cost one unit, on top of its other cost. The journal's disk
/// writes them even if the transaction is replaced or never runs.
const SUBMITTED_BYTES_PER_UNIT: usize = 128;

/// Cost of a rejected transaction, on top of the request: its signature was checked in vain.
pub(super) const REFUSED_TRANSACTION_UNITS: u32 = 20;

/// Cost of a REST request. One that submits transactions pays for each of them as well.
pub(super) const REST_UNITS: u32 = 5;

/// Cost of a REST request that makes the node ask L1.
pub(super) const L1_REST_UNITS: u32 = 100;

/// Cost of a transaction that is submitted over REST.
pub(super) const TRANSACTION_UNITS: u32 = 10;

/// Cost of the bytes of a submitted transaction.
pub(super) fn submitted_units(bytes: usize) -> u32 {
    u32::try_from(bytes / SUBMITTED_BYTES_PER_UNIT).unwrap_or(u32::MAX)
}
