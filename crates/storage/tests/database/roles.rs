//! The outboxes of batcher and challenger.

use alloy_primitives::{B256, Bytes, U256};
use turnpike_protocol::DataKind;
use turnpike_storage::{
    Database, DerivedRecord, Inclusion, OutboxBatch, SignedTransaction, SigningRole,
};

use crate::{fixture::CHAIN, place::Place};

async fn plain(place: &Place) -> Database {
    Database::open_plain(&place.location(), CHAIN).await.expect("opens")
}

fn batch(number: u64, data: &'static [u8]) -> OutboxBatch {
    OutboxBatch {
        number,
        content_before: B256::repeat_byte(1),
        content: B256::repeat_byte(5),
        first_block: 1,
        last_block: 4,
        last_time_ms: 44,
        last_hash: B256::repeat_byte(2),
        transactions: 9,
        origin: 0,
        origin_acc: B256::repeat_byte(6),
        deposit_count: 3,
        deposit_acc: B256::repeat_byte(3),
        kind: DataKind::Blobs,
        data_hash: B256::repeat_byte(4),
        data_bytes: data.len() as u64,
        data: Bytes::from_static(data),
        confirmed: false,
        inclusion: None,
    }
}

pub(crate) async fn outbox_keeps_batches_until_confirmed(place: Place) {
    let database = plain(&place).await;
    database.record_batch(&batch(1, b"old")).await.expect("records");
    database.record_batch(&batch(1, b"new")).await.expect("records");
    database.close().await;
    drop(database);

    let database = plain(&place).await;
    assert_eq!(database.batch(1).await.expect("reads"), Some(batch(1, b"new")));
    assert_eq!(database.batch(2).await.expect("reads"), None);
    let inclusion = Inclusion {
        l1_transaction: B256::repeat_byte(8),
        l1_block: 13,
        gas_used: 100,
        gas_price: 7,
        blob_gas_used: 10,
        blob_gas_price: 3,
    };
    assert_eq!(inclusion.cost(), U256::from(730));
    database.record_inclusion(1, Some(&inclusion)).await.expect("records");
    let included = OutboxBatch { inclusion: Some(inclusion), ..batch(1, b"new") };
    let bare_batch = OutboxBatch { data: Bytes::new(), ..included.clone() };
    assert_eq!(database.unconfirmed_batches().await.expect("reads"), [bare_batch]);
    assert_eq!(database.batch(1).await.expect("reads"), Some(included.clone()));
    database.record_inclusion(1, None).await.expect("records");
    assert_eq!(database.batch(1).await.expect("reads"), Some(batch(1, b"new")));

    database.record_inclusion(1, Some(&inclusion)).await.expect("records");
    database.confirm_batch(1).await.expect("records");
    let confirmed = OutboxBatch { data: Bytes::new(), confirmed: true, ..included };
    assert_eq!(database.batch(1).await.expect("reads"), Some(confirmed));
    assert_eq!(database.unconfirmed_batches().await.expect("reads"), []);
    for number in 2..5 {
        database.record_batch(&batch(number, b"later")).await.expect("records");
    }
    let moved = OutboxBatch {
        first_block: 7,
        last_block: 9,
        last_time_ms: 99,
        last_hash: B256::repeat_byte(7),
        ..batch(2, b"later")
    };
    database.move_batch(&moved).await.expect("records");
    assert_eq!(database.batch(2).await.expect("reads"), Some(moved));
    database.forget_batches(3).await.expect("records");
    let left = database.unconfirmed_batches().await.expect("reads");
    assert_eq!(left.iter().map(|batch| batch.number).collect::<Vec<_>>(), [2]);
}

pub(crate) async fn derived_record_replaces_later_ones(place: Place) {
    let database = plain(&place).await;
    let derived = |entry: u64, byte: u8| DerivedRecord {
        entry,
        acc: B256::repeat_byte(byte),
        first_block: entry * 2,
        last_block: entry * 2 + 1,
        last_time_ms: 77,
        last_origin: Some(entry - 1),
        last_hash: B256::repeat_byte(byte + 1),
    };
    for entry in 1..4 {
        database.record_derived(&derived(entry, 10)).await.expect("records");
    }
    database.record_derived(&derived(2, 20)).await.expect("records");
    assert_eq!(database.derived(1).await.expect("reads"), Some(derived(1, 10)));
    assert_eq!(database.derived(2).await.expect("reads"), Some(derived(2, 20)));
    assert_eq!(database.derived(3).await.expect("reads"), None);
}

fn signed(hash: u8, nonce: u64) -> SignedTransaction {
    SignedTransaction {
        l1_transaction: B256::repeat_byte(hash),
        nonce,
        purpose: format!("for {nonce}"),
        deadline: u64::MAX,
        l1_block: 7,
        raw: Bytes::copy_from_slice(&[hash, 1]),
    }
}

pub(crate) async fn signed_transactions_survive_until_forgotten(place: Place) {
    let (challenger, batcher) = (SigningRole::Challenger, SigningRole::Batcher);
    // A dearer one follows with the same nonce. The order is that of signing, not of hashes.
    let urgent = SignedTransaction { deadline: 1_234, ..signed(2, 5) };
    let all = [signed(9, 5), signed(4, 6), urgent];
    let database = plain(&place).await;
    for tx in &all {
        database.record_signed(challenger, tx).await.expect("records");
    }
    database.record_signed(challenger, &all[0]).await.expect("once is enough");
    database.record_signed(batcher, &signed(7, 5)).await.expect("records");
    database.close().await;
    drop(database);

    let database = plain(&place).await;
    assert_eq!(database.signed(challenger).await.expect("reads"), all);
    assert_eq!(database.signed(batcher).await.expect("reads"), [signed(7, 5)]);
    database.forget_signed(all[0].l1_transaction).await.expect("forgets");
    let left = database.signed(challenger).await.expect("reads");
    assert_eq!(left, all[1..], "others with its nonce stay");
}
