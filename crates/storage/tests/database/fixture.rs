//! Entries and blocks that tests write.

use alloy_primitives::{Address, B64, B256, Bytes, U256, keccak256};
use turnpike_protocol::{Deposit, DepositHint, Header, Origin, QueuedDeposit};
use turnpike_storage::{
    AcceptedBytes, AcceptedTx, BlockKeys, BlockOpening, BlockPart, BlockRecord, Database,
    IndexBatch, JournalEntry, JournalTx, PasserProof, ReceiptRecord, SealedBlock, SealedEntry,
    SealedInput, SliceEntry, StoredTimes, WithdrawalRecord,
};

use crate::place::Place;

pub(crate) const CHAIN: B256 = B256::repeat_byte(1);

pub(crate) async fn open(place: &Place) -> Database {
    Database::open(&place.location(), CHAIN).await.expect("opens")
}

/// Closes and reopens the database.
pub(crate) async fn reopen(database: Database, place: &Place) -> Database {
    database.close().await;
    drop(database);
    open(place).await
}

pub(crate) fn input(number: u64, transactions: &[&[u8]]) -> SealedInput {
    SealedInput {
        number,
        time_ms: 1_000 + number,
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
        hash: B256::with_last_byte(u8::try_from(number).expect("fits 8 bits")),
        state_root: B256::repeat_byte(9),
    }
}

pub(crate) fn tx(raw: &[u8]) -> JournalTx {
    JournalTx { raw: Bytes::copy_from_slice(raw), sender: Address::repeat_byte(7) }
}

pub(crate) fn accepted(arrival: u64, raw: &[u8]) -> AcceptedTx {
    let JournalTx { raw, sender } = tx(raw);
    let hash = keccak256(&raw);
    let raw = AcceptedBytes::Log(Some(raw));
    AcceptedTx { arrival, received_ms: 1_000 + arrival, hash, sender, raw }
}

/// The entry as its row holds it: without the bytes of accepted transactions.
pub(crate) fn in_row(mut entry: JournalEntry) -> JournalEntry {
    let accepted = match &mut entry {
        JournalEntry::Slice(slice) => &mut slice.accepted,
        JournalEntry::Reorg(reorg) => &mut reorg.waiting,
        JournalEntry::Sealed(_) => return entry,
    };
    accepted.iter_mut().for_each(|tx| tx.raw = AcceptedBytes::Log(None));
    entry
}

/// A row that opens a block or continues it.
pub(crate) fn part(
    input: &SealedInput,
    is_first: bool,
    raws: &[&[u8]],
    is_last: bool,
) -> JournalEntry {
    let opening = is_first.then(|| BlockOpening {
        time_ms: input.time_ms,
        origin: input.origin,
        deposits: input.deposits.clone(),
    });
    let deposits = opening.as_ref().map_or(0, |opening| opening.deposits.len());
    let part = BlockPart {
        block: input.number,
        opening,
        transactions: raws.iter().map(|raw| tx(raw)).collect(),
        outcomes: vec![B64::repeat_byte(1); deposits + raws.len()],
        is_last,
    };
    JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() })
}

/// The block after genesis with these transactions, in one row.
pub(crate) fn included(raws: &[&[u8]]) -> JournalEntry {
    part(&input(1, &[]), true, raws, true)
}

/// A row of pending transactions.
pub(crate) fn waiting(accepted: &[AcceptedTx]) -> JournalEntry {
    JournalEntry::Slice(SliceEntry { accepted: accepted.to_vec(), ..SliceEntry::default() })
}

pub(crate) fn sealed(input: &SealedInput) -> JournalEntry {
    let SealedInput { number, hash, state_root, .. } = *input;
    JournalEntry::Sealed(SealedEntry { number, hash, state_root })
}

/// Both rows of a block with one slice.
pub(crate) fn rows(input: &SealedInput) -> [JournalEntry; 2] {
    let raws: Vec<_> = input.transactions.iter().map(|raw| raw.as_ref()).collect();
    [part(input, true, &raws, true), sealed(input)]
}

pub(crate) fn record(input: &SealedInput) -> BlockRecord {
    let receipt = |raw: &Bytes| ReceiptRecord {
        transaction: raw.clone(),
        sender: Address::repeat_byte(1),
        receipt: Bytes::from_static(b"receipt"),
        gas_used: 21_000,
        effective_gas_price: 7,
        l1_fee: U256::from(8),
    };
    BlockRecord {
        header: Header { number: input.number, state_root: input.state_root, ..Header::default() },
        message_passer_storage_root: B256::repeat_byte(2),
        origin: input.origin,
        receipts: input.transactions.iter().map(receipt).collect(),
    }
}

/// The index entry of a block in these rows.
pub(crate) fn block(input: &SealedInput, rows: std::ops::Range<u64>) -> SealedBlock {
    let hashes: Vec<_> = input.transactions.iter().map(keccak256).collect();
    SealedBlock {
        rows,
        hash: input.hash,
        block: record(input),
        withdrawals: hashes.iter().map(withdrawal).collect(),
        hashes,
        block_keys: BlockKeys::default(),
        passer_proof: proof(input.number),
        times: StoredTimes::default(),
    }
}

pub(crate) fn withdrawal(transaction: &B256) -> WithdrawalRecord {
    WithdrawalRecord {
        hash: keccak256(transaction),
        transaction: *transaction,
        value: U256::from(5),
        ..WithdrawalRecord::default()
    }
}

pub(crate) fn proof(block: u64) -> PasserProof {
    PasserProof {
        nonce: block,
        account_proof: vec![Bytes::from_static(b"node")],
        ..PasserProof::default()
    }
}

/// Appends a block with one slice and indexes it.
pub(crate) async fn append(database: &Database, input: &SealedInput) {
    let at = database.append_at(&rows(input), 1_000).await.expect("appends");
    let blocks = vec![block(input, at.start..at.start + 1)];
    let batch = IndexBatch { to: at.start + 1, blocks, ..IndexBatch::default() };
    database.index(&batch).await.expect("indexes");
}
