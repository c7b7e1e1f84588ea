//! Appending and reading rows of the journal.

use alloy_primitives::keccak256;
use turnpike_storage::{
    Database, IndexBatch, JournalEntry, JournalRow, ReorgEntry, SliceEntry, StorageError,
};

use crate::{
    fixture::{
        CHAIN, accepted, append, block, in_row, input, open, part, reopen, rows, sealed, waiting,
    },
    place::Place,
};

pub(crate) async fn restart_finds_appended_rows(place: Place) {
    let database = open(&place).await;
    let first = input(1, &[b"one", b"two"]);
    let entries = [
        waiting(&[accepted(5, b"later")]),
        part(&first, true, &[b"one"], false),
        part(&first, false, &[b"two"], true),
        sealed(&first),
        JournalEntry::Slice(SliceEntry {
            refused: vec![(keccak256(b"later"), "too late".into())],
            ..SliceEntry::default()
        }),
        JournalEntry::Reorg(ReorgEntry {
            first_block: 1,
            reason: "forced".into(),
            waiting: vec![accepted(3, b"one")],
            refused: vec![(keccak256(b"two"), "nonce too low".into())],
        }),
    ];
    assert_eq!(database.append_at(&entries[..2], 11).await.expect("appends"), 0..2);
    assert_eq!(database.append(&[]).await.expect("appends nothing"), 2..2);
    assert_eq!(database.append_at(&entries[2..4], 13).await.expect("appends"), 2..4);
    let database = reopen(database, &place).await;
    assert_eq!(database.append_at(&entries[4..], 12).await.expect("appends"), 4..6);

    let database = reopen(database, &place).await;
    let rows = database.rows(0, 100).await.expect("reads");
    let expected: Vec<_> = entries
        .into_iter()
        .zip([(1, 11), (1, 11), (1, 13), (1, 13), (2, 12), (2, 12)])
        .zip(0..)
        .map(|((entry, (epoch, written_at_ms)), sequence)| JournalRow {
            sequence,
            epoch,
            written_at_ms,
            entry: in_row(entry),
        })
        .collect();
    assert_eq!(rows, expected);
    assert_eq!(database.rows(2, 3).await.expect("reads"), expected[2..5]);
    assert_eq!(database.rows(6, 3).await.expect("reads"), [], "the end");
    assert_eq!(database.rows(60, 3).await.expect("reads"), [], "past the end");
    assert_eq!(database.journal_end().await.expect("reads"), 6);
    for from in [0, 5] {
        let taken = database.reorg_entries_from(from).await.expect("reads");
        let taken: Vec<_> =
            taken.into_iter().map(|(row, taken)| (row, JournalEntry::Reorg(taken))).collect();
        assert_eq!(taken, [(5, expected[5].entry.clone())]);
    }
    assert_eq!(database.reorg_entries_from(6).await.expect("reads"), []);
}

pub(crate) async fn append_of_many_rows_is_atomic(place: Place) {
    let database = open(&place).await;
    let entry = |n: u64| waiting(&[accepted(n, &n.to_be_bytes())]);
    let entries: Vec<_> = (0..1_234).map(entry).collect();
    assert_eq!(database.append(&entries).await.expect("appends"), 0..1_234);
    let database = reopen(database, &place).await;
    let rows = database.rows(0, 2_000).await.expect("reads");
    assert!(rows.into_iter().map(|row| row.entry).eq(entries.iter().cloned().map(in_row)));
    // The last row cannot be written, so no row is.
    let mut raw = place.raw(crate::place::DatabasePart::Journal).await;
    sqlx::query(
        "INSERT INTO journal (sequence, epoch, payload, checksum) VALUES (2467, 9, $1, $1)",
    )
    .bind(vec![1u8])
    .execute(&mut raw)
    .await
    .expect("inserts");
    assert!(database.append(&entries).await.is_err());
    sqlx::query("DELETE FROM journal WHERE sequence = 2467")
        .execute(&mut raw)
        .await
        .expect("deletes");
    assert_eq!(database.journal_end().await.expect("reads"), 1_234);
    assert_eq!(database.append(&entries).await.expect("appends"), 1_234..2_468);
}

pub(crate) async fn append_refuses_a_part_without_outcomes(place: Place) {
    let database = open(&place).await;
    let JournalEntry::Slice(mut slice) = part(&input(1, &[]), true, &[b"one"], true) else {
        unreachable!()
    };
    slice.part.as_mut().expect("a part").outcomes.pop();
    let written = database.append(&[JournalEntry::Slice(slice)]).await;
    assert!(matches!(written, Err(StorageError::Damaged { table: "journal", key: 0, .. })));
    assert_eq!(database.journal_end().await.expect("reads"), 0);
}

