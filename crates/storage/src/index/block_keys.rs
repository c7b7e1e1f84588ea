//! Which blocks may hold a log of some address or with some topic, or a transaction of some account, without a row for each.
//!
//! ```text
//! block ─► its keys, a row ─► every 256 blocks, a section: postings (key, block), sorted, a row for some thousands of them
//! ```
//!
//! A key is a short hash, so that a block may be named that holds no such thing; one that does is always named. A look-up reads one row for
//! each key and section, and the keys of the newest blocks, whose section is not complete.

use alloy_primitives::{Address, B256, Log};
use sqlx::{AnyConnection, Row as _};

use crate::{
    Database, StorageError,
    sql::{for_rows, signed, unsigned},
};

/// Blocks of a section: a block's place in one is a byte.
const SECTION_BLOCKS: u64 = 256;

/// Postings in a row. Those of one key are in one row, which has more if need be.
const ROW_POSTINGS: usize = 4_096;

/// Bytes of a key, and of a posting: the key, and the block's place in its section.
const KEY_BYTES: usize = 4;
const POSTING_BYTES: usize = KEY_BYTES + 1;

/// Times that a section is looked at which changes meanwhile.
const LOOKS_MAX: usize = 3;

/// Something that a block can be looked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey(u32);

impl BlockKey {
    /// That there is a log at all.
    pub fn any() -> Self {
        Self::of(0, &[])
    }

    /// The contract that wrote it.
    pub fn address(address: &Address) -> Self {
        Self::of(1, address.as_slice())
    }

    /// A topic, and its place among the log's topics.
    pub fn topic(position: u8, topic: &B256) -> Self {
        Self::of(2 + position, topic.as_slice())
    }

    /// An account that sent a transaction.
    pub fn sender(address: &Address) -> Self {
        Self::of(6, address.as_slice())
    }

    /// An account that a transaction is to, or that it creates.
    pub fn recipient(address: &Address) -> Self {
        Self::of(7, address.as_slice())
    }

    fn of(kind: u8, bytes: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(bytes);
        Self(hasher.finalize())
    }
}

/// All keys of a block: each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockKeys(Vec<BlockKey>);

impl BlockKeys {
    /// The keys of these logs.
    pub fn of<'a>(logs: impl IntoIterator<Item = &'a Log>) -> Self {
        let mut keys = Vec::new();
        for log in logs {
            keys.extend([BlockKey::any(), BlockKey::address(&log.address)]);
            keys.extend((0..).zip(log.topics()).map(|(at, topic)| BlockKey::topic(at, topic)));
        }
        Self::sorted(keys)
    }

    /// These keys, and others.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = BlockKey>) -> Self {
        self.0.extend(others);
        Self::sorted(self.0)
    }

    fn sorted(mut keys: Vec<BlockKey>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|key| key.0.to_be_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
        let keys = keys.iter().map(|key| BlockKey(u32::from_be_bytes(*key))).collect();
        rest.is_empty().then_some(Self(keys))
    }

    fn has(&self, key: BlockKey) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

/// What blocks are looked for by: one key of each of some sets. Without a set, a log of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockQuery(Vec<BlockKeys>);

impl BlockQuery {
    /// A query for one key of each of these sets.
    pub fn new(sets: impl IntoIterator<Item = Vec<BlockKey>>) -> Self {
        let mut sets: Vec<_> = sets.into_iter().map(BlockKeys::sorted).collect();
        if sets.is_empty() {
            sets.push(BlockKeys(vec![BlockKey::any()]));
        }
        // The small ones leave the least to look at.
        sets.sort_by_key(|set| set.0.len());
        Self(sets)
    }

    fn matches(&self, keys: &BlockKeys) -> bool {
        self.0.iter().all(|set| set.0.iter().any(|key| keys.has(*key)))
    }
}

/// Some blocks of a section, each by its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Places([u64; 4]);

impl Places {
    fn of(places: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self::default();
        places.into_iter().for_each(|place| set.insert(place));
        set
    }

    fn insert(&mut self, place: u8) {
        self.0[usize::from(place / 64)] |= 1 << (place % 64);
    }

    fn has(self, place: u8) -> bool {
        self.0[usize::from(place / 64)] & (1 << (place % 64)) != 0
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| join(self.0[at], other.0[at])))
    }

    fn and(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours & theirs)
    }

    fn or(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours | theirs)
    }

    fn without(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours & !theirs)
    }
}

