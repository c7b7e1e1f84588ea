//! Where transactions are, by their hashes.
//!
//! ```text
//! batch ─► a run: entries (hash, block, position), sorted, a row for some tens of them
//! 8 runs of a level ─► one of the next, bit by bit
//! ```
//!
//! Hashes are random: in one B-tree each transaction would have a page of its own written, as soon as there are more pages than a batch has
//! transactions. Runs are written from end to end, and each entry once for each level. A look-up reads one row of every run. Runs that are
//! being merged give way from their low end, in the same transaction in which the new one takes over: an entry is always in one of them.

use alloy_primitives::B256;
use sqlx::{Any, AnyConnection, Executor, Row as _, any::AnyRow};

use crate::{
    Database, StorageError,
    sql::{for_rows, signed, unsigned},
};

/// Runs of a level that become one.
const MERGED_RUNS: usize = 8;

/// Entries in a row: so many that two rows fill a page. Those of one key are in one row, which has more if need be.
const ROW_ENTRIES: usize = 48;

const HASH_BYTES: usize = 32;
const ENTRY_BYTES: usize = HASH_BYTES + 8;

/// Bits of an entry's last eight bytes that are the position; the others are the block.
const POSITION_BITS: u32 = 24;

/// How fast runs are merged.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Entries that move for each that comes: an entry moves once for each level.
    moved_for_each: usize,
    /// Entries that move with a batch at least.
    moved_min: usize,
    /// Rows of a run that are merged at once, at most.
    rows_at_once: u64,
}

const PACE: Pace = Pace { moved_for_each: 8, moved_min: 1_024, rows_at_once: 32 };

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionLocation {
    /// Number of its block.
    pub block: u64,
    /// Its place in the block, deposits counted.
    pub position: usize,
}

/// A hash and a place; sorted, all of a hash are together, the first place first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry([u8; ENTRY_BYTES]);

impl Entry {
    fn new(hash: &B256, block: u64, position: usize) -> Self {
        let position = position as u64;
        assert!(
            block >> (u64::BITS - POSITION_BITS) == 0 && position >> POSITION_BITS == 0,
            "invariant: gas bounds a block, and time the chain"
        );
        let mut entry = [0; ENTRY_BYTES];
        entry[..HASH_BYTES].copy_from_slice(hash.as_slice());
        let place = block << POSITION_BITS | position;
        entry[HASH_BYTES..].copy_from_slice(&place.to_be_bytes());
        Self(entry)
    }

    fn hash(&self) -> &[u8] {
        &self.0[..HASH_BYTES]
    }

    fn place(&self) -> TransactionLocation {
        let place = self.0[HASH_BYTES..].try_into().expect("invariant: eight bytes");
        let place = u64::from_be_bytes(place);
        let position = usize::try_from(place & ((1 << POSITION_BITS) - 1))
            .expect("invariant: a position indexes memory");
        TransactionLocation { block: place >> POSITION_BITS, position }
    }

    /// What its row is searched for by.
    fn key(&self) -> i64 {
        key_of(self.hash())
    }
}

fn key_of(hash: &[u8]) -> i64 {
    let mut key = [0; 8];
    key[1..].copy_from_slice(&hash[..7]);
    i64::from_be_bytes(key)
}

/// Some sorted entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    id: u64,
    level: u64,
    /// Its entries are of blocks from this one to that one.
    first_block: u64,
    last_block: u64,
    /// The run that takes it over.
    merged_into: Option<u64>,
}

impl Run {
    fn read(row: &AnyRow) -> Result<Self, StorageError> {
        let column = |at| row.try_get(at).map(unsigned);
        let (id, level, first_block, last_block) = (column(0)?, column(1)?, column(2)?, column(3)?);
        let merged_into = row.try_get::<Option<i64>, _>(4)?.map(unsigned);
        Ok(Self { id, level, first_block, last_block, merged_into })
    }
}

/// The next merge to begin: the new run, and whose entries it is going to have.
fn next_merge(runs: &[Run]) -> Option<(Run, Vec<u64>)> {
    let is_growing = |run: &Run| runs.iter().any(|other| other.merged_into == Some(run.id));
    let is_idle = |run: &&Run| run.merged_into.is_none() && !is_growing(run);
    let mut idle: Vec<_> = runs.iter().filter(is_idle).collect();
    idle.sort_by_key(|run| (run.level, run.id));
    let same_level = idle.chunk_by(|a, b| a.level == b.level);
    let merged = same_level.filter_map(|runs| runs.first_chunk::<MERGED_RUNS>()).next()?;
    let run = Run {
        id: next_id(runs),
        level: merged[0].level + 1,
        first_block: merged.iter().map(|run| run.first_block).min()?,
        last_block: merged.iter().map(|run| run.last_block).max()?,
        merged_into: None,
    };
    Some((run, merged.iter().map(|run| run.id).collect()))
}

