//! Batches, rewinds and queries of the index.

use alloy_primitives::{B256, keccak256};
use turnpike_storage::{
    Database, IndexBatch, IndexRewind, ReorgedFrom, StorageError, TransactionLocation,
};

use crate::{
    fixture::{append, block, input, open, proof, record, reopen, withdrawal},
    place::Place,
};

async fn place_of(database: &Database, raw: &[u8]) -> Option<(u64, usize)> {
    let place = database.transaction(&keccak256(raw)).await.expect("reads");
    place.map(|TransactionLocation { block, position }| (block, position))
}

pub(crate) async fn indexed_records_are_read_back(place: Place) {
    let database = open(&place).await;
    let genesis = input(0, &[]);
    for _ in 0..2 {
        database
            .record_genesis(&genesis.hash, &record(&genesis))
            .await
            .expect("a second call does nothing");
    }
    let raws: [&[u8]; 3] = [b"one", b"two", b"three"];
    let batch =
        IndexBatch { accepted: raws.iter().map(keccak256).collect(), ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    append(&database, &input(1, &[b"two", b"four"])).await;
    append(&database, &input(2, &[])).await;
    let refused =
        vec![(keccak256(b"three"), "too early".into()), (keccak256(b"three"), "too late".into())];
    let batch = IndexBatch { to: 3, refused, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");

    let database = reopen(database, &place).await;
    assert_eq!(database.indexed_to().await.expect("reads"), 3);
    assert_eq!(place_of(&database, b"four").await, Some((1, 1)));
    assert_eq!(place_of(&database, b"one").await, None);
    let first = record(&input(1, &[b"two", b"four"]));
    assert_eq!(database.block(1).await.expect("reads"), Some(first.clone()));
    assert_eq!(database.blocks(0, 1).await.expect("reads"), [record(&genesis), first]);
    assert_eq!(database.block_number(&B256::with_last_byte(2)).await.expect("reads"), Some(2));
    assert_eq!(database.head_block().await.expect("reads"), Some(2));
    assert_eq!(database.rows_of(0).await.expect("reads"), None, "no row holds the genesis block");
    let reason = database.refusal(&keccak256(b"three")).await.expect("reads");
    assert_eq!(reason.as_deref(), Some("too late"));
    let withdrawn = withdrawal(&keccak256(b"two"));
    let found = database.withdrawal(&withdrawn.hash).await.expect("reads");
    assert_eq!(found, Some((1, withdrawn)));
}

pub(crate) async fn failed_batch_leaves_the_index_unchanged(place: Place) {
    let database = open(&place).await;
    append(&database, &input(1, &[b"one"])).await;
    let refused = vec![(keccak256(b"three"), "early".into())];
    let batch = IndexBatch { to: 2, refused, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    // The second block's withdrawal is indexed already, so no part of the batch is applied.
    let second = block(&input(2, &[b"two", b"one"]), 2..3);
    let rewind = IndexRewind { first_block: 2, reason: String::new(), reorged: Vec::new() };
    let batch = IndexBatch {
        to: 3,
        rewind: Some(rewind),
        accepted: vec![keccak256(b"three")],
        blocks: vec![second],
        refused: vec![(keccak256(b"four"), "no".into())],
    };
    assert!(database.index(&batch).await.is_err());
    assert_eq!(database.indexed_to().await.expect("reads"), 2);
    let refusal = database.refusal(&keccak256(b"three")).await.expect("reads");
    assert_eq!(refusal.as_deref(), Some("early"));
    assert_eq!(place_of(&database, b"two").await, None);
    assert_eq!(database.refusal(&keccak256(b"four")).await.expect("reads"), None);
    let back = database.index(&IndexBatch { to: 1, ..IndexBatch::default() }).await;
    assert!(matches!(back, Err(StorageError::Damaged { table: "index_cursor", .. })));
}

pub(crate) async fn transactions_with_one_hash_prefix_are_told_apart(place: Place) {
    let database = open(&place).await;
    let like = |last: u8| {
        let mut hash = B256::repeat_byte(0xab);
        hash[31] = last;
        hash
    };
    let first = turnpike_storage::SealedBlock {
        hashes: vec![like(1), like(2), like(1)],
        withdrawals: Vec::new(),
        ..block(&input(1, &[]), 0..1)
    };
    let batch = IndexBatch { to: 0, blocks: vec![first], ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    for (last, position) in [(1, Some(0)), (2, Some(1)), (3, None)] {
        let found = database.transaction(&like(last)).await.expect("reads");
        assert_eq!(found.map(|place| place.position), position);
    }
}

pub(crate) async fn rewind_removes_blocks_and_records_the_reorg(place: Place) {
    let database = open(&place).await;
    append(&database, &input(1, &[b"one"])).await;
    append(&database, &input(2, &[b"two", b"lost"])).await;
    append(&database, &input(3, &[b"three"])).await;
    assert_eq!(database.reorg_count().await.expect("reads"), 0);

    let mut other = input(2, &[b"foreign", b"three"]);
    other.hash = B256::repeat_byte(0x22);
    let reorged = vec![(keccak256(b"two"), 2), (keccak256(b"lost"), 2), (keccak256(b"three"), 3)];
    let batch = IndexBatch {
        to: 10,
        rewind: Some(IndexRewind { first_block: 2, reason: "forced".into(), reorged }),
        accepted: vec![keccak256(b"two")],
        blocks: vec![block(&other, 8..9)],
        refused: vec![(keccak256(b"lost"), "nonce too low".into())],
    };
    database.index(&batch).await.expect("indexes");

    assert_eq!(database.reorg_count().await.expect("reads"), 1);
    assert_eq!(database.block(2).await.expect("reads"), Some(record(&other)));
    assert_eq!(database.block(3).await.expect("reads"), None);
    assert_eq!(database.block_number(&B256::with_last_byte(2)).await.expect("reads"), None);
    let refusal = database.refusal(&keccak256(b"lost")).await.expect("reads");
    assert_eq!(refusal.as_deref(), Some("nonce too low"));
    assert_eq!(place_of(&database, b"one").await, Some((1, 0)));
    assert_eq!(place_of(&database, b"two").await, None);
    assert_eq!(place_of(&database, b"three").await, Some((2, 1)));
    let from = database.reorged_from(&keccak256(b"three")).await.expect("reads");
    assert_eq!(from, Some(ReorgedFrom { block: 3, reason: "forced".into() }));
    assert_eq!(database.reorged_from(&keccak256(b"one")).await.expect("reads"), None);
    let withdrawn = database.withdrawals_of(&keccak256(b"three"), 9).await.expect("reads");
    assert_eq!(withdrawn, [(2, withdrawal(&keccak256(b"three")))]);
    assert_eq!(database.withdrawals_of(&keccak256(b"two"), 9).await.expect("reads"), []);
    let hashes = database.withdrawal_hashes(1).await.expect("reads");
    assert_eq!(hashes, [keccak256(keccak256(b"one"))]);
    assert_eq!(database.passer_proof(3).await.expect("reads"), None);

    // A rewind that removes no blocks is not a reorg.
    let rewind = IndexRewind { first_block: 3, reason: "none".into(), reorged: Vec::new() };
    let batch = IndexBatch {
        to: 11,
        rewind: Some(rewind),
        blocks: vec![block(&input(3, &[b"two"]), 10..11)],
        ..IndexBatch::default()
    };
    database.index(&batch).await.expect("indexes");
    assert_eq!(database.reorg_count().await.expect("reads"), 1);
    assert_eq!(place_of(&database, b"two").await, Some((3, 0)));
}

pub(crate) async fn accepted_transaction_is_no_longer_refused(place: Place) {
    let database = open(&place).await;
    let refused: Vec<_> = [b"one", b"two"].map(|raw| (keccak256(raw), "early".to_owned())).into();
    database.index(&IndexBatch { refused, ..IndexBatch::default() }).await.expect("indexes");
    for _ in 0..2 {
        let accepted = vec![keccak256(b"two")];
        database.index(&IndexBatch { accepted, ..IndexBatch::default() }).await.expect("indexes");
    }
    let refusal = async |raw| database.refusal(&keccak256(raw)).await.expect("reads");
    assert_eq!(refusal(b"one").await.as_deref(), Some("early"));
    assert_eq!(refusal(b"two").await, None);
}

pub(crate) async fn cleared_index_can_be_rebuilt(place: Place) {
    let database = open(&place).await;
    let inputs = [input(1, &[b"one"]), input(2, &[b"two"])];
    for input in &inputs {
        append(&database, input).await;
    }
    database.clear_index().await.expect("clears");
    assert_eq!(database.indexed_to().await.expect("reads"), 0);
    assert_eq!(database.head_block().await.expect("reads"), None);
    assert_eq!(place_of(&database, b"one").await, None);
    assert_eq!(database.journal_end().await.expect("reads"), 4, "the journal stays");
    let blocks = vec![block(&inputs[0], 0..1), block(&inputs[1], 2..3)];
    let batch = IndexBatch { to: 3, blocks, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
    assert_eq!(database.sealed_blocks(1, 9).await.expect("reads"), inputs);
}

pub(crate) async fn dropping_proofs_spares_the_kept_ones(place: Place) {
    let database = open(&place).await;
    for number in 1..=4 {
        append(&database, &input(number, &[])).await;
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