impl Database {
    /// Numbers of the blocks from `from` to `to`, both included, that may hold logs that a query looks for, in order. A block of which
    /// the index knows nothing is among them.
    pub async fn blocks_with(
        &self,
        from: u64,
        to: u64,
        query: &BlockQuery,
    ) -> Result<Vec<u64>, StorageError> {
        let mut found = Vec::new();
        for section in from / SECTION_BLOCKS..=to / SECTION_BLOCKS {
            let first = section * SECTION_BLOCKS;
            let is_asked_for = |place: &u8| (from..=to).contains(&(first + u64::from(*place)));
            let asked = Places::of((0..=u8::MAX).filter(is_asked_for));
            let places = self.places_with(section, asked, query).await?;
            let all = (0..=u8::MAX).filter(|place| places.has(*place));
            found.extend(all.map(|place| first + u64::from(place)));
        }
        Ok(found)
    }

    /// Whether the index names a block for each of these keys.
    pub async fn has_keys(&self, block: u64, keys: &BlockKeys) -> Result<bool, StorageError> {
        let (section, place) = (block / SECTION_BLOCKS, place_of(block));
        for _ in 0..LOOKS_MAX {
            let mut rest = keys.0.as_slice();
            let mut is_complete = true;
            while let Some(first) = rest.first() {
                let Some(row) = self.posting_row(section, *first).await? else {
                    is_complete = false;
                    break;
                };
                let (here, later) = rest.split_at(row.keys_before_end(rest));
                if !here.iter().all(|key| row.places(*key).has(place)) {
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

    /// Those of the places of a section that may hold such logs.
    async fn places_with(
        &self,
        section: u64,
        asked: Places,
        query: &BlockQuery,
    ) -> Result<Places, StorageError> {
        let mut unknown = asked;
        let mut found = Places::default();
        for _ in 0..LOOKS_MAX {
            if let Some(complete) = self.in_complete(section, asked, query).await? {
                return Ok(complete);
            }
            let first = section * SECTION_BLOCKS;
            let rows = self.key_rows(first, first + SECTION_BLOCKS - 1).await?;
            let with = rows.iter().filter(|(_, keys)| query.matches(keys));
            found = Places::of(with.map(|(place, _)| *place)).and(asked);
            unknown = asked.without(Places::of(rows.iter().map(|(place, _)| *place)));
            if unknown.is_empty() {
                break;
            }
            // The section may have become complete in between.
        }
        Ok(found.or(unknown))
    }

    /// Those of the places of a complete section that may hold such logs; `None` if it is not complete.
    async fn in_complete(
        &self,
        section: u64,
        asked: Places,
        query: &BlockQuery,
    ) -> Result<Option<Places>, StorageError> {
        let mut found = asked;
        for set in &query.0 {
            let mut with_any = Places::default();
            let mut rest = set.0.as_slice();
            while let Some(first) = rest.first() {
                let Some(row) = self.posting_row(section, *first).await? else { return Ok(None) };
                let (here, later) = rest.split_at(row.keys_before_end(rest));
                for key in here {
                    with_any = with_any.or(row.places(*key));
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

    /// The row that has a key's postings, if there are any; `None` if the section is not complete.
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
                .map_err(|_| damaged(section, "its last key is none"))?;
            let postings = read_postings(section, row.try_get(1)?)?;
            Ok(PostingRow { last: BlockKey(last), postings })
        })
        .transpose()
    }

    /// The keys of blocks whose section is not complete, each with the block's place in it.
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

/// A row of postings.
struct PostingRow {
    last: BlockKey,
    postings: Vec<[u8; POSTING_BYTES]>,
}

impl PostingRow {
    /// How many of some sorted keys are in this row if they are in the section.
    fn keys_before_end(&self, keys: &[BlockKey]) -> usize {
        keys.partition_point(|key| *key <= self.last)
    }

    /// Places of the blocks that have a key.
    fn places(&self, key: BlockKey) -> Places {
        let start = self.postings.partition_point(|posting| split(posting).0 < key);
        let of_key =
            self.postings[start..].iter().map(split).take_while(|(found, _)| *found == key);
        Places::of(of_key.map(|(_, place)| place))
    }
}

fn split(posting: &[u8; POSTING_BYTES]) -> (BlockKey, u8) {
    let [a, b, c, d, place] = *posting;
    (BlockKey(u32::from_be_bytes([a, b, c, d])), place)
}

fn joined(key: BlockKey, place: u8) -> [u8; POSTING_BYTES] {
    let [a, b, c, d] = key.0.to_be_bytes();
    [a, b, c, d, place]
}

fn place_of(block: u64) -> u8 {
    u8::try_from(block % SECTION_BLOCKS).expect("invariant: a place is a byte")
}

fn read_keys(row: &sqlx::any::AnyRow) -> Result<(u8, BlockKeys), StorageError> {
    let block = unsigned(row.try_get(0)?);
    let keys = BlockKeys::from_bytes(row.try_get(1)?);
    let reason = "it is no list of keys".to_owned();
    let keys = keys.ok_or(StorageError::Damaged { table: "block_keys", key: block, reason })?;
    Ok((place_of(block), keys))
}

fn read_postings(section: u64, bytes: &[u8]) -> Result<Vec<[u8; POSTING_BYTES]>, StorageError> {
    let (postings, rest) = bytes.as_chunks::<POSTING_BYTES>();
    if rest.is_empty() { Ok(postings.to_vec()) } else { Err(damaged(section, "a posting is cut")) }
}

fn damaged(section: u64, reason: &str) -> StorageError {
    StorageError::Damaged { table: "block_postings", key: section, reason: reason.to_owned() }
}

/// Takes the keys of blocks in. A section whose last block is among them becomes complete.
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
        if u64::from(place_of(*block)) == SECTION_BLOCKS - 1 {
            complete(tx, block / SECTION_BLOCKS).await?;
        }
    }
    Ok(())
}

/// Makes postings of a section's keys.
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
        // Blocks that are older than the index are looked at one by one.
        return Ok(());
    }
    let mut postings = Vec::new();
    for row in &rows {
        let (place, keys) = read_keys(row)?;
        postings.extend(keys.0.iter().map(|key| joined(*key, place)));
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

/// Sorted postings as rows, each with the key that it goes up to.
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

/// Takes blocks from `first` on out. A complete section of which some are left is not complete any more.
pub(crate) async fn rewind(tx: &mut AnyConnection, first: u64) -> Result<(), StorageError> {
    let (section, left) = (first / SECTION_BLOCKS, place_of(first));
    let rows = sqlx::query("SELECT postings FROM block_postings WHERE section = $1")
        .bind(signed(section))
        .fetch_all(&mut *tx)
        .await?;
    let is_complete = !rows.is_empty();
    let mut keys = vec![Vec::new(); usize::from(left)];
    for row in rows {
        for posting in read_postings(section, row.try_get(0)?)? {
            let (key, place) = split(&posting);
            if let Some(keys) = keys.get_mut(usize::from(place)) {
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
    fn keys_tell_where_something_is() {
        let word = B256::repeat_byte(7);
        let keys = [
            BlockKey::any(),
            BlockKey::address(&Address::from_word(word)),
            BlockKey::topic(0, &word),
            BlockKey::topic(1, &word),
        ];
        let all = BlockKeys::sorted([keys, keys].concat());
        assert_eq!(all.0.len(), keys.len());
        assert_eq!(BlockKeys::from_bytes(&all.to_bytes()), Some(all.clone()));
        assert_eq!(BlockKeys::from_bytes(&all.to_bytes()[1..]), None);
        assert!(all.has(keys[2]) && !all.has(BlockKey::topic(2, &word)));
    }

    #[test]
    fn a_keys_postings_are_in_one_row_and_every_key_has_its_row() {
        let key = |n: usize| BlockKey(u32::try_from(n * 7).expect("small"));
        for (keys, each) in [(0, 1), (1, 256), (17, 256), (5_000, 1), (4_096, 1), (9_000, 3)] {
            let places = || (0..each).map(|place| u8::try_from(place).expect("small"));
            let postings: Vec<_> =
                (0..keys).flat_map(|n| places().map(move |place| joined(key(n), place))).collect();
            let rows = rows_of(&postings);
            assert_eq!(rows.last().expect("there is one").0, BlockKey(u32::MAX));
            assert!(rows.iter().all(|(_, row)| row.len() < ROW_POSTINGS + 256 || keys == 1));
            for n in 0..keys {
                let (last, row) = rows.iter().find(|(last, _)| *last >= key(n)).expect("has one");
                let row = PostingRow { last: *last, postings: row.to_vec() };
                assert_eq!(row.places(key(n)), Places::of(places()));
                assert_eq!(row.places(BlockKey(key(n).0 + 1)), Places::default());
            }
        }
    }
}
