//! The log of waiting transactions, which changes with the journal's rows.

use std::slice::from_ref;

use alloy_primitives::{B64, keccak256};
use turnpike_storage::{
    AcceptedBytes, AcceptedTx, Database, JournalEntry, JournalRow, ReorgEntry, SliceEntry,
    StorageError,
};

use crate::{
    fixture::{accepted, included, open, reopen, waiting},
    place::{DatabasePart, Place},
};

fn refused(raw: &[u8]) -> JournalEntry {
    let refused = vec![(keccak256(raw), "replaced".into())];
    JournalEntry::Slice(SliceEntry { refused, ..SliceEntry::default() })
}

fn reorg(waiting: Vec<AcceptedTx>, refused: &[&[u8]]) -> JournalEntry {
    let refused = refused.iter().map(|raw| (keccak256(raw), "nonce too low".into())).collect();
    JournalEntry::Reorg(ReorgEntry { first_block: 1, reason: "forced".into(), waiting, refused })
}

/// A block that skips a transaction.
fn skipped(raw: &[u8]) -> JournalEntry {
    let mut entry = included(&[raw]);
    if let JournalEntry::Slice(SliceEntry { part: Some(part), .. }) = &mut entry {
        *part.outcomes.last_mut().expect("it has one") = B64::ZERO;
    }
    entry
}

async fn log(database: &Database) -> Vec<AcceptedTx> {
    database.waiting().await.expect("reads")
}

/// The rows as a replica reads them.
async fn copied(database: &Database) -> Vec<JournalRow> {
    let rows = database.encoded_rows(0, 100).await.expect("reads");
    rows.iter().map(|row| row.decode().expect("is intact")).collect()
}

/// Bytes of all rows.
async fn payload_bytes(database: &Database) -> usize {
    let rows = database.encoded_rows(0, 100).await.expect("reads");
    rows.iter().map(|row| row.payload.len()).sum()
}

pub(crate) async fn log_holds_what_waits_at_the_end(place: Place) {
    let mut database = open(&place).await;
    let (one, two, three) = (accepted(5, b"one"), accepted(6, b"two"), accepted(7, b"three"));
    let again = accepted(9, b"two");
    let steps = [
        (vec![waiting(&[one.clone(), two.clone()])], vec![one.clone(), two.clone()]),
        (vec![waiting(from_ref(&three)), refused(b"two")], vec![one.clone(), three.clone()]),
        // Accepted again, and accepted twice.
        (vec![waiting(from_ref(&again))], vec![one.clone(), three.clone(), again.clone()]),
        (
            vec![waiting(&[accepted(8, b"one")])],
            vec![three.clone(), accepted(8, b"one"), again.clone()],
        ),
        (vec![skipped(b"three")], vec![three.clone(), accepted(8, b"one"), again.clone()]),
        (vec![included(&[b"two", b"one", b"other"])], vec![three.clone()]),
        // Back from a void block, in front of the others.
        (vec![reorg(vec![accepted(1, b"one")], &[b"two"])], vec![accepted(1, b"one"), three]),
        (vec![refused(b"three"), included(&[b"one"])], vec![]),
    ];
    for (at, (entries, expected)) in steps.into_iter().enumerate() {
        database.append(&entries).await.expect("appends");
        assert_eq!(log(&database).await, expected, "step {at}");
        // The writer knows the log again after a restart.
        database = reopen(database, &place).await;
        assert_eq!(log(&database).await, expected, "step {at}, after a restart");
    }
}

pub(crate) async fn outcome_in_the_same_append_is_never_logged(place: Place) {
    let database = open(&place).await;
    let mut raw = place.raw(DatabasePart::Journal).await;
    sqlx::query("ALTER TABLE waiting RENAME TO hidden").execute(&mut raw).await.expect("hides");
    let entries = [
        waiting(&[accepted(1, b"one"), accepted(2, b"two"), accepted(3, b"three")]),
        refused(b"two"),
        included(&[b"one", b"three", b"never waited"]),
    ];
    database.append(&entries).await.expect("does not touch the log");
    assert!(database.append(&entries[..1]).await.is_err(), "three transactions wait");
    assert_eq!(database.journal_end().await.expect("reads"), 3);
}

