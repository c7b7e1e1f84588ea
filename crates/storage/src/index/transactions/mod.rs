//! The index of transactions: the block and position of each transaction, by hash.
//!
//! # Format
//!
//! Entries (hash, block, position) are kept in runs, sorted by hash, as in a log-structured merge
//! tree:
//!
//! ```text
//! batch ─► a run of level 0: sorted entries, 48 in a row of the table transactions
//! 8 runs of a level ─► one run of the next level, merged a little with every batch
//! ```
//!
//! Hashes are random. In one B-tree, nearly every transaction of a batch would write a separate
//! page. Runs are written sequentially instead, and each entry once per level. Finding a
//! transaction reads one row of every run: about 30 for 100 million transactions.
//!
//! A merge moves entries from the low ends of the old runs to the high end of the new one, in the
//! transaction of the batch. So an entry is always in exactly one run, whenever the process stops.
//!
//! # Limits
//!
//! A block number takes 40 bits and a position in a block 24.

mod entry;

use alloy_primitives::B256;
use sqlx::{Any, AnyConnection, Executor, Row as _, any::AnyRow};

pub use entry::TransactionLocation;
use entry::{LocationEntry, entries_in, key_of, rows_of, to_bytes};

use crate::{
    Database, StorageError,
    sql::{for_rows, signed, unsigned},
};

/// Runs of a level that one merge combines.
const MERGED_RUNS: usize = 8;

/// Amount of merging per batch.
#[derive(Clone, Copy, Debug)]
struct MergeRate {
    /// Entries that move for each new one. It must be at least the number of levels.
    moved_for_each: usize,
    /// Minimum entries that move with a batch.
    moved_min: usize,
    /// Maximum rows of each run that are merged at once.
    rows_at_once: u64,
}

const MERGE_RATE: MergeRate = MergeRate { moved_for_each: 8, moved_min: 1_024, rows_at_once: 32 };

/// A row of `transaction_runs`: sorted entries of a range of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SortedRun {
    id: u64,
    level: u64,
    /// First block with entries in the run.
    first_block: u64,
    /// Last block with entries in the run.
    last_block: u64,
    /// The run that this run is merged into.
    merged_into: Option<u64>,
}

impl SortedRun {
    fn read(row: &AnyRow) -> Result<Self, StorageError> {
        let column = |at| row.try_get(at).map(unsigned);
        let (id, level, first_block, last_block) = (column(0)?, column(1)?, column(2)?, column(3)?);
        let merged_into = row.try_get::<Option<i64>, _>(4)?.map(unsigned);
        Ok(Self { id, level, first_block, last_block, merged_into })
    }
}

/// Returns the next merge to begin, if any: the new run, and the ids of the runs to merge into it.
fn next_merge(runs: &[SortedRun]) -> Option<(SortedRun, Vec<u64>)> {
    let is_growing = |run: &SortedRun| runs.iter().any(|other| other.merged_into == Some(run.id));
    let is_idle = |run: &&SortedRun| run.merged_into.is_none() && !is_growing(run);
    let mut idle: Vec<_> = runs.iter().filter(is_idle).collect();
    idle.sort_by_key(|run| (run.level, run.id));
    let same_level = idle.chunk_by(|a, b| a.level == b.level);
    let merged = same_level.filter_map(|runs| runs.first_chunk::<MERGED_RUNS>()).next()?;
    let run = SortedRun {
        id: next_id(runs),
        level: merged[0].level + 1,
        first_block: merged.iter().map(|run| run.first_block).min()?,
        last_block: merged.iter().map(|run| run.last_block).max()?,
        merged_into: None,
    };
    Some((run, merged.iter().map(|run| run.id).collect()))
}

fn next_id(runs: &[SortedRun]) -> u64 {
    runs.iter().map(|run| run.id + 1).max().unwrap_or(1)
}

impl Database {
    /// Finds the block and position of a transaction.
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
    // In a forced batch two deposits can have the same hash. The first one counts.
    let mut first: Option<TransactionLocation> = None;
    for row in &rows {
        let Some(bytes) = row.try_get::<Option<&[u8]>, _>(1)? else { continue };
        let entries = entries_in(unsigned(row.try_get(0)?), bytes)?;
        let at = entries.partition_point(|entry| entry.hash() < hash.as_slice());
        let found = entries.get(at).filter(|entry| entry.hash() == hash.as_slice());
        first = first.into_iter().chain(found.map(LocationEntry::location)).min();
    }
    Ok(first)
}

