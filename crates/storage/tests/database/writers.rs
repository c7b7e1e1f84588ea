//! One writer at a time: locks, epochs and readers.

use alloy_primitives::B256;
use turnpike_storage::{Database, IndexBatch, StorageError};

use crate::{
    fixture::{CHAIN, append, input, open, reopen, rows, waiting},
    place::{DatabasePart, Place},
};

pub(crate) async fn second_writer_and_other_chain_are_refused(place: Place) {
    let database = open(&place).await;
    let second = Database::open(&place.location(), CHAIN).await;
    assert!(matches!(second, Err(StorageError::InUse(_))));
    let reader =
        Database::open_read_only(&place.location(), CHAIN).await.expect("opens beside a writer");
    append(&database, &input(1, &[])).await;
    assert_eq!(reader.rows(0, 10).await.expect("reads").len(), 2);
    assert_eq!(reader.head_block().await.expect("reads"), Some(1));
    assert!(
        matches!(reader.append(&[]).await, Err(StorageError::Closed)),
        "a reader cannot append"
    );
    drop((database, reader));
    let other = B256::repeat_byte(2);
    for opened in [
        Database::open(&place.location(), other).await,
        Database::open_read_only(&place.location(), other).await,
    ] {
        let Err(StorageError::OtherGenesis { found, .. }) = opened else {
            panic!("the database must not open")
        };
        assert_eq!(found, CHAIN);
    }
}

pub(crate) async fn writer_of_an_older_epoch_is_fenced(place: Place) {
    let database = open(&place).await;
    append(&database, &input(1, &[])).await;
    // Another process has begun a new epoch, whatever happened to the lock.
    let mut raw = place.raw(DatabasePart::Journal).await;
    sqlx::query("UPDATE writer_epoch SET epoch = epoch + 1")
        .execute(&mut raw)
        .await
        .expect("writes the epoch");
    let mut index = place.raw(DatabasePart::Index).await;
    sqlx::query("UPDATE index_cursor SET epoch = epoch + 1")
        .execute(&mut index)
        .await
        .expect("writes the epoch");
    for _ in 0..2 {
        let appended = database.append(&rows(&input(2, &[]))).await;
        assert!(matches!(appended, Err(StorageError::Fenced(1))));
        let many = vec![waiting(&[]); 1_001];
        assert!(matches!(database.append(&many).await, Err(StorageError::Fenced(1))));
    }
    let indexed = database.index(&IndexBatch { to: 2, ..IndexBatch::default() }).await;
    assert!(matches!(indexed, Err(StorageError::Fenced(1))));
    assert_eq!(database.journal_end().await.expect("reads"), 2);
    let database = reopen(database, &place).await;
    append(&database, &input(2, &[])).await;
    assert_eq!(database.rows(2, 1).await.expect("reads")[0].epoch, 3);
}

pub(crate) async fn closed_database_refuses_reads_and_writes(place: Place) {
    let database = open(&place).await;
    database.close().await;
    assert!(matches!(database.append(&rows(&input(1, &[]))).await, Err(StorageError::Closed)));
    assert!(matches!(database.rows(0, 1).await, Err(StorageError::Closed)));
    assert!(matches!(database.index(&IndexBatch::default()).await, Err(StorageError::Closed)));
    // Another process may write now.
    open(&place).await;
}
