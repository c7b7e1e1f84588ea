//! The index of logs and accounts. It finds the blocks that may hold a log of an address or with a
//! topic, or a transaction of an account. One row covers many blocks.
//!
//! # Format
//!
//! ```text
//! block ─► block_keys: its keys, one row ─► every 256 blocks, a section ─► block_postings:
//!                                           (key, offset in the section), sorted, 4,096 in a row
//! ```
//!
//! A key is four bytes of hash. Two different addresses may share a key, so a search can name a
//! block that holds no match, but never misses a block that holds one. A search reads one row for
//! each key and section, and the keys of the newest blocks, whose section is not complete. Blocks
//! without keys (older than this index) always match.
//!
//! A section that becomes complete moves from `block_keys` to `block_postings` in the transaction
//! that indexes its last block. Rewinding into a section moves the blocks that stay back to
//! `block_keys`.

mod block_set;
mod key;

use sqlx::{AnyConnection, Row as _};

pub use self::key::{BlockKey, BlockKeys, BlockQuery};
use self::{block_set::BlockSet, key::KEY_BYTES};
use crate::{
    Database, StorageError,
    sql::{for_rows, signed, unsigned},
};

/// Blocks in a section. The offset of a block in its section fits one byte.
const SECTION_BLOCKS: u64 = 256;

/// Postings in a row. A row takes more if one key has more, because all postings of a key share a
/// row.
const ROW_POSTINGS: usize = 4_096;

/// Bytes of a posting: key and block's offset in its section.
const POSTING_BYTES: usize = KEY_BYTES + 1;

/// Maximum attempts to read a section that changes between two reads.
const READ_ATTEMPTS_MAX: usize = 3;

impl Database {
    /// Returns the blocks from `from` to `to`, both included, that may match a query, in order. A
    /// block without keys in the index is among them.
    pub async fn blocks_with(
        &self,
        from: u64,
        to: u64,
        query: &BlockQuery,
    ) -> Result<Vec<u64>, StorageError> {
        let mut found = Vec::new();
        for section in from / SECTION_BLOCKS..=to / SECTION_BLOCKS {
            let first = section * SECTION_BLOCKS;
            let in_range = |offset: &u8| (from..=to).contains(&(first + u64::from(*offset)));
            let asked = BlockSet::of((0..=u8::MAX).filter(in_range));
            let matching = self.matching_offsets(section, asked, query).await?;
            let all = (0..=u8::MAX).filter(|offset| matching.has(*offset));
            found.extend(all.map(|offset| first + u64::from(offset)));
        }
        Ok(found)
    }

    /// Whether the index has this block for each of these keys.
    pub async fn has_keys(&self, block: u64, keys: &BlockKeys) -> Result<bool, StorageError> {
        let (section, offset) = (block / SECTION_BLOCKS, offset_of(block));
        for _ in 0..READ_ATTEMPTS_MAX {
            let mut rest = keys.0.as_slice();
            let mut is_complete = true;
            while let Some(first) = rest.first() {
                let Some(row) = self.posting_row(section, *first).await? else {
                    is_complete = false;
                    break;
                };
                let (here, later) = rest.split_at(row.keys_before_end(rest));
                if !here.iter().all(|key| row.offsets(*key).has(offset)) {
                    return Ok(false);
                }
                rest = later;
            }
            if is_complete {
                return Ok(true);
            }
            let rows = self.key_rows(block, block).await?;
            if let Some((_, found)) = rows.first() {
                return Ok(keys.0.iter().all(|key| found.has(*key)));
            }
        }
        Ok(false)
    }

    /// Returns the blocks among `asked` of a section that may match.
    async fn matching_offsets(
        &self,
        section: u64,
        asked: BlockSet,
        query: &BlockQuery,
    ) -> Result<BlockSet, StorageError> {
        let mut unknown = asked;
        let mut found = BlockSet::default();
        for _ in 0..READ_ATTEMPTS_MAX {
            if let Some(complete) = self.matching_in_complete(section, asked, query).await? {
                return Ok(complete);
            }
            let first = section * SECTION_BLOCKS;
            let rows = self.key_rows(first, first + SECTION_BLOCKS - 1).await?;
            let with = rows.iter().filter(|(_, keys)| query.matches(keys));
            found = BlockSet::of(with.map(|(offset, _)| *offset)).and(asked);
            unknown = asked.without(BlockSet::of(rows.iter().map(|(offset, _)| *offset)));
            if unknown.is_empty() {
                break;
            }
            // The section may have become complete between the two reads.
        }
        Ok(found.or(unknown))
    }