/// Indexes the transactions of blocks.
pub(crate) async fn insert(
    tx: &mut AnyConnection,
    blocks: impl Iterator<Item = (u64, &[B256])>,
) -> Result<(), StorageError> {
    insert_at(tx, blocks, MERGE_RATE).await
}

async fn insert_at(
    tx: &mut AnyConnection,
    blocks: impl Iterator<Item = (u64, &[B256])>,
    rate: MergeRate,
) -> Result<(), StorageError> {
    let mut entries = Vec::new();
    for (block, hashes) in blocks {
        let positions = hashes.iter().enumerate();
        entries.extend(positions.map(|(position, hash)| LocationEntry::new(hash, block, position)));
    }
    let blocks = || entries.iter().map(|entry| entry.location().block);
    let (Some(first_block), Some(last_block)) = (blocks().min(), blocks().max()) else {
        return Ok(());
    };
    entries.sort_unstable();
    let mut runs = runs_from(tx, 0).await?;
    let run =
        SortedRun { id: next_id(&runs), level: 0, first_block, last_block, merged_into: None };
    open(tx, &run).await?;
    put(tx, run.id, &entries).await?;
    runs.push(run);
    let to_move = entries.len() * rate.moved_for_each + rate.moved_min;
    merge(tx, runs, to_move, rate.rows_at_once).await
}

