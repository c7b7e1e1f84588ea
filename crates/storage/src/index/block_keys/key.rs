//! Keys that find blocks.

use alloy_primitives::{Address, B256, Log};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 4;

/// A short hash that finds blocks: of an address or topic in their logs, or of an account of their
/// transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey(pub(super) u32);

impl BlockKey {
    /// The key of every block with a log.
    pub fn any() -> Self {
        Self::hash(0, &[])
    }

    /// A contract that emitted a log.
    pub fn address(address: &Address) -> Self {
        Self::hash(1, address.as_slice())
    }

    /// A topic of a log, at this position among the log's topics.
    pub fn topic(position: u8, topic: &B256) -> Self {
        Self::hash(2 + position, topic.as_slice())
    }

    /// An account that sent a transaction.
    pub fn sender(address: &Address) -> Self {
        Self::hash(6, address.as_slice())
    }

    /// An account that a transaction calls or creates.
    pub fn recipient(address: &Address) -> Self {
        Self::hash(7, address.as_slice())
    }

    fn hash(kind: u8, bytes: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(bytes);
        Self(hasher.finalize())
    }
}

/// The keys of a block, sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockKeys(pub(super) Vec<BlockKey>);

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

    /// Adds keys.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = BlockKey>) -> Self {
        self.0.extend(others);
        Self::sorted(self.0)
    }

    pub(super) fn sorted(mut keys: Vec<BlockKey>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|key| key.0.to_be_bytes()).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
        let keys = keys.iter().map(|key| BlockKey(u32::from_be_bytes(*key))).collect();
        rest.is_empty().then_some(Self(keys))
    }

    pub(super) fn has(&self, key: BlockKey) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

/// A search for blocks: sets of keys. A block matches if it has at least one key of every set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockQuery(pub(super) Vec<BlockKeys>);

impl BlockQuery {
    /// Searches for blocks with one key of each set. Without sets: for blocks with any log.
    pub fn new(sets: impl IntoIterator<Item = Vec<BlockKey>>) -> Self {
        let mut sets: Vec<_> = sets.into_iter().map(BlockKeys::sorted).collect();
        if sets.is_empty() {
            sets.push(BlockKeys(vec![BlockKey::any()]));
        }
        // Check small sets first, because they leave the fewest blocks.
        sets.sort_by_key(|set| set.0.len());
        Self(sets)
    }

    pub(super) fn matches(&self, keys: &BlockKeys) -> bool {
        self.0.iter().all(|set| set.0.iter().any(|key| keys.has(*key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_keys_depend_on_the_position() {
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
}
