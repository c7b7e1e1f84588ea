//! Reading a damaged journal fails.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use turnpike_storage::{Database, IndexBatch, StorageError};

use crate::{
    fixture::{CHAIN, append, input, open},
    place::{DatabasePart, Place},
};

/// The row to damage. There are rows before and after it.
const DAMAGED: u64 = 2;

async fn filled(place: &Place) -> Database {
    let database = open(place).await;
    for number in 1..=3 {
        append(&database, &input(number, &[format!("transaction {number}").as_bytes()])).await;
    }
    database
}

async fn execute(raw: &mut AnyConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(raw).await.expect("damages");
}

/// Whether reading detects the damage, both from the first row and from the damaged row.
async fn is_found(database: &Database) -> bool {
    let from_start = database.rows(0, 100).await;
    let alone = database.rows(DAMAGED, 1).await;
    let is_damaged = |read: &Result<_, _>| matches!(read, Err(StorageError::Damaged { .. }));
    is_damaged(&from_start) && is_damaged(&alone)
}

pub(crate) async fn any_flipped_byte_is_detected(place: Place) {
    let database = filled(&place).await;
    let mut raw = place.raw(DatabasePart::Journal).await;
    for column in ["payload", "checksum"] {
        let row =
            sqlx::query(AssertSqlSafe(format!("SELECT {column} FROM journal WHERE sequence = $1")))
                .bind(i64::try_from(DAMAGED).expect("fits 64 bits"))
                .fetch_one(&mut raw)
                .await
                .expect("reads");
        let bytes: Vec<u8> = row.try_get(0).expect("bytes");
        let update = format!("UPDATE journal SET {column} = $1 WHERE sequence = {DAMAGED}");
        let mut set = async |bytes: &[u8]| {
            let query = sqlx::query(AssertSqlSafe(update.clone())).bind(bytes.to_vec());
            query.execute(&mut raw).await.expect("damages");
        };
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            set(&flipped).await;
            assert!(is_found(&database).await, "byte {at} of {column}");
        }
        for torn in [&bytes[..bytes.len() - 1], &[]] {
            set(torn).await;
            assert!(is_found(&database).await, "{column} is torn");
        }
        set(&bytes).await;
        database.rows(0, 100).await.expect("the row is restored");
    }
    for column in ["epoch", "sequence"] {
        for byte in 0..8 {
            // Flip a sign bit as well.
            let bit = 1i64 << (byte * 8 + 7 - byte);
            let flip = |from: &str| {
                format!(
                    "UPDATE journal SET {column} = ({column} | {bit}) - ({column} & {bit}) WHERE {from}"
                )
            };
            execute(&mut raw, flip(&format!("sequence = {DAMAGED}"))).await;
            assert!(is_found(&database).await, "byte {byte} of {column}");
            let of_it = if column == "epoch" {
                format!("sequence = {DAMAGED}")
            } else {
                format!("sequence = ({DAMAGED} | {bit}) - ({DAMAGED} & {bit})")
            };
            execute(&mut raw, flip(&of_it)).await;
        }
    }
    database.rows(0, 100).await.expect("the row is restored");
}

pub(crate) async fn swapped_or_missing_rows_are_detected(place: Place) {
    let database = filled(&place).await;
    let mut raw = place.raw(DatabasePart::Journal).await;
    // Move an intact row to another position.
    for sql in [
        "UPDATE journal SET sequence = 1000 WHERE sequence = 2",
        "UPDATE journal SET sequence = 2 WHERE sequence = 4",
        "UPDATE journal SET sequence = 4 WHERE sequence = 1000",
    ] {
        execute(&mut raw, sql.into()).await;
    }
    assert!(is_found(&database).await);
    execute(&mut raw, "DELETE FROM journal WHERE sequence = 2".into()).await;
    assert!(is_found(&database).await);
    assert!(matches!(database.rows(3, 1).await, Err(StorageError::Damaged { key: 2, .. })));
    execute(&mut raw, "DELETE FROM journal WHERE sequence < 2".into()).await;
    assert!(matches!(database.rows(0, 1).await, Err(StorageError::Damaged { key: 0, .. })));
    // Opening checks the last row before anything can be appended.
    execute(&mut raw, "UPDATE journal SET epoch = 0 WHERE sequence = 5".into()).await;
    database.close().await;
    drop(database);
    let opened = Database::open(&place.location(), CHAIN).await;
    assert!(matches!(opened, Err(StorageError::Damaged { key: 5, .. })));
}

pub(crate) async fn row_of_another_history_is_refused(place: Place) {
    let database = filled(&place).await;
    let other = place.other();
    let elsewhere = open(&other).await;
    append(&elsewhere, &input(1, &[b"something else"])).await;
    append(&elsewhere, &input(2, &[b"transaction 2"])).await;
    // The row is intact and at its position, and its content is the same, but its checksum is
    // another chain's.
    assert_eq!(
        database.rows(2, 1).await.expect("reads"),
        elsewhere.rows(2, 1).await.expect("reads")
    );
    let row = sqlx::query("SELECT checksum FROM journal WHERE sequence = 2")
        .fetch_one(&mut other.raw(DatabasePart::Journal).await)
        .await
        .expect("reads");
    sqlx::query("UPDATE journal SET checksum = $1 WHERE sequence = 2")
        .bind(row.try_get::<Vec<u8>, _>(0).expect("bytes"))
        .execute(&mut place.raw(DatabasePart::Journal).await)
        .await
        .expect("damages");
    assert!(is_found(&database).await);
}

pub(crate) async fn journal_of_another_chain_is_refused(place: Place) {
    let database = filled(&place).await;
    database.close().await;
    drop(database);
    let other = alloy_primitives::B256::repeat_byte(2);
    let mut raw = place.raw(DatabasePart::Journal).await;
    sqlx::query("UPDATE meta SET value = $1")
        .bind(other.to_vec())
        .execute(&mut raw)
        .await
        .expect("claims");
    let database = Database::open_read_only(&place.location(), other).await.expect("opens");
    assert!(matches!(database.rows(0, 1).await, Err(StorageError::Damaged { key: 0, .. })));
}

pub(crate) async fn lost_end_of_the_journal_is_detected(place: Place) {
    let database = filled(&place).await;
    let batch = IndexBatch { to: 6, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    database.close().await;
    drop(database);
    let mut raw = place.raw(DatabasePart::Journal).await;
    execute(&mut raw, "DELETE FROM journal WHERE sequence >= 5".into()).await;
    let opened = Database::open(&place.location(), CHAIN).await;
    assert!(matches!(opened, Err(StorageError::EndMissing { end: 5, indexed: 6, .. })));
}
