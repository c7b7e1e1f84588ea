use alloy_primitives::{B256, Bytes, U256};
use turnpike_protocol::DataKind;
use turnpike_storage::{Attempt, Database, DerivedRecord, Inclusion, OutboxBatch, SentTransaction};

use crate::{fixture::CHAIN, place::Place};

async fn plain(place: &Place) -> Database {
    Database::open_plain(&place.location(), CHAIN).await.expect("opens")
}

fn batch(entry: u64, data: &'static [u8]) -> OutboxBatch {
    OutboxBatch {
        entry,
        previous_acc: B256::repeat_byte(1),
        first_block: 1,
        last_block: 4,
        last_hash: B256::repeat_byte(2),
        transactions: 9,
        origin: 0,
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

fn attempt(hash: u8, nonce: u64) -> Attempt {
    Attempt {
        l1_transaction: B256::repeat_byte(hash),
        entry: 1,
        nonce,
        kind: DataKind::Blobs,
        gas_limit: 100_000,
        max_fee_per_gas: 30,
        max_priority_fee_per_gas: 2,
        max_fee_per_blob_gas: 7,
        l1_block: 12,
        raw: Bytes::from_static(b"signed"),
    }
}

pub(crate) async fn outbox_keeps_attempts_until_confirmed(place: Place) {
    let database = plain(&place).await;
    // The later hash sorts first: the order is that of signing.
    let (first, second, other) = (attempt(9, 5), attempt(8, 5), attempt(7, 6));
    database.record_batch(&batch(1, b"old"), &first).await.expect("records");
    database.record_batch(&batch(1, b"new"), &second).await.expect("records");
    database.record_attempt(&other).await.expect("records");
    database.record_attempt(&other).await.expect("once is enough");
    database.close().await;
    drop(database);

    let database = plain(&place).await;
    assert_eq!(database.batch(1).await.expect("reads"), Some(batch(1, b"new")));
    assert_eq!(database.batch(2).await.expect("reads"), None);
    assert_eq!(database.newest_attempt(1).await.expect("reads"), Some(other.clone()));
    let bare = |attempt: Attempt| Attempt { raw: Bytes::new(), ..attempt };
    let attempts = [first, second, other.clone()].map(bare);
    assert_eq!(database.attempts().await.expect("reads"), attempts);
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
    database.confirm_batch(1, 6).await.expect("records");
    let confirmed = OutboxBatch { data: Bytes::new(), confirmed: true, ..included };
    assert_eq!(database.batch(1).await.expect("reads"), Some(confirmed));
    assert_eq!(database.unconfirmed_batches().await.expect("reads"), []);
    assert_eq!(database.attempts().await.expect("reads"), [bare(other)]);
    database.forget_batch(1).await.expect("records");
    assert_eq!(database.batch(1).await.expect("reads"), None);
}

pub(crate) async fn derived_record_replaces_later_ones(place: Place) {
    let database = plain(&place).await;
    let derived = |entry: u64, byte: u8| DerivedRecord {
        entry,
        acc: B256::repeat_byte(byte),
        first_block: entry * 2,
        last_block: entry * 2 + 1,
        last_timestamp: 77,
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

fn sent(hash: u8, nonce: u64) -> SentTransaction {
    SentTransaction {
        l1_transaction: B256::repeat_byte(hash),
        nonce,
        purpose: format!("for {nonce}"),
        deadline: u64::MAX,
        l1_block: 7,
        raw: Bytes::copy_from_slice(&[hash, 1]),
    }
}

pub(crate) async fn sent_transactions_survive_until_forgotten(place: Place) {
    // A dearer one follows with the same nonce; hashes are in no order.
    let urgent = SentTransaction { deadline: 1_234, ..sent(2, 5) };
    let all = [sent(9, 5), sent(4, 6), urgent];
    let database = plain(&place).await;
    for sent in &all {
        database.record_sent(sent).await.expect("records");
    }
    database.record_sent(&all[0]).await.expect("once is enough");
    database.close().await;
    drop(database);

    let database = plain(&place).await;
    assert_eq!(database.sent().await.expect("reads"), all);
    database.forget_sent(all[0].l1_transaction).await.expect("forgets");
    assert_eq!(database.sent().await.expect("reads"), all[1..], "others with its nonce stay");
}
