//! PostgreSQL servers: full disks, lost connections, crashes, schemas.

use sqlx::Executor as _;
use turnpike_storage::{Database, StorageError};
use turnpike_test_postgres::Server;

use crate::{
    fixture::{CHAIN, append, input, open, rows},
    place::{DatabasePart, Place},
};

/// Makes the server fail an append with the error of a full disk.
const FULL: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
     CREATE TRIGGER full_disk BEFORE INSERT ON journal FOR EACH ROW WHEN (NEW.sequence = 3) EXECUTE FUNCTION full_disk()";

pub(crate) async fn full_disk_leaves_the_journal_unchanged(place: Place) {
    let database = open(&place).await;
    database.append(&rows(&input(1, &[]))).await.expect("appends");
    let mut raw = place.raw(DatabasePart::Journal).await;
    raw.execute(FULL).await.expect("creates the trigger");
    let error = database.append(&rows(&input(2, &[]))).await.expect_err("is full");
    assert!(error.is_full() && !error.is_outcome_unknown(), "{error}");
    assert_eq!(database.journal_end().await.expect("reads"), 2);
    raw.execute("DROP TRIGGER full_disk ON journal").await.expect("drops the trigger");
    assert_eq!(database.append(&rows(&input(2, &[]))).await.expect("appends"), 2..4);
}

pub(crate) async fn lost_connection_ends_writing(place: Place) {
    let old = open(&place).await;
    append(&old, &input(1, &[])).await;
    let mut raw = place.raw(DatabasePart::Journal).await;
    raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
         WHERE locktype = 'advisory' AND granted AND datname = current_database()",
    )
    .await
    .expect("terminates");
    let error = old.append(&rows(&input(2, &[]))).await.expect_err("is lost");
    assert!(matches!(error, StorageError::Lost(_)) && error.is_outcome_unknown(), "{error:?}");
    let new = open(&place).await;
    append(&new, &input(2, &[])).await;
    for _ in 0..2 {
        let error = old.append(&rows(&input(3, &[]))).await.expect_err("does not come back");
        assert!(matches!(error, StorageError::Lost(_)), "{error:?}");
    }
    assert_eq!(new.journal_end().await.expect("reads"), 4);
}

pub(crate) async fn appended_rows_survive_a_server_crash(_: Place) {
    let mut server = Server::start().expect("starts");
    let place = Place::at(server.create_database().expect("creates"));
    let database = open(&place).await;
    append(&database, &input(1, &[b"one"])).await;
    database.append(&rows(&input(2, &[b"two"]))).await.expect("appends");
    server.crash().expect("starts again");
    assert!(database.append(&rows(&input(3, &[]))).await.is_err(), "it was another server");
    drop(database);
    let database = open(&place).await;
    assert_eq!(database.rows(0, 10).await.expect("reads").len(), 4);
    assert_eq!(database.sealed_blocks(1, 10).await.expect("reads"), [input(1, &[b"one"])]);
    let again = Database::open(&place.location(), CHAIN).await;
    assert!(matches!(again, Err(StorageError::InUse(_))));
}

pub(crate) async fn schemas_are_separate_databases(place: Place) {
    let database = open(&place).await;
    let mut raw = place.raw(DatabasePart::Journal).await;
    let other = place.with_schema("other");
    let opened = Database::open(&other.location(), CHAIN).await;
    let Err(StorageError::Unusable { reason, .. }) = opened else {
        panic!("the schema does not exist")
    };
    assert_eq!(reason, "there is no such schema");
    raw.execute("CREATE SCHEMA other").await.expect("creates");
    let second = open(&other).await;
    append(&second, &input(1, &[])).await;
    assert_eq!(second.journal_end().await.expect("reads"), 2);
    assert_eq!(database.journal_end().await.expect("reads"), 0);
}