pub(crate) async fn replica_copies_rows_unchanged(place: Place) {
    let row = |sequence: u64, epoch: u64| {
        let entry = waiting(&[accepted(sequence, &sequence.to_be_bytes())]);
        JournalRow { sequence, epoch, written_at_ms: 100 + sequence, entry }
    };
    let rows = [row(0, 4), row(1, 4), row(2, 17)];
    let database = open(&place).await;
    database.append_rows(&rows[..2]).await.expect("appends");
    let gap = database.append_rows(&[row(3, 17)]).await;
    assert!(matches!(gap, Err(StorageError::Damaged { key: 3, .. })));
    let again = database.append_rows(&rows).await;
    assert!(matches!(again, Err(StorageError::Damaged { key: 0, .. })));
    let back = database.append_rows(&[row(2, 3)]).await;
    assert!(matches!(back, Err(StorageError::Damaged { key: 2, .. })), "epochs do not go back");
    database.append_rows(&rows[2..]).await.expect("appends");
    let copied = database.encoded_rows(0, 10).await.expect("reads");
    let copied: Vec<_> = copied.iter().map(|row| row.decode().expect("is intact")).collect();
    assert_eq!(copied, rows);
    // A writer that continues from here begins a new epoch.
    let database = reopen(database, &place).await;
    database.append(&[row(3, 0).entry]).await.expect("appends");
    assert_eq!(database.rows(3, 1).await.expect("reads")[0].epoch, 18);
}

pub(crate) async fn sealed_blocks_are_read_from_scattered_rows(place: Place) {
    let database = open(&place).await;
    let inputs =
        [input(1, &[b"one", b"two"]), input(2, &[]), input(3, &[b"three", b"four", b"five"])];
    let [first, second, third] = &inputs;
    let entries = [
        part(first, true, &[b"one"], false),
        waiting(&[accepted(5, b"later")]),
        part(first, false, &[b"two"], true),
        part(second, true, &[], false),
        sealed(first),
        part(second, false, &[], true),
        part(third, true, &[b"three"], false),
        sealed(second),
        part(third, false, &[b"four", b"five"], false),
        part(third, false, &[], true),
        sealed(third),
    ];
    database.append(&entries).await.expect("appends");
    let blocks = vec![block(first, 0..3), block(second, 3..6), block(third, 6..10)];
    let batch = IndexBatch { to: 10, blocks, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    let reader = Database::open_read_only(&place.location(), CHAIN).await.expect("opens");
    assert_eq!(reader.sealed_blocks(0, 10).await.expect("reads"), inputs);
    assert_eq!(reader.sealed_blocks(2, 1).await.expect("reads"), inputs[1..2]);
    assert_eq!(reader.sealed_blocks(4, 1).await.expect("reads"), []);
    assert_eq!(reader.rows_of(3).await.expect("reads"), Some(6..10));
    assert_eq!(reader.rows_of(4).await.expect("reads"), None);
    assert_eq!(reader.head_block().await.expect("reads"), Some(3));
    assert_eq!(reader.block_hash(2).await.expect("reads"), Some(second.hash));
}

pub(crate) async fn reorged_blocks_are_not_read_as_sealed(place: Place) {
    let database = open(&place).await;
    append(&database, &input(1, &[b"one"])).await;
    append(&database, &input(2, &[b"two"])).await;
    let mut other = input(2, &[b"foreign"]);
    other.hash = alloy_primitives::B256::repeat_byte(0x22);
    let open_block = part(&input(3, &[]), true, &[b"open"], false);
    let rewind = JournalEntry::Reorg(ReorgEntry {
        first_block: 2,
        reason: "forced".into(),
        waiting: Vec::new(),
        refused: Vec::new(),
    });
    let [whole, end] = rows(&other);
    database.append(&[open_block, rewind, whole, end]).await.expect("appends");
    let reorged = vec![(keccak256(b"two"), 2), (keccak256(b"open"), 3)];
    let rewind = turnpike_storage::IndexRewind { first_block: 2, reason: "forced".into(), reorged };
    let blocks = vec![block(&other, 6..7)];
    let batch = IndexBatch { to: 7, rewind: Some(rewind), blocks, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    let sealed = database.sealed_blocks(1, 10).await.expect("reads");
    assert_eq!(sealed, [input(1, &[b"one"]), other]);
}
