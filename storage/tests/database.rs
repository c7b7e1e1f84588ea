//! What a restart finds: everything that was acknowledged, and a clear error for everything that is not right.

use std::path::Path;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_protocol::{DataKind, Deposit, DepositHint, Header, Origin, QueuedDeposit};
use turnpike_storage::{
    Attempt, BlockRecord, Database, DerivedRecord, Inclusion, JournalRecord, OutboxBatch,
    PasserProof, ReceiptRecord, Reorganisation, RevertedFrom, SealedBlock, SentTransaction,
    StorageError, WithdrawalRecord,
};

const CHAIN: B256 = B256::repeat_byte(1);

fn record(number: u64, transactions: &[&[u8]]) -> JournalRecord {
    JournalRecord {
        number,
        timestamp: 1_000 + number,
        origin: Origin {
            entry: 3,
            l1_block_number: 4,
            l1_time: 5,
            l1_base_fee: U256::from(6),
            l1_blob_base_fee: U256::from(7),
            l1_hash: B256::repeat_byte(8),
        },
        deposits: vec![QueuedDeposit {
            deposit: Deposit {
                index: 0,
                l1_block_number: 2,
                from: Address::repeat_byte(3),
                to: Address::repeat_byte(4),
                version: U256::ZERO,
                opaque_data: Bytes::from_static(b"data"),
            },
            hint: Some(DepositHint { l1_block_hash: B256::repeat_byte(5), log_index: 6 }),
        }],
        transactions: transactions.iter().map(|raw| Bytes::copy_from_slice(raw)).collect(),
        hash: B256::with_last_byte(u8::try_from(number).expect("small")),
        state_root: B256::repeat_byte(9),
    }
}

fn block(record: &JournalRecord) -> BlockRecord {
    BlockRecord {
        header: Header { number: record.number, ..Header::default() },
        message_passer_storage_root: B256::repeat_byte(2),
        origin: record.origin,
        receipts: record
            .transactions
            .iter()
            .map(|raw| ReceiptRecord {
                transaction: raw.clone(),
                sender: Address::repeat_byte(1),
                receipt: Bytes::from_static(b"receipt"),
                gas_used: 21_000,
                effective_gas_price: 7,
                l1_fee: U256::from(8),
            })
            .collect(),
    }
}

fn sealed(record: &JournalRecord) -> SealedBlock {
    let hashes: Vec<_> = record.transactions.iter().map(keccak256).collect();
    SealedBlock {
        record: record.clone(),
        block: block(record),
        withdrawals: hashes.iter().map(withdrawal).collect(),
        hashes,
        passer_proof: proof(record.number),
    }
}

fn withdrawal(transaction: &B256) -> WithdrawalRecord {
    WithdrawalRecord {
        hash: keccak256(transaction),
        transaction: *transaction,
        value: U256::from(5),
        ..WithdrawalRecord::default()
    }
}

fn proof(block: u64) -> PasserProof {
    PasserProof {
        nonce: block,
        account_proof: vec![Bytes::from_static(b"node")],
        ..PasserProof::default()
    }
}

async fn append(database: &Database, record: &JournalRecord) {
    database.append_block(&sealed(record), &[]).await.expect("appends");
}

