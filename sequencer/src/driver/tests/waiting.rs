//! Transactions that wait: which of their bytes the database keeps, and what a restart restores.

use std::collections::BTreeSet;

use alloy::signers::SignerSync as _;
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, TxKind};
use turnpike_protocol::SignedTx;
use turnpike_storage::{AcceptedBytes, AcceptedTx, JournalEntry, SliceEntry};

use super::test_sequencer::TestSequencer;

/// Bytes of a large transaction's data.
const DATA_BYTES: usize = 100_000;

/// A user's large transaction. Each further `bump` pays a fifth more.
fn large(sequencer: &TestSequencer, user: usize, nonce: u64, bump: u32) -> SignedTx {
    let fee = 10_000_000_000 * 6_u128.pow(bump) / 5_u128.pow(bump);
    let tx = TxEip1559 {
        chain_id: sequencer.genesis.config.chain_id,
        nonce,
        gas_limit: 1_100_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: fee,
        to: TxKind::Call(sequencer.users[user].address()),
        input: Bytes::from(vec![0; DATA_BYTES]),
        ..TxEip1559::default()
    };
    let signature = sequencer.users[user].sign_hash_sync(&tx.signature_hash()).expect("signs");
    SignedTx::recover(tx.into_signed(signature).into())
}

/// Bytes of all rows of the journal.
async fn journal_bytes(sequencer: &TestSequencer) -> usize {
    let rows = sequencer.handles().chain.database.encoded_rows(0, u32::MAX).await;
    rows.expect("reads").iter().map(|row| row.payload.len()).sum()
}

/// Hashes in the log of waiting transactions.
async fn logged(sequencer: &TestSequencer) -> BTreeSet<B256> {
    let waiting = sequencer.handles().chain.database.waiting().await.expect("reads");
    let hashes = waiting.iter().map(|waits| {
        let raw = waits.bytes().expect("the log holds the bytes");
        assert_eq!(alloy_primitives::keccak256(raw), waits.hash);
        waits.hash
    });
    hashes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_and_gapped_transactions_leave_no_bytes_in_the_journal() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let before = journal_bytes(&sequencer).await;
    // 400 transactions behind a gap. All but the last 50 are replaced.
    let mut newest = BTreeSet::new();
    for user in 0..2 {
        for bump in 0..8 {
            for nonces in [1..14, 14..26] {
                let txs: Vec<_> =
                    nonces.map(|nonce| large(&sequencer, user, nonce, bump)).collect();
                let raws = txs.iter().map(|tx| Bytes::from(tx.encoded())).collect();
                for result in sequencer.handles().submissions.submit(raws).await {
                    result.expect("is accepted");
                }
                if bump == 7 {
                    newest.extend(txs.iter().map(SignedTx::hash));
                }
            }
        }
    }
    let grown = journal_bytes(&sequencer).await - before;
    assert!(grown < 1 << 20, "{grown} bytes of rows stay for good");
    assert_eq!(logged(&sequencer).await, newest, "the log holds what waits");

    sequencer.restart().await;
    sequencer.sync().await.expect("follows");
    let in_pool = |sequencer: &TestSequencer| {
        let pool = sequencer.handles().transactions.pool();
        let waits = newest.iter().filter(|hash| pool.get(hash).is_some()).count();
        (waits, pool.len(), pool.bytes())
    };
    let bytes = newest.len() * large(&sequencer, 0, 1, 7).encoded().len();
    let (waits, count, pooled) = in_pool(&sequencer);
    assert_eq!((waits, count), (50, 50), "a restart restores the pool");
    assert!(pooled.abs_diff(bytes) < 1_000, "{pooled} bytes");

    // The missing nonce of the first user arrives: its transactions leave the log with their block.
    let first = sequencer.transfer(0, 0, 0);
    assert!(sequencer.submit(&first).await);
    for _ in 0..10 {
        sequencer.build(1).await;
    }
    let hashes = logged(&sequencer).await;
    assert_eq!(hashes.len(), 25, "the second user's wait");
    assert!(newest.is_superset(&hashes));
    assert_eq!(sequencer.handles().transactions.pool().len(), 25);
    sequencer.check().await;
    sequencer.restart().await;
    sequencer.sync().await.expect("follows");
    assert_eq!(logged(&sequencer).await, hashes);
    assert_eq!(sequencer.handles().transactions.pool().len(), 25);
    sequencer.check().await;
}

/// No checksum covers the log's senders.
#[tokio::test(flavor = "multi_thread")]
async fn restored_transaction_has_the_sender_that_signed_it() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let tx = sequencer.transfer(0, 1, 0);
    let forged = AcceptedTx {
        arrival: 1 << 62,
        received_ms: 1,
        hash: tx.hash(),
        sender: Address::repeat_byte(0xee),
        raw: AcceptedBytes::Log(Some(tx.encoded().into())),
    };
    let slice = SliceEntry { accepted: vec![forged], ..SliceEntry::default() };
    let database = &sequencer.handles().chain.database;
    database.append(&[JournalEntry::Slice(slice)]).await.expect("appends");
    sequencer.restart().await;
    let pool = sequencer.handles().transactions.pool();
    let restored = pool.get(&tx.hash()).map(|restored| restored.sender);
    assert_eq!(restored, Some(sequencer.users[0].address()));
}