    /// Returns the matching blocks of a complete section, or `None` if the section is not complete.
    async fn matching_in_complete(
        &self,
        section: u64,
        asked: BlockSet,
        query: &BlockQuery,
    ) -> Result<Option<BlockSet>, StorageError> {
        let mut found = asked;
        for set in &query.0 {
            let mut with_any = BlockSet::default();
            let mut rest = set.0.as_slice();
            while let Some(first) = rest.first() {
                let Some(row) = self.posting_row(section, *first).await? else { return Ok(None) };
                let (here, later) = rest.split_at(row.keys_before_end(rest));
                for key in here {
                    with_any = with_any.or(row.offsets(*key));
                }
                rest = later;
            }
            found = found.and(with_any);
            if found.is_empty() {
                break;
            }
        }
        Ok(Some(found))
    }

    /// Reads the row that holds a key's postings, if the key has any. Returns `None` if the section
    /// is not complete.
    async fn posting_row(
        &self,
        section: u64,
        key: BlockKey,
    ) -> Result<Option<PostingRow>, StorageError> {
        let row = sqlx::query(
            "SELECT last, postings FROM block_postings WHERE section = $1 AND last >= $2
             ORDER BY last LIMIT 1",
        )
        .bind(signed(section))
        .bind(i64::from(key.0))
        .fetch_optional(&self.index_database().readers)
        .await?;
        row.map(|row| {
            let last = u32::try_from(row.try_get::<i64, _>(0)?)
                .map_err(|_| damaged(section, "last key is out of range"))?;
            let postings = read_postings(section, row.try_get(1)?)?;
            Ok(PostingRow { last: BlockKey(last), postings })
        })
        .transpose()
    }

    /// Reads the keys of blocks whose section is not complete, each with the block's offset.
    async fn key_rows(&self, from: u64, to: u64) -> Result<Vec<(u8, BlockKeys)>, StorageError> {
        let rows = sqlx::query(
            "SELECT block, keys FROM block_keys WHERE block >= $1 AND block <= $2 ORDER BY block",
        )
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(&self.index_database().readers)
        .await?;
        rows.iter().map(read_keys).collect()
    }
}

/// A row of `block_postings`.
struct PostingRow {
    last: BlockKey,
    postings: Vec<[u8; POSTING_BYTES]>,
}

impl PostingRow {
    /// Number of these sorted keys that belong into this row.
    fn keys_before_end(&self, keys: &[BlockKey]) -> usize {
        keys.partition_point(|key| *key <= self.last)
    }

    /// Offsets of the blocks that have a key.
    fn offsets(&self, key: BlockKey) -> BlockSet {
        let start = self.postings.partition_point(|posting| split(posting).0 < key);
        let of_key =
            self.postings[start..].iter().map(split).take_while(|(found, _)| *found == key);
        BlockSet::of(of_key.map(|(_, offset)| offset))
    }
}

fn split(posting: &[u8; POSTING_BYTES]) -> (BlockKey, u8) {
    let [a, b, c, d, offset] = *posting;
    (BlockKey(u32::from_be_bytes([a, b, c, d])), offset)
}

fn posting(key: BlockKey, offset: u8) -> [u8; POSTING_BYTES] {
    let [a, b, c, d] = key.0.to_be_bytes();
    [a, b, c, d, offset]
}

fn offset_of(block: u64) -> u8 {
    u8::try_from(block % SECTION_BLOCKS).expect("invariant: an offset in a section is a byte")
}

fn read_keys(row: &sqlx::any::AnyRow) -> Result<(u8, BlockKeys), StorageError> {
    let block = unsigned(row.try_get(0)?);
    let keys = BlockKeys::from_bytes(row.try_get(1)?);
    let reason = "length is not a multiple of a key".to_owned();
    let keys = keys.ok_or(StorageError::Damaged { table: "block_keys", key: block, reason })?;
    Ok((offset_of(block), keys))
}

fn read_postings(section: u64, bytes: &[u8]) -> Result<Vec<[u8; POSTING_BYTES]>, StorageError> {
    let (postings, rest) = bytes.as_chunks::<POSTING_BYTES>();
    if rest.is_empty() {
        Ok(postings.to_vec())
    } else {
        Err(damaged(section, "a posting is incomplete"))
    }
}

fn damaged(section: u64, reason: &str) -> StorageError {
    StorageError::Damaged { table: "block_postings", key: section, reason: reason.to_owned() }
}

/// Indexes the keys of blocks. A section becomes complete with its last block.
pub(crate) async fn insert(
    tx: &mut AnyConnection,
    blocks: &[(u64, &BlockKeys)],
) -> Result<(), StorageError> {
    for_rows::<2, _>(
        tx,
        "INSERT INTO block_keys (block, keys) VALUES ?",
        blocks,
        |query, (block, keys)| query.bind(signed(*block)).bind(keys.to_bytes()),
    )
    .await?;
    for (block, _) in blocks {
        if u64::from(offset_of(*block)) == SECTION_BLOCKS - 1 {
            complete(tx, block / SECTION_BLOCKS).await?;
        }
    }
    Ok(())
}