/// Removes the entries of blocks from `first_block` on. `hashes` are all their transactions.
pub(crate) async fn rewind(
    tx: &mut AnyConnection,
    first_block: u64,
    hashes: impl Iterator<Item = &B256>,
) -> Result<(), StorageError> {
    let mut keys: Vec<_> = hashes.map(|hash| key_of(hash.as_slice())).collect();
    keys.sort_unstable();
    for run in runs_from(tx, first_block).await? {
        if run.first_block < first_block {
            remove_entries(tx, run.id, first_block, &keys).await?;
            let update = "UPDATE transaction_runs SET last_block = $2 WHERE id = $1";
            let query = sqlx::query(update).bind(signed(run.id)).bind(signed(first_block - 1));
            query.execute(&mut *tx).await?;
        } else {
            // Runs that are being merged into it hold no earlier blocks either.
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

/// Removes the entries of blocks from `first_block` on from the rows of a run that hold these keys.
async fn remove_entries(
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
        entries.retain(|entry| entry.location().block < first_block);
        if entries.len() < count {
            replace(tx, run, last, &entries).await?;
        }
        keys = &keys[keys.partition_point(|key| *key <= last)..];
    }
    Ok(())
}

/// Reads the runs with entries of `block` or later ones.
async fn runs_from(tx: &mut AnyConnection, block: u64) -> Result<Vec<SortedRun>, StorageError> {
    let rows = sqlx::query(
        "SELECT id, level, first_block, last_block, merged_into FROM transaction_runs
         WHERE last_block >= $1 ORDER BY id",
    )
    .bind(signed(block))
    .fetch_all(tx)
    .await?;
    rows.iter().map(SortedRun::read).collect()
}

/// Begins a merge where a level has enough runs. Continues the merges that have begun, lowest level
/// first, until `to_move` entries have moved.
async fn merge(
    tx: &mut AnyConnection,
    mut runs: Vec<SortedRun>,
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
        let of_it = |run: &&SortedRun| run.merged_into == Some(into);
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

/// Moves entries from the low end of the runs `from` to the high end of the run `into`. Returns the
/// number of moved entries; 0 means that `from` is empty.
async fn move_some(
    tx: &mut AnyConnection,
    from: &[u64],
    into: u64,
    rows_at_once: u64,
) -> Result<usize, StorageError> {
    let mut found = Vec::new();
    // All entries up to this key have been read.
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
        // Whole rows are deleted below. A row may end before its key if a rewind removed its last
        // entry.
        if !low.is_empty() && *last > end {
            replace(tx, *run, *last, high).await?;
        }
    }
    for run in from {
        let delete = "DELETE FROM transactions WHERE run = $1 AND last <= $2";
        sqlx::query(delete).bind(signed(*run)).bind(end).execute(&mut *tx).await?;
    }
    // A stable sort is fast on concatenated sorted runs.
    moved.sort();
    put(tx, into, &moved).await?;
    Ok(moved.len())
}

async fn open(tx: &mut AnyConnection, run: &SortedRun) -> Result<(), StorageError> {
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

/// Writes sorted entries at the high end of a run.
async fn put(
    tx: &mut AnyConnection,
    run: u64,
    entries: &[LocationEntry],
) -> Result<(), StorageError> {
    for_rows::<3, _>(
        tx,
        "INSERT INTO transactions (run, last, entries) VALUES ?",
        &rows_of(entries),
        |query, (last, entries)| query.bind(signed(run)).bind(*last).bind(to_bytes(entries)),
    )
    .await
}

/// Replaces the entries of a row; deletes the row if none are left.
async fn replace(
    tx: &mut AnyConnection,
    run: u64,
    last: i64,
    left: &[LocationEntry],
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

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use sqlx::Connection as _;

    use super::*;

    fn run(id: u64, level: u64) -> SortedRun {
        SortedRun { id, level, first_block: 10 * id, last_block: 10 * id + 9, merged_into: None }
    }

    #[test]
    fn the_oldest_eight_of_a_level_are_merged() {
        let mut runs = vec![run(1, 3), run(2, 1)];
        runs.extend((3..10).map(|id| run(id, 0)));
        assert_eq!(next_merge(&runs), None);
        runs.extend([run(10, 0), run(11, 0)]);
        let (new, merged) = next_merge(&runs).expect("the level has enough runs");
        assert_eq!(merged, [3, 4, 5, 6, 7, 8, 9, 10]);
        let expected =
            SortedRun { id: 12, level: 1, first_block: 30, last_block: 109, merged_into: None };
        assert_eq!(new, expected);
        runs.iter_mut()
            .filter(|run| merged.contains(&run.id))
            .for_each(|run| run.merged_into = Some(12));
        runs.push(new);
        assert_eq!(next_merge(&runs), None, "the runs are being merged");
        runs.extend((13..19).map(|id| run(id, 1)));
        assert_eq!(next_merge(&runs), None, "a run that grows is not merged");
    }

    async fn empty(folder: &tempfile::TempDir) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("index.db").display());
        let mut connection = AnyConnection::connect(&url).await.expect("opens");
        let schema = include_str!("../../../../../migrations/index/0002_index.sql");
        connection.execute(schema).await.expect("creates");
        connection
    }

    /// Checks that the rows of each run are in order and do not overlap.
    async fn check_rows(connection: &mut AnyConnection) {
        let rows = sqlx::query("SELECT run, last, entries FROM transactions ORDER BY run, last");
        let mut before = (-1, -1);
        for row in rows.fetch_all(connection).await.expect("reads") {
            let (run, last): (i64, i64) = (row.get(0), row.get(1));
            let entries = entries_in(unsigned(run), row.get(2)).expect("complete entries");
            let first = entries.first().expect("no row is empty");
            assert!(entries.is_sorted() && entries.iter().all(|entry| entry.key() <= last));
            assert!(before.0 < run || before.1 < first.key(), "run {run}, row {last}");
            before = (run, last);
        }
    }

    /// The row's key is higher than those of the entries that move with it.
    #[tokio::test]
    async fn row_that_lost_its_last_entry_moves_once() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let mut connection = empty(&folder).await;
        let entry = |key: u8| LocationEntry::new(&B256::repeat_byte(key), 1, usize::from(key));
        let rows: [(u64, &[&[u8]]); 2] = [(1, &[&[10, 20, 40]]), (2, &[&[5, 25], &[50, 60]])];
        for (run, rows) in rows {
            for keys in rows {
                let entries: Vec<_> = keys.iter().map(|key| entry(*key)).collect();
                put(&mut connection, run, &entries).await.expect("writes");
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

    /// Merges span many batches, and rewinds happen in between.
    #[tokio::test]
    async fn entries_are_found_during_merges_and_rewinds() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let mut connection = empty(&folder).await;
        // Merging is slower than inserting, so several merges run at once.
        let rate = MergeRate { moved_for_each: 1, moved_min: 0, rows_at_once: 2 };
        let hash =
            |block: u64, at: u64| keccak256([block.to_be_bytes(), at.to_be_bytes()].concat());
        let of_block = |block: u64| (0..100 + 10 * (block % 7)).map(move |at| hash(block, at));
        let mut most_under_way = 0;
        let mut next = 0_u64;
        for step in 0..150 {
            if step % 9 == 8 {
                let first = next.saturating_sub(1 + step % 5);
                let gone: Vec<_> = (first..next).flat_map(of_block).collect();
                rewind(&mut connection, first, gone.iter()).await.expect("rewinds");
                next = first;
            }
            let hashes: Vec<_> = of_block(next).collect();
            let blocks = std::iter::once((next, hashes.as_slice()));
            insert_at(&mut connection, blocks, rate).await.expect("inserts");
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
        assert_eq!(
            unsigned(bytes),
            (entries * super::entry::ENTRY_BYTES) as u64,
            "each entry is stored once"
        );
    }
}