pub(crate) async fn failed_append_leaves_the_log_unchanged(place: Place) {
    let database = open(&place).await;
    let first = vec![accepted(1, b"one"), accepted(2, b"two")];
    database.append(&[waiting(&first)]).await.expect("appends");
    // The last of many rows cannot be written.
    let mut raw = place.raw(DatabasePart::Journal).await;
    sqlx::query("INSERT INTO journal (sequence, epoch, payload, checksum) VALUES (101, 9, $1, $1)")
        .bind(vec![1_u8])
        .execute(&mut raw)
        .await
        .expect("inserts");
    let mut entries = vec![refused(b"one"), waiting(&[accepted(3, b"three")])];
    entries.resize(101, waiting(&[]));
    assert!(database.append(&entries).await.is_err());
    assert_eq!(log(&database).await, first);
    sqlx::query("DELETE FROM journal WHERE sequence = 101")
        .execute(&mut raw)
        .await
        .expect("deletes");
    assert_eq!(database.append(&entries).await.expect("appends"), 1..102);
    assert_eq!(log(&database).await, [accepted(2, b"two"), accepted(3, b"three")]);
}

pub(crate) async fn rows_do_not_hold_waiting_bytes(place: Place) {
    let database = open(&place).await;
    let raws: Vec<_> = (0..20_u8).map(|seed| vec![seed; 100_000]).collect();
    for (raw, arrival) in raws.iter().zip(0..) {
        database.append(&[waiting(&[accepted(arrival, raw)])]).await.expect("appends");
    }
    assert_eq!(log(&database).await.len(), 20);
    for raw in &raws[1..] {
        database.append(&[refused(raw)]).await.expect("appends");
    }
    assert_eq!(log(&database).await, [accepted(0, &raws[0])]);
    let bytes = payload_bytes(&database).await;
    assert!(bytes < 10_000, "{bytes} bytes in rows");
}

pub(crate) async fn replica_copies_the_log(place: Place) {
    let database = open(&place).await;
    let entries = [
        waiting(&[accepted(1, b"gone"), accepted(2, b"waits")]),
        refused(b"gone"),
        included(&[b"block"]),
        reorg(vec![accepted(0, b"block")], &[]),
    ];
    database.append(&entries).await.expect("appends");
    let rows = copied(&database).await;
    let bytes = |row: &JournalRow| -> Vec<bool> {
        let accepted = match &row.entry {
            JournalEntry::Slice(slice) => &slice.accepted,
            JournalEntry::Reorg(reorg) => &reorg.waiting,
            JournalEntry::Sealed(_) => return Vec::new(),
        };
        accepted.iter().map(|tx| tx.bytes().is_some()).collect()
    };
    assert_eq!(bytes(&rows[0]), [false, true], "only what waits has bytes");
    assert_eq!(bytes(&rows[3]), [true]);

    let other = place.other();
    let replica = open(&other).await;
    // Row by row: the replica knows of a transaction whose bytes the source has dropped.
    replica.append_rows(&rows[..1]).await.expect("appends");
    let mut unknown = accepted(1, b"gone");
    unknown.raw = AcceptedBytes::Log(None);
    assert_eq!(log(&replica).await, [unknown, accepted(2, b"waits")]);
    replica.append_rows(&rows[1..]).await.expect("appends");
    assert_eq!(log(&replica).await, log(&database).await);
    let encoded = database.encoded_rows(0, 9).await.expect("reads");
    assert_eq!(replica.encoded_rows(0, 9).await.expect("reads"), encoded);
}

pub(crate) async fn foreign_bytes_beside_a_row_are_refused(place: Place) {
    let database = open(&place).await;
    database.append(&[waiting(&[accepted(1, b"one")])]).await.expect("appends");
    let mut row = database.encoded_rows(0, 1).await.expect("reads").remove(0);
    row.decode().expect("is intact");
    row.waiting.push(b"two".to_vec().into());
    let error = row.decode().expect_err("the row did not accept it");
    assert!(error.contains("does not accept"), "{error}");
    let mut raw = place.raw(DatabasePart::Journal).await;
    sqlx::query("UPDATE waiting SET raw = $1")
        .bind(b"two".to_vec())
        .execute(&mut raw)
        .await
        .expect("damages");
    let damaged = database.waiting().await;
    assert!(matches!(damaged, Err(StorageError::Damaged { table: "waiting", .. })), "{damaged:?}");
}
