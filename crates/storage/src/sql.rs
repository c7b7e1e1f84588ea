//! Helpers that the queries share.

use std::fmt::Write as _;

use alloy_primitives::Bytes;
use alloy_rlp::Encodable;
use sqlx::{Any, AnyConnection, AssertSqlSafe, any::AnyArguments, query::Query};

use crate::StorageError;

/// Rows in one statement. More rows would save little, because SQLite compares each parameter's
/// name with all names before it.
pub(crate) const ROWS_PER_STATEMENT: usize = 64;

/// Runs `sql` for all `rows`, up to [`ROWS_PER_STATEMENT`] at a time. Replaces `?` in `sql` with
/// `($1, $2, …), …`, with `COLUMNS` parameters per row.
pub(crate) async fn for_rows<const COLUMNS: usize, T>(
    connection: &mut AnyConnection,
    sql: &str,
    rows: &[T],
    bind: impl for<'q> Fn(Query<'q, Any, AnyArguments>, &T) -> Query<'q, Any, AnyArguments>,
) -> Result<(), StorageError> {
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let sql = sql.replace('?', &placeholders(chunk.len(), COLUMNS));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for row in chunk {
            query = bind(query, row);
        }
        // Only statements for full chunks are cached, because every other length is a separate
        // statement.
        query.persistent(chunk.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

/// `($1, $2), ($3, $4)`, and so on.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let separator = if column == 1 { "" } else { ", " };
            let _ = write!(text, "{separator}${}", row * columns + column);
        }
        text.push(')');
    }
    text
}

pub(crate) fn encoded(value: &impl Encodable) -> Vec<u8> {
    alloy_rlp::encode(value)
}

/// SQL integers are signed; block numbers and indexes stay far below the sign bit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("invariant: numbers stay below 2^63")
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).expect("invariant: only non-negative numbers are stored")
}

pub(crate) fn bytes(raw: &[u8]) -> Bytes {
    Bytes::copy_from_slice(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_across_rows() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(placeholders(1, 1), "($1)");
    }
}