fn next_id(runs: &[Run]) -> u64 {
    runs.iter().map(|run| run.id + 1).max().unwrap_or(1)
}

impl Database {
    /// Where a transaction is, if a block holds it.
    pub async fn transaction(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLocation>, StorageError> {
        find(&self.index_database().readers, hash).await
    }
}

async fn find(
    executor: impl Executor<'_, Database = Any>,
    hash: &B256,
) -> Result<Option<TransactionLocation>, StorageError> {
    let rows = sqlx::query(
        "SELECT id, (SELECT entries FROM transactions WHERE run = id AND last >= $1 ORDER BY last LIMIT 1)
         FROM transaction_runs",
    )
    .bind(key_of(hash.as_slice()))
    .fetch_all(executor)
    .await?;
    // A batch of another's can give two deposits one name: then the first has it.
    let mut first: Option<TransactionLocation> = None;
    for row in &rows {
        let Some(bytes) = row.try_get::<Option<&[u8]>, _>(1)? else { continue };
        let entries = entries_in(unsigned(row.try_get(0)?), bytes)?;
        let at = entries.partition_point(|entry| entry.hash() < hash.as_slice());
        let found = entries.get(at).filter(|entry| entry.hash() == hash.as_slice());
        first = first.into_iter().chain(found.map(Entry::place)).min();
    }
    Ok(first)
}

/// Says where the transactions of blocks are.
pub(crate) async fn insert(
    tx: &mut AnyConnection,
    blocks: impl Iterator<Item = (u64, &[B256])>,
) -> Result<(), StorageError> {
    insert_at(tx, blocks, PACE).await
}

async fn insert_at(
    tx: &mut AnyConnection,
    blocks: impl Iterator<Item = (u64, &[B256])>,
    pace: Pace,
) -> Result<(), StorageError> {
    let mut entries = Vec::new();
    for (block, hashes) in blocks {
        let places = hashes.iter().enumerate();
        entries.extend(places.map(|(position, hash)| Entry::new(hash, block, position)));
    }
    let blocks = || entries.iter().map(|entry| entry.place().block);
    let (Some(first_block), Some(last_block)) = (blocks().min(), blocks().max()) else {
        return Ok(());
    };
    entries.sort_unstable();
    let mut runs = runs_from(tx, 0).await?;
    let run = Run { id: next_id(&runs), level: 0, first_block, last_block, merged_into: None };
    open(tx, &run).await?;
    put(tx, run.id, &entries).await?;
    runs.push(run);
    let to_move = entries.len() * pace.moved_for_each + pace.moved_min;
    merge(tx, runs, to_move, pace.rows_at_once).await
}

/// Takes away what is in blocks from `first_block` on: transactions with these hashes.
pub(crate) async fn rewind(
    tx: &mut AnyConnection,
    first_block: u64,
    hashes: impl Iterator<Item = &B256>,
) -> Result<(), StorageError> {
    let mut keys: Vec<_> = hashes.map(|hash| key_of(hash.as_slice())).collect();
    keys.sort_unstable();
    for run in runs_from(tx, first_block).await? {
        if run.first_block < first_block {
            take_away(tx, run.id, first_block, &keys).await?;
            let update = "UPDATE transaction_runs SET last_block = $2 WHERE id = $1";
            let query = sqlx::query(update).bind(signed(run.id)).bind(signed(first_block - 1));
            query.execute(&mut *tx).await?;
        } else {
            // Runs that were giving way to it have none of the blocks before, either.
            for delete in [
                "DELETE FROM transactions WHERE run = $1",
                "DELETE FROM transaction_runs WHERE id = $1",
            ] {
                sqlx::query(delete).bind(signed(run.id)).execute(&mut *tx).await?;
            }
        }
    }
    Ok(())
}

/// Takes what is in blocks from `first_block` on out of the rows in which these keys are.
async fn take_away(
    tx: &mut AnyConnection,
    run: u64,
    first_block: u64,
    mut keys: &[i64],
) -> Result<(), StorageError> {
    while let Some(key) = keys.first() {
        let row = sqlx::query(
            "SELECT last, entries FROM transactions WHERE run = $1 AND last >= $2
             ORDER BY last LIMIT 1",
        )
        .bind(signed(run))
        .bind(*key)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { break };
        let last = row.try_get(0)?;
        let mut entries = entries_in(run, row.try_get(1)?)?;
        let count = entries.len();
        entries.retain(|entry| entry.place().block < first_block);
        if entries.len() < count {
            replace(tx, run, last, &entries).await?;
        }
        keys = &keys[keys.partition_point(|key| *key <= last)..];
    }
    Ok(())
}

/// The runs that have entries of blocks from this one on.
async fn runs_from(tx: &mut AnyConnection, block: u64) -> Result<Vec<Run>, StorageError> {
    let rows = sqlx::query(
        "SELECT id, level, first_block, last_block, merged_into FROM transaction_runs
         WHERE last_block >= $1 ORDER BY id",
    )
    .bind(signed(block))
    .fetch_all(tx)
    .await?;
    rows.iter().map(Run::read).collect()
}

/// Begins merges wherever there are enough runs of a level, and goes on with those that have begun, the lowest level first, until so many
/// entries have moved.
async fn merge(
    tx: &mut AnyConnection,
    mut runs: Vec<Run>,
    to_move: usize,
    rows_at_once: u64,
) -> Result<(), StorageError> {
    let mut moved = 0;
    while moved < to_move {
        if let Some((new, merged)) = next_merge(&runs) {
            open(tx, &new).await?;
            for run in runs.iter_mut().filter(|run| merged.contains(&run.id)) {
                run.merged_into = Some(new.id);
                let update = "UPDATE transaction_runs SET merged_into = $2 WHERE id = $1";
                let query = sqlx::query(update).bind(signed(run.id)).bind(signed(new.id));
                query.execute(&mut *tx).await?;
            }
            runs.push(new);
            continue;
        }
        let under_way = runs.iter().filter(|run| run.merged_into.is_some());
        let Some(lowest) = under_way.min_by_key(|run| run.level) else { break };
        let Some(into) = lowest.merged_into else { break };
        let of_it = |run: &&Run| run.merged_into == Some(into);
        let from: Vec<_> = runs.iter().filter(of_it).map(|run| run.id).collect();
        let count = move_some(tx, &from, into, rows_at_once).await?;
        moved += count;
        if count == 0 {
            let delete = "DELETE FROM transaction_runs WHERE merged_into = $1";
            sqlx::query(delete).bind(signed(into)).execute(&mut *tx).await?;
            runs.retain(|run| run.merged_into != Some(into));
        }
    }
    Ok(())
}

/// Moves entries from the low end of some runs to the high end of another one; says how many. None are left if none are moved.
async fn move_some(
    tx: &mut AnyConnection,
    from: &[u64],
    into: u64,
    rows_at_once: u64,
) -> Result<usize, StorageError> {
    let mut found = Vec::new();
    // Up to this key they are all read.
    let mut end = i64::MAX;
    for run in from {
        let rows = sqlx::query(
            "SELECT last, entries FROM transactions WHERE run = $1 ORDER BY last LIMIT $2",
        )
        .bind(signed(*run))
        .bind(signed(rows_at_once))
        .fetch_all(&mut *tx)
        .await?;
        let is_all = (rows.len() as u64) < rows_at_once;
        for row in rows {
            found.push((*run, row.try_get(0)?, entries_in(*run, row.try_get(1)?)?));
        }
        if let (false, Some((_, last, _))) = (is_all, found.last()) {
            end = end.min(*last);
        }
    }
    let mut moved = Vec::new();
    for (run, last, entries) in &found {
        let (low, high) = entries.split_at(entries.partition_point(|entry| entry.key() <= end));
        moved.extend_from_slice(low);
        // Others are deleted below. One may end before its key: the last of it may have been taken back.
        if !low.is_empty() && *last > end {
            replace(tx, *run, *last, high).await?;
        }
    }
    for run in from {
        let delete = "DELETE FROM transactions WHERE run = $1 AND last <= $2";
        sqlx::query(delete).bind(signed(*run)).bind(end).execute(&mut *tx).await?;
    }
    // Sorted runs one after the other: a stable sort finds them.
    moved.sort();
    put(tx, into, &moved).await?;
    Ok(moved.len())
}

async fn open(tx: &mut AnyConnection, run: &Run) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO transaction_runs (id, level, first_block, last_block) VALUES ($1, $2, $3, $4)",
    )
    .bind(signed(run.id))
    .bind(signed(run.level))
    .bind(signed(run.first_block))
    .bind(signed(run.last_block))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes entries at the end of a run.