/// Turns the keys of a section's blocks into postings, if all of them have keys.
async fn complete(tx: &mut AnyConnection, section: u64) -> Result<(), StorageError> {
    let first = signed(section * SECTION_BLOCKS);
    let last = signed(section * SECTION_BLOCKS + SECTION_BLOCKS - 1);
    let rows = sqlx::query(
        "SELECT block, keys FROM block_keys WHERE block >= $1 AND block <= $2 ORDER BY block",
    )
    .bind(first)
    .bind(last)
    .fetch_all(&mut *tx)
    .await?;
    if rows.len() as u64 != SECTION_BLOCKS {
        // Some blocks are older than this index. Searches read those blocks one by one.
        return Ok(());
    }
    let mut postings = Vec::new();
    for row in &rows {
        let (offset, keys) = read_keys(row)?;
        postings.extend(keys.0.iter().map(|key| posting(*key, offset)));
    }
    postings.sort_unstable();
    let rows = rows_of(&postings);
    for_rows::<3, _>(
        tx,
        "INSERT INTO block_postings (section, last, postings) VALUES ?",
        &rows,
        |query, (last, postings)| {
            let query = query.bind(signed(section)).bind(i64::from(last.0));
            query.bind(postings.as_flattened().to_vec())
        },
    )
    .await?;
    sqlx::query("DELETE FROM block_keys WHERE block >= $1 AND block <= $2")
        .bind(first)
        .bind(last)
        .execute(tx)
        .await?;
    Ok(())
}

/// Divides sorted postings into rows, each with its last key.
fn rows_of(mut postings: &[[u8; POSTING_BYTES]]) -> Vec<(BlockKey, &[[u8; POSTING_BYTES]])> {
    let mut rows = Vec::new();
    while postings.len() > ROW_POSTINGS {
        let (last, _) = split(&postings[ROW_POSTINGS - 1]);
        let end = postings.partition_point(|posting| split(posting).0 <= last);
        let (row, rest) = postings.split_at(end);
        if rest.is_empty() {
            break;
        }
        rows.push((last, row));
        postings = rest;
    }
    rows.push((BlockKey(u32::MAX), postings));
    rows
}

/// Removes blocks from `first` on. A complete section that loses blocks becomes incomplete.
pub(crate) async fn rewind(tx: &mut AnyConnection, first: u64) -> Result<(), StorageError> {
    let (section, kept) = (first / SECTION_BLOCKS, offset_of(first));
    let rows = sqlx::query("SELECT postings FROM block_postings WHERE section = $1")
        .bind(signed(section))
        .fetch_all(&mut *tx)
        .await?;
    let is_complete = !rows.is_empty();
    let mut keys = vec![Vec::new(); usize::from(kept)];
    for row in rows {
        for posting in read_postings(section, row.try_get(0)?)? {
            let (key, offset) = split(&posting);
            if let Some(keys) = keys.get_mut(usize::from(offset)) {
                keys.push(key);
            }
        }
    }
    for (delete, from) in [
        ("DELETE FROM block_postings WHERE section >= $1", section),
        ("DELETE FROM block_keys WHERE block >= $1", first),
    ] {
        sqlx::query(delete).bind(signed(from)).execute(&mut *tx).await?;
    }
    if is_complete {
        let keys: Vec<_> = keys.into_iter().map(BlockKeys::sorted).collect();
        let blocks: Vec<_> = (section * SECTION_BLOCKS..).zip(&keys).collect();
        insert(tx, &blocks).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_of_a_key_share_a_row() {
        let key = |n: usize| BlockKey(u32::try_from(n * 7).expect("fits 32 bits"));
        for (keys, each) in [(0, 1), (1, 256), (17, 256), (5_000, 1), (4_096, 1), (9_000, 3)] {
            let offsets = || (0..each).map(|offset| u8::try_from(offset).expect("fits 8 bits"));
            let postings: Vec<_> = (0..keys)
                .flat_map(|n| offsets().map(move |offset| posting(key(n), offset)))
                .collect();
            let rows = rows_of(&postings);
            assert_eq!(rows.last().expect("there is a row").0, BlockKey(u32::MAX));
            assert!(rows.iter().all(|(_, row)| row.len() < ROW_POSTINGS + 256 || keys == 1));
            for n in 0..keys {
                let (last, row) =
                    rows.iter().find(|(last, _)| *last >= key(n)).expect("a row holds the key");
                let row = PostingRow { last: *last, postings: row.to_vec() };
                assert_eq!(row.offsets(key(n)), BlockSet::of(offsets()));
                assert_eq!(row.offsets(BlockKey(key(n).0 + 1)), BlockSet::default());
            }
        }
    }
}
