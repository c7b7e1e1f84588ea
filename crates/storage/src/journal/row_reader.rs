//! Reads rows and checks that each continues the one before it.

use alloy_primitives::B256;
use sqlx::{Row as _, any::AnyRow};
use turnpike_keccak::keccak256_many;

use super::{
    EncodedRow, JournalRow,
    checksum::{Checksum, checksum_input, first_checksum},
    damaged,
};
use crate::StorageError;

/// Rows whose checksums are hashed together, in SIMD lanes.
const HASH_BATCH_ROWS: usize = 64;

/// Decodes rows from `from` on. The row before them comes first in `rows`, if there is one.
pub(super) fn read_rows(
    rows: &[AnyRow],
    from: u64,
    chain: B256,
) -> Result<Vec<JournalRow>, StorageError> {
    let decode = |row: EncodedRow| row.decode().map_err(|reason| damaged(row.sequence, reason));
    read_encoded(rows, from, chain)?.into_iter().map(decode).collect()
}

/// [`read_rows`] without decoding. Checks that each row is at its place and continues the one
/// before.
pub(super) fn read_encoded(
    rows: &[AnyRow],
    from: u64,
    chain: B256,
) -> Result<Vec<EncodedRow>, StorageError> {
    let mut read = Vec::with_capacity(rows.len());
    let mut before = first_checksum(chain);
    // Of the row before the first, only the checksum is used.
    for (row, sequence) in rows.iter().zip(from.saturating_sub(1)..) {
        match encoded_row(row, sequence) {
            Ok(row) if sequence < from => before = row.checksum.0,
            Ok(row) => read.push(row),
            Err(error) => {
                // An earlier row with a wrong checksum is the error to report.
                check_chain(before, &read)?;
                return Err(error);
            }
        }
    }
    check_chain(before, &read)?;
    Ok(read)
}

fn encoded_row(row: &AnyRow, sequence: u64) -> Result<EncodedRow, StorageError> {
    if number(row, 0)? != sequence {
        return Err(damaged(sequence, "row is missing".into()));
    }
    let checksum = stored_checksum(row)?.into();
    let (epoch, payload) = (number(row, 1)?, blob(row, 2, sequence)?.to_vec().into());
    Ok(EncodedRow { sequence, epoch, checksum, payload, waiting: Vec::new() })
}

/// Checks that each of these rows continues the one before it, and the first one `before`.
fn check_chain(mut before: Checksum, rows: &[EncodedRow]) -> Result<(), StorageError> {
    for rows in rows.chunks(HASH_BATCH_ROWS) {
        let chained = rows.iter().map(|row| {
            let before = std::mem::replace(&mut before, row.checksum.0);
            checksum_input(&before, row.sequence, row.epoch, &row.payload)
        });
        let chained: Vec<_> = chained.collect();
        let messages: Vec<_> = chained.iter().map(Vec::as_slice).collect();
        let mut hashes = vec![[0; 32]; rows.len()];
        keccak256_many(&messages, &mut hashes);
        let is_wrong = |(row, hash): &(&EncodedRow, &[u8; 32])| hash[..8] != row.checksum[..];
        if let Some((row, _)) = rows.iter().zip(&hashes).find(is_wrong) {
            return Err(damaged(row.sequence, "checksum mismatch".into()));
        }
    }
    Ok(())
}

pub(super) fn number(row: &AnyRow, column: usize) -> Result<u64, StorageError> {
    let value: i64 = row.try_get(column)?;
    let sequence = || row.try_get::<i64, _>(0).ok().and_then(|sequence| sequence.try_into().ok());
    value.try_into().map_err(|_| {
        let reason = format!("{value} is negative: expected a sequence or an epoch");
        damaged(sequence().unwrap_or_default(), reason)
    })
}

fn blob(row: &AnyRow, column: usize, sequence: u64) -> Result<&[u8], StorageError> {
    row.try_get(column).map_err(|error| damaged(sequence, error.to_string()))
}

pub(super) fn stored_checksum(row: &AnyRow) -> Result<Checksum, StorageError> {
    let sequence = number(row, 0)?;
    let stored = blob(row, 3, sequence)?;
    stored.try_into().map_err(|_| damaged(sequence, "checksum has the wrong length".into()))
}