async fn put(tx: &mut AnyConnection, run: u64, entries: &[Entry]) -> Result<(), StorageError> {
    for_rows::<3, _>(
        tx,
        "INSERT INTO transactions (run, last, entries) VALUES ?",
        &rows_of(entries),
        |query, (last, entries)| query.bind(signed(run)).bind(*last).bind(to_bytes(entries)),
    )
    .await
}

/// Leaves these entries of a row.
async fn replace(
    tx: &mut AnyConnection,
    run: u64,
    last: i64,
    left: &[Entry],
) -> Result<(), StorageError> {
    let query = if left.is_empty() {
        sqlx::query("DELETE FROM transactions WHERE run = $1 AND last = $2")
    } else {
        sqlx::query("UPDATE transactions SET entries = $3 WHERE run = $1 AND last = $2")
    };
    let mut query = query.bind(signed(run)).bind(last);
    if !left.is_empty() {
        query = query.bind(to_bytes(left));
    }
    query.execute(tx).await?;
    Ok(())
}

/// The rows that sorted entries go into, each with its last key.
fn rows_of(mut entries: &[Entry]) -> Vec<(i64, &[Entry])> {
    let mut rows = Vec::with_capacity(entries.len() / ROW_ENTRIES + 1);
    while let Some(last) = entries.get(ROW_ENTRIES - 1).or_else(|| entries.last()) {
        let last = last.key();
        let (row, rest) = entries.split_at(entries.partition_point(|entry| entry.key() <= last));
        rows.push((last, row));
        entries = rest;
    }
    rows
}

