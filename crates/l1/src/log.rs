//! Reading of the contracts' logs.

use alloy::{rpc::types::Log, sol_types::SolEvent};
use alloy_primitives::B256;

use crate::L1Error;

/// Checks that a record's index is the next one. A gap means that the endpoint has not served all
/// logs yet.
pub(crate) fn check_next(what: &str, found: u64, expected: usize) -> Result<(), L1Error> {
    let expected = expected as u64;
    match found.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => {
            Err(L1Error::NotYet(format!("{what} {expected} was not served, {what} {found} was")))
        }
        std::cmp::Ordering::Less => Err(malformed(&format!("{what} {found} twice"))),
    }
}

pub(crate) fn decode<E: SolEvent>(log: &Log) -> Result<E, L1Error> {
    let decoded = log.log_decode::<E>();
    Ok(decoded.map_err(|error| L1Error::Inconsistent(error.to_string()))?.inner.data)
}

pub(crate) fn transaction_of(log: &Log) -> Result<B256, L1Error> {
    log.transaction_hash.ok_or_else(|| malformed("a log without a transaction"))
}

pub(crate) fn malformed(what: &str) -> L1Error {
    L1Error::Inconsistent(what.to_owned())
}
