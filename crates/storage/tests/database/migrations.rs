//! A database of the first release opens and migrates.

use std::borrow::Cow;

use alloy_primitives::{B64, B256};
use sqlx::{
    AnyConnection, Executor as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use turnpike_storage::{
    AcceptedTx, Database, EncodedRow, IndexedReorg, JournalEntry, ReorgedFrom, SignedTransaction,
    SigningRole,
};

use crate::{
    fixture::{CHAIN, accepted, included, open, reopen, waiting},
    place::{DatabasePart, Place},
};

/// The migrations of the first release, journal and index.
const JOURNAL: &[(i64, &str)] =
    &[(1, include_str!("../../../../migrations/journal/0001_roles.sql"))];
const INDEX: &[(i64, &str)] = &[
    (2, include_str!("../../../../migrations/index/0002_index.sql")),
    (3, include_str!("../../../../migrations/index/0003_block_keys.sql")),
];

const OTHER: B256 = B256::repeat_byte(8);

/// Epoch that the old database's writer had.
const EPOCH: u64 = 6;

async fn migrate(raw: &mut AnyConnection, files: &[(i64, &'static str)]) {
    let migrations = files.iter().map(|&(version, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, Cow::Borrowed("old"), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, raw, false).await.expect("migrates");
}

async fn execute(raw: &mut AnyConnection, sql: &'static str) {
    raw.execute(sql).await.expect("writes");
}

/// The first row of the journal, byte for byte as every version writes it.
fn first_row() -> EncodedRow {
    // Version 2, a slice, written at 9 ms; no part, nothing accepted, refused or waited.
    let payload = [&[2, 1][..], &9_u64.to_be_bytes(), &[0xc4, 0xc0, 0xc0, 0xc0, 0xc0]].concat();
    let (checksum, payload) = (B64::ZERO, payload.into());
    let mut row = EncodedRow { sequence: 0, epoch: EPOCH, checksum, payload, waiting: Vec::new() };
    row.checksum = row.checksum_after(B64::from_slice(&CHAIN[..8]));
    row
}

/// A row of an old journal, with the bytes of the transaction that it accepted.
fn accepting_row() -> EncodedRow {
    let tx = [&[0x85][..], b"later", &[0x94], &[7; 20]].concat();
    let accepted = [&[0xde, 5, 8, 0xdb][..], &tx].concat();
    // No part, the accepted transaction, nothing refused, no times.
    let slice = [&[0xe3, 0xc0, 0xdf][..], &accepted, &[0xc0, 0xc0]].concat();
    let payload = [&[2, 1][..], &9_u64.to_be_bytes(), &slice].concat();
    let (checksum, payload) = (B64::ZERO, payload.into());
    let mut row = EncodedRow { sequence: 1, epoch: EPOCH, checksum, payload, waiting: Vec::new() };
    row.checksum = row.checksum_after(first_row().checksum);
    row
}

/// The log is filled once from rows that hold the bytes themselves.
pub(crate) async fn waiting_transactions_of_old_rows_are_logged(place: Place) {
    {
        let mut journal = place.create(DatabasePart::Journal).await;
        migrate(&mut journal, JOURNAL).await;
        for row in [first_row(), accepting_row()] {
            insert_row(&mut journal, &row).await;
        }
        let mut index = place.create(DatabasePart::Index).await;
        migrate(&mut index, INDEX).await;
    }
    let waits = AcceptedTx { received_ms: 8, ..accepted(5, b"later") };
    let mut database = open(&place).await;
    for _ in 0..2 {
        assert_eq!(database.waiting().await.expect("reads"), std::slice::from_ref(&waits));
        database = reopen(database, &place).await;
    }
    // Old rows keep their bytes, and are copied byte for byte.
    let rows = database.encoded_rows(0, 9).await.expect("reads");
    assert_eq!(rows[1].payload, accepting_row().payload);
    let decoded: Vec<_> = rows.iter().map(|row| row.decode().expect("is intact")).collect();
    let other = place.other();
    let replica = open(&other).await;
    replica.append_rows(&decoded).await.expect("appends");
    assert_eq!(replica.encoded_rows(0, 9).await.expect("reads"), rows);
    assert_eq!(replica.waiting().await.expect("reads"), std::slice::from_ref(&waits));
    database.append(&[included(&[b"later"])]).await.expect("appends");
    assert_eq!(reopen(database, &place).await.waiting().await.expect("reads"), []);
}

/// Adds a row as the first release did.
async fn insert_row(journal: &mut AnyConnection, row: &EncodedRow) {
    sqlx::query("INSERT INTO journal (sequence, epoch, payload, checksum) VALUES ($1, 6, $2, $3)")
        .bind(i64::try_from(row.sequence).expect("small"))
        .bind(row.payload.to_vec())
        .bind(row.checksum.to_vec())
        .execute(journal)
        .await
        .expect("writes");
}

pub(crate) async fn database_of_the_first_migrations_keeps_its_rows(place: Place) {
    let hash = B256::repeat_byte(7);
    {
        let mut journal = place.create(DatabasePart::Journal).await;
        migrate(&mut journal, JOURNAL).await;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('chain', $1)")
            .bind(CHAIN.to_vec())
            .execute(&mut journal)
            .await
            .expect("writes");
        execute(&mut journal, "UPDATE leader SET epoch = 6").await;
        sqlx::query("INSERT INTO attempts VALUES ($1, 3, 12, 5, 1, 0, 0, 0, 0, 77, $2)")
            .bind(hash.to_vec())
            .bind(vec![1_u8])
            .execute(&mut journal)
            .await
            .expect("writes");
        sqlx::query("INSERT INTO sent VALUES ($1, 4, 6, 'play', 1234, 78, $2)")
            .bind(OTHER.to_vec())
            .bind(vec![2_u8])
            .execute(&mut journal)
            .await
            .expect("writes");
        insert_row(&mut journal, &first_row()).await;
        let mut index = place.create(DatabasePart::Index).await;
        migrate(&mut index, INDEX).await;
        execute(&mut index, "UPDATE indexed SET sequence = 1, epoch = 6").await;
        execute(&mut index, "INSERT INTO reorganisations VALUES (1, 4, 'forced')").await;
        sqlx::query("INSERT INTO reverted (hash, reorganisation, block) VALUES ($1, 1, 5)")
            .bind(hash.to_vec())
            .execute(&mut index)
            .await
            .expect("writes");
    }

    let mut database = open(&place).await;
    for _ in 0..2 {
        assert_eq!(database.encoded_rows(0, 9).await.expect("reads")[0], first_row());
        assert_eq!(database.indexed_to().await.expect("reads"), 1);
        assert_eq!(database.reorg_count().await.expect("reads"), 1);
        let reorgs = database.reorgs_after(0).await.expect("reads");
        assert_eq!(reorgs, [IndexedReorg { id: 1, first_block: 4 }]);
        let from = database.reorged_from(&hash).await.expect("reads");
        assert_eq!(from, Some(ReorgedFrom { block: 5, reason: "forced".into() }));
        let batch = SignedTransaction {
            l1_transaction: hash,
            nonce: 5,
            purpose: "entry 12".into(),
            deadline: u64::MAX,
            l1_block: 77,
            raw: vec![1].into(),
        };
        assert_eq!(database.signed(SigningRole::Batcher).await.expect("reads"), [batch]);
        let play = SignedTransaction {
            l1_transaction: OTHER,
            nonce: 6,
            purpose: "play".into(),
            deadline: 1_234,
            l1_block: 78,
            raw: vec![2].into(),
        };
        assert_eq!(database.signed(SigningRole::Challenger).await.expect("reads"), [play]);
        // The migrations are applied once.
        database = reopen(database, &place).await;
    }
    database.append(&[waiting(&[])]).await.expect("appends");
    let rows = database.rows(0, 9).await.expect("reads");
    assert!(matches!(rows[0].entry, JournalEntry::Slice(_)));
    assert_eq!([rows[0].epoch, rows[1].epoch], [EPOCH, EPOCH + 3], "each opening begins an epoch");
    let reader = Database::open_read_only(&place.location(), CHAIN).await.expect("opens");
    assert_eq!(reader.indexed_to().await.expect("reads"), 1);
}