async fn open(path: &Path) -> Database {
    Database::open(path, CHAIN).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_what_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sequencer.db");
    let raws: [&[u8]; 3] = [b"one", b"two", b"three"];
    let accepted: Vec<_> =
        (0..).zip(raws).map(|(n, raw)| (n, keccak256(raw), Bytes::copy_from_slice(raw))).collect();
    let database = open(&path).await;
    database.accept(&accepted, &[]).await.expect("accepts");
    append(&database, &record(1, &[b"two"])).await;
    append(&database, &record(2, &[])).await;
    database.refuse(&[(keccak256(b"three"), "too late".into())]).await.expect("refuses");
    drop(database);

    let database = open(&path).await;
    assert_eq!(database.pending().await.expect("reads"), [(0, Bytes::from_static(b"one"))]);
    let journal = database.journal(1, 10).await.expect("reads");
    assert_eq!(journal, [record(1, &[b"two"]), record(2, &[])]);
    assert_eq!(database.journal(2, 10).await.expect("reads").len(), 1);
    let place = database.transaction(&keccak256(b"two")).await.expect("reads").expect("there");
    assert_eq!((place.block, place.position), (1, 0));
    assert_eq!(database.block(1).await.expect("reads"), Some(block(&record(1, &[b"two"]))));
    assert_eq!(database.block_number(&B256::with_last_byte(2)).await.expect("reads"), Some(2));
    let one = database.pending_raw(&keccak256(b"one")).await.expect("reads");
    assert_eq!(one, Some(Bytes::from_static(b"one")));
    let reason = database.refusal(&keccak256(b"three")).await.expect("reads");
    assert_eq!(reason.as_deref(), Some("too late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_is_whole_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = open(&folder.path().join("sequencer.db")).await;
    append(&database, &record(1, &[b"one"])).await;
    database.accept(&[(0, keccak256(b"two"), Bytes::from_static(b"two"))], &[]).await.expect("ok");
    // The second block's transaction is indexed already: the whole append fails.
    let second = record(2, &[b"two", b"one"]);
    assert!(database.append_block(&sealed(&second), &[]).await.is_err());
    assert_eq!(database.journal(1, 10).await.expect("reads").len(), 1);
    assert_eq!(database.pending().await.expect("reads").len(), 1);
    assert_eq!(database.transaction(&keccak256(b"two")).await.expect("reads"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_writer_and_one_chain_to_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sequencer.db");
    let database = open(&path).await;
    let second = Database::open(&path, CHAIN).await;
    assert!(matches!(second, Err(StorageError::InUse(_))));
    let reader = Database::open_read_only(&path, CHAIN).await.expect("readers are welcome");
    append(&database, &record(1, &[])).await;
    assert_eq!(reader.journal(1, 10).await.expect("reads").len(), 1);
    drop((database, reader));
    let other = Database::open(&path, B256::repeat_byte(2)).await;
    let Err(StorageError::OtherGenesis { found, .. }) = other else { panic!("must be refused") };
    assert_eq!(found, CHAIN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sequencer.db");
    let database = open(&path).await;
    append(&database, &record(1, &[b"one"])).await;
    append(&database, &record(2, &[b"two"])).await;
    append(&database, &record(3, &[b"three"])).await;
    drop(database);
    let url = format!("sqlite://{}", path.display());
    let raw = sqlx::SqlitePool::connect(&url).await.expect("connects");
    // The second record in the first one's place, whole; and a torn third, its last byte lost.
    for damage in [
        "UPDATE journal SET payload = (SELECT payload FROM journal WHERE sequence = 2),
                            checksum = (SELECT checksum FROM journal WHERE sequence = 2)
         WHERE sequence = 1",
        "UPDATE journal SET payload = CAST(substr(payload, 1, length(payload) - 1) || x'00' AS BLOB)
         WHERE sequence = 3",
    ] {
        sqlx::query(damage).execute(&raw).await.expect("damages");
    }
    raw.close().await;
    let database = open(&path).await;
    assert_eq!(database.journal(2, 1).await.expect("reads").len(), 1);
    for damaged in [1, 3] {
        let read = database.journal(damaged, 1).await;
        let Err(StorageError::Damaged { table: "journal", key, .. }) = read else {
            panic!("record {damaged} is damaged");
        };
        assert_eq!(key, damaged);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_keeps_what_was_signed_until_it_is_confirmed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("batcher.db");
    let database = open(&path).await;
    // The later hash sorts first: the order is that of signing.
    let (first, second, other) = (attempt(9, 5), attempt(8, 5), attempt(7, 6));
    database.record_batch(&batch(1, b"old"), &first).await.expect("records");
    database.record_batch(&batch(1, b"new"), &second).await.expect("records");
    database.record_attempt(&other).await.expect("records");
    database.record_attempt(&other).await.expect("once is enough");
    database.close().await;
    drop(database);

    let database = open(&path).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entry_derives_gives_way_with_all_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = open(&folder.path().join("batcher.db")).await;
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
    assert_eq!(database.journal_head().await.expect("reads"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_replaces_the_end_of_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sequencer.db");
    let database = open(&path).await;
    append(&database, &record(1, &[b"one"])).await;
    append(&database, &record(2, &[b"two", b"lost"])).await;
    append(&database, &record(3, &[b"three"])).await;
    assert_eq!(database.epoch().await.expect("reads"), 0);

    let hash = |raw: &[u8]| keccak256(raw);
    let mut other = record(2, &[b"foreign", b"three"]);
    other.hash = B256::repeat_byte(0x22);
    let change = Reorganisation {
        first_block: 2,
        reason: "forced".into(),
        reverted: vec![(hash(b"two"), 2), (hash(b"lost"), 2), (hash(b"three"), 3)],
        blocks: vec![sealed(&other)],
        pending: vec![(7, hash(b"two"), Bytes::from_static(b"two"))],
        refused: vec![(hash(b"lost"), "nonce too low".into())],
    };
    database.reorganise(&change).await.expect("reorganises");
    drop(database);

    let database = open(&path).await;
    assert_eq!(database.epoch().await.expect("reads"), 1);
    let journal = database.journal(1, 10).await.expect("reads");
    assert_eq!(journal, [record(1, &[b"one"]), other.clone()]);
    assert_eq!(database.block(3).await.expect("reads"), None);
    assert_eq!(database.block_number(&B256::with_last_byte(2)).await.expect("reads"), None);
    assert_eq!(database.pending().await.expect("reads"), [(7, Bytes::from_static(b"two"))]);
    let refusal = database.refusal(&hash(b"lost")).await.expect("reads");
    assert_eq!(refusal.as_deref(), Some("nonce too low"));
    assert_eq!(database.transaction(&hash(b"two")).await.expect("reads"), None);
    let three = database.transaction(&hash(b"three")).await.expect("reads").expect("there");
    assert_eq!((three.block, three.position), (2, 1));
    let from = database.reverted_from(&hash(b"three")).await.expect("reads");
    assert_eq!(from, Some(RevertedFrom { block: 3, reason: "forced".into() }));
    assert_eq!(database.reverted_from(&hash(b"one")).await.expect("reads"), None);
    let withdrawn = database.withdrawals_of(&hash(b"three"), 9).await.expect("reads");
    assert_eq!(withdrawn, [(2, withdrawal(&hash(b"three")))]);
    assert_eq!(database.withdrawals_of(&hash(b"two"), 9).await.expect("reads"), []);
    assert_eq!(database.withdrawal_hashes(1).await.expect("reads"), [keccak256(hash(b"one"))]);
    assert_eq!(database.passer_proof(3).await.expect("reads"), None);

    // What only adds takes nothing back.
    let more = Reorganisation {
        first_block: 3,
        blocks: vec![sealed(&record(3, &[b"two"]))],
        ..Reorganisation::default()
    };
    database.reorganise(&more).await.expect("appends");
    assert_eq!(database.epoch().await.expect("reads"), 1);
    assert_eq!(database.pending().await.expect("reads"), [], "included");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_is_whole_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = open(&folder.path().join("sequencer.db")).await;
    append(&database, &record(1, &[b"one"])).await;
    append(&database, &record(2, &[b"two"])).await;
    // It takes back block 2 and puts a second block 1 beside the first.
    let change = Reorganisation {
        first_block: 2,
        reverted: vec![(keccak256(b"two"), 2)],
        blocks: vec![sealed(&record(1, &[]))],
        ..Reorganisation::default()
    };
    assert!(database.reorganise(&change).await.is_err());
    assert_eq!(database.journal(1, 10).await.expect("reads").len(), 2);
    assert_eq!(database.epoch().await.expect("reads"), 0);
    assert!(database.transaction(&keccak256(b"two")).await.expect("reads").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_kept_for_the_last_blocks_of_entries() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = open(&folder.path().join("sequencer.db")).await;
    for number in 1..=4 {
        append(&database, &record(number, &[])).await;
    }
    database.keep_passer_proof(2, None).await.expect("keeps");
    database.drop_passer_proofs(1, 3).await.expect("drops");
    let mut kept = Vec::new();
    for number in 1..=4 {
        kept.push(database.passer_proof(number).await.expect("reads").map(|proof| proof.nonce));
    }
    assert_eq!(kept, [None, Some(2), None, Some(4)]);
    database.keep_passer_proof(3, Some(&proof(3))).await.expect("keeps");
    assert_eq!(database.passer_proof(3).await.expect("reads"), Some(proof(3)));
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

#[tokio::test]
async fn what_a_challenger_has_sent_survives_until_it_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("challenger.db");
    // A dearer one follows with the same nonce; hashes are in no order.
    let urgent = SentTransaction { deadline: 1_234, ..sent(2, 5) };
    let all = [sent(9, 5), sent(4, 6), urgent];
    let database = open(&path).await;
    for sent in &all {
        database.record_sent(sent).await.expect("records");
    }
    database.record_sent(&all[0]).await.expect("once is enough");
    database.close().await;
    drop(database);

    let database = open(&path).await;
    assert_eq!(database.sent().await.expect("reads"), all);
    database.forget_sent(all[0].l1_transaction).await.expect("forgets");
    assert_eq!(database.sent().await.expect("reads"), all[1..], "others with its nonce stay");
}