fn to_bytes(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.0).collect()
}

fn entries_in(run: u64, bytes: &[u8]) -> Result<Vec<Entry>, StorageError> {
    let (entries, rest) = bytes.as_chunks();
    if rest.is_empty() {
        return Ok(entries.iter().map(|entry| Entry(*entry)).collect());
    }
    let reason = "an entry is cut".to_owned();
    Err(StorageError::Damaged { table: "transactions", key: run, reason })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use sqlx::Connection as _;

    use super::*;

    fn run(id: u64, level: u64) -> Run {
        Run { id, level, first_block: 10 * id, last_block: 10 * id + 9, merged_into: None }
    }

    #[test]
    fn the_oldest_eight_of_a_level_are_merged() {
        let mut runs = vec![run(1, 3), run(2, 1)];
        runs.extend((3..10).map(|id| run(id, 0)));
        assert_eq!(next_merge(&runs), None);
        runs.extend([run(10, 0), run(11, 0)]);
        let (new, merged) = next_merge(&runs).expect("enough");
        assert_eq!(merged, [3, 4, 5, 6, 7, 8, 9, 10]);
        let expected =
            Run { id: 12, level: 1, first_block: 30, last_block: 109, merged_into: None };
        assert_eq!(new, expected);
        runs.iter_mut()
            .filter(|run| merged.contains(&run.id))
            .for_each(|run| run.merged_into = Some(12));
        runs.push(new);
        assert_eq!(next_merge(&runs), None, "they are being merged");
        runs.extend((13..19).map(|id| run(id, 1)));
        assert_eq!(next_merge(&runs), None, "what grows is not merged");
    }

    #[test]
    fn an_entry_is_its_hash_and_its_place() {
        for (block, position) in [(0, 0), (1, 2), ((1 << 40) - 1, (1 << 24) - 1)] {
            let entry = Entry::new(&B256::repeat_byte(7), block, position);
            assert_eq!(entry.hash(), [7; 32]);
            assert_eq!(entry.place(), TransactionLocation { block, position });
        }
    }

    #[test]
    fn entries_of_one_key_are_in_one_row() {
        let entry = |key: u8, end: u8| {
            let mut hash = B256::repeat_byte(key);
            hash[31] = end;
            Entry::new(&hash, 1, 1)
        };
        let entries: Vec<_> =
            (0..40).map(|key| entry(key, 0)).chain((0..60).map(|end| entry(40, end))).collect();
        let entries = [entries, vec![entry(41, 0)]].concat();
        let rows = rows_of(&entries);
        let lens: Vec<_> = rows.iter().map(|(_, row)| row.len()).collect();
        assert_eq!(lens, [100, 1]);
        assert!(rows.iter().all(|(last, row)| row.last().is_some_and(|e| e.key() == *last)));
        assert!(rows_of(&[]).is_empty());
    }

    async fn empty(folder: &tempfile::TempDir) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("index.db").display());
        let mut connection = AnyConnection::connect(&url).await.expect("opens");
        let schema = include_str!("../../../../migrations/index/0002_index.sql");
        connection.execute(schema).await.expect("creates");
        connection
    }

    /// All rows of a run are in order, and none reaches into another.
    async fn check_rows(connection: &mut AnyConnection) {
        let rows = sqlx::query("SELECT run, last, entries FROM transactions ORDER BY run, last");
        let mut before = (-1, -1);
        for row in rows.fetch_all(connection).await.expect("reads") {
            let (run, last): (i64, i64) = (row.get(0), row.get(1));
            let entries = entries_in(unsigned(run), row.get(2)).expect("whole");
            let first = entries.first().expect("no row is empty");
            assert!(entries.is_sorted() && entries.iter().all(|entry| entry.key() <= last));
            assert!(before.0 < run || before.1 < first.key(), "run {run}, row {last}");
            before = (run, last);
        }
    }

    /// A row whose last entry was taken back moves once, though its key is higher than what moves with it.
    #[tokio::test]
    async fn a_row_without_its_last_entry_moves_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut connection = empty(&folder).await;
        let entry = |key: u8| Entry::new(&B256::repeat_byte(key), 1, usize::from(key));
        let rows: [(u64, &[&[u8]]); 2] = [(1, &[&[10, 20, 40]]), (2, &[&[5, 25], &[50, 60]])];
        for (run, rows) in rows {
            for keys in rows {
                let entries: Vec<_> = keys.iter().map(|key| entry(*key)).collect();
                put(&mut connection, run, &entries).await.expect("puts");
            }
        }
        let left = [entry(10), entry(20)];
        replace(&mut connection, 1, entry(40).key(), &left).await.expect("replaces");
        let mut moved = 0;
        loop {
            let count = move_some(&mut connection, &[1, 2], 3, 1).await.expect("moves");
            check_rows(&mut connection).await;
            moved += count;
            if count == 0 {
                break;
            }
        }
        assert_eq!(moved, 6);
    }

    /// Merges that go on over many batches, taken back in the middle, leave every entry where it is.
    #[tokio::test]
    async fn what_is_being_merged_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut connection = empty(&folder).await;
        // Slower than what comes: several merges are under way at once.
        let pace = Pace { moved_for_each: 1, moved_min: 0, rows_at_once: 2 };
        let hash =
            |block: u64, at: u64| keccak256([block.to_be_bytes(), at.to_be_bytes()].concat());
        let of_block = |block: u64| (0..100 + 10 * (block % 7)).map(move |at| hash(block, at));
        let mut most_under_way = 0;
        let mut next = 0_u64;
        for step in 0..150 {
            if step % 9 == 8 {
                let first = next.saturating_sub(1 + step % 5);
                let gone: Vec<_> = (first..next).flat_map(of_block).collect();
                rewind(&mut connection, first, gone.iter()).await.expect("takes back");
                next = first;
            }
            let hashes: Vec<_> = of_block(next).collect();
            let blocks = std::iter::once((next, hashes.as_slice()));
            insert_at(&mut connection, blocks, pace).await.expect("inserts");
            next += 1;
            let runs = runs_from(&mut connection, 0).await.expect("reads");
            let mut under_way: Vec<_> = runs.iter().filter_map(|run| run.merged_into).collect();
            under_way.dedup();
            most_under_way = most_under_way.max(under_way.len());
            check_rows(&mut connection).await;
            if step % 20 > 0 {
                continue;
            }
            for block in 0..next + 6 {
                for (position, hash) in of_block(block).enumerate() {
                    let found = find(&mut connection, &hash).await.expect("reads");
                    let expected = TransactionLocation { block, position };
                    assert_eq!(found, (block < next).then_some(expected), "step {step}");
                }
            }
        }
        assert!(most_under_way > 1, "{most_under_way}");
        let count = "SELECT SUM(length(entries)) FROM transactions";
        let bytes: i64 =
            sqlx::query_scalar(count).fetch_one(&mut connection).await.expect("counts");
        let entries = (0..next).flat_map(of_block).count();
        assert_eq!(unsigned(bytes), (entries * ENTRY_BYTES) as u64, "each is there once");
    }
}
