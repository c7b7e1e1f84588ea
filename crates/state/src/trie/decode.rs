//! Resolves blinded nodes: fetch the bytes, check the hash, parse them, and insert the node.
//!
//! The bytes come from an untrusted source. Parsing is one pass over the bytes. Recursion into
//! inlined children is bounded by their size (under 32 bytes each) and by the length of a key.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Header;

use super::{
    NodeRef, NodeSource, Trie, TrieError, Word,
    arena::BlindedBranch,
    change::Spot,
    nibbles::{KEY_NIBBLES, decode_path, with_nibble},
    word::NodeKind,
};

/// Items of a branch node: the children and the value.
const BRANCH_ITEMS: usize = 17;
/// An inlined node is shorter than its hash would be.
const INLINE_RLP_MAX: usize = 31;

impl Trie {
    /// Resolves the branch below an extension at depth `start`.
    pub(super) fn open(
        &mut self,
        spot: Spot,
        start: u8,
        number: u32,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        let BlindedBranch { key, depth, hash } = *self.arena.blinded.get(number);
        let bytes = fetch(&hash, source)?;
        let parsed = self.parse(&bytes, &key, depth);
        let branch = parsed.and_then(|word| self.bare_branch(word, depth));
        let branch = branch.ok_or(TrieError::InvalidNode { hash })?;
        self.arena.hang(branch, start, &key);
        self.arena.blinded.remove(number);
        self.set_word(spot, Word::branch(branch));
        Ok(())
    }

    /// Resolves the node at depth `start`, below the first nibbles of `prefix`, if it is blinded.
    /// The branch of an extension stays blinded.
    pub(super) fn unblind(
        &mut self,
        spot: Spot,
        start: u8,
        prefix: &B256,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        if self.word(spot) != Word::BLINDED {
            return Ok(());
        }
        let hash = self.reference(spot).to_hash();
        let bytes = fetch(&hash, source)?;
        let word = self.parse(&bytes, prefix, start).ok_or(TrieError::InvalidNode { hash })?;
        self.set_word(spot, word);
        Ok(())
    }

    /// Parses the encoding of a node at depth `start`, below the first nibbles of `prefix`.
    fn parse(&mut self, bytes: &[u8], prefix: &B256, start: u8) -> Option<Word> {
        let (items, count) = split_list(bytes)?;
        match count {
            2 => self.parse_short(&items[0], &items[1], prefix, start),
            BRANCH_ITEMS => self.parse_branch(&items, prefix, start),
            _ => None,
        }
    }

    fn parse_short(
        &mut self,
        path: &Item<'_>,
        rest: &Item<'_>,
        prefix: &B256,
        start: u8,
    ) -> Option<Word> {
        let path = decode_path(path.string()?, prefix, start)?;
        if path.is_leaf {
            let value = rest.string()?;
            let complete = path.end == KEY_NIBBLES && !value.is_empty();
            return complete.then(|| Word::leaf(self.leaves.insert(path.key, value)));
        }
        if path.end == start || path.end == KEY_NIBBLES {
            return None;
        }
        let (key, depth) = (path.key, path.end);
        if let Some(bytes) = rest.inline_node()? {
            let word = self.parse(bytes, &key, depth)?;
            let branch = self.bare_branch(word, depth)?;
            self.arena.hang(branch, start, &key);
            return Some(Word::branch(branch));
        }
        let hash = rest.hash()?;
        let number = self.arena.blinded.insert(BlindedBranch { key, depth, hash });
        Some(Word::blinded_branch(number))
    }

    fn parse_branch(
        &mut self,
        items: &[Item<'_>; BRANCH_ITEMS],
        prefix: &B256,
        depth: u8,
    ) -> Option<Word> {
        let (value, encoded) = items.split_last()?;
        let present =
            |(nibble, item): (usize, &Item<'_>)| u16::from(!item.is_empty_string()) << nibble;
        let mask = encoded.iter().enumerate().map(present).fold(0, |mask, bit| mask | bit);
        if depth >= KEY_NIBBLES || !value.is_empty_string() || mask.count_ones() < 2 {
            return None;
        }
        let branch = self.arena.alloc(mask, depth);
        for ((value, item), nibble) in (0..16).zip(encoded).zip(0..) {
            if item.is_empty_string() {
                continue;
            }
            let prefix = with_nibble(prefix, depth, value);
            let Some((child, reference)) = self.parse_child(item, &prefix, depth + 1) else {
                self.discard(Word::branch(branch));
                return None;
            };
            self.arena.set_child(branch, nibble, child);
            self.arena.set_reference(branch, nibble, &reference);
        }
        Some(Word::branch(branch))
    }

    fn parse_child(
        &mut self,
        item: &Item<'_>,
        prefix: &B256,
        start: u8,
    ) -> Option<(Word, NodeRef)> {
        if let Some(bytes) = item.inline_node()? {
            return Some((self.parse(bytes, prefix, start)?, NodeRef::of(bytes)));
        }
        Some((Word::BLINDED, NodeRef::hash(item.hash()?)))
    }

    /// The parsed node if it is a branch at `depth`, as an extension that ends there requires.
    fn bare_branch(&mut self, word: Word, depth: u8) -> Option<u32> {
        match word.node() {
            NodeKind::Branch(branch) if self.arena.head(branch).depth == depth => Some(branch),
            _ => {
                self.discard(word);
                None
            }
        }
    }

    /// Frees nodes that were parsed before an error.
    fn discard(&mut self, word: Word) {
        let leaves = &mut self.leaves;
        self.arena.free_all(word, &mut |leaf| leaves.remove(leaf));
    }
}

fn fetch<S: NodeSource>(hash: &B256, source: &mut S) -> Result<Bytes, TrieError> {
    let bytes = source.node(hash).ok_or(TrieError::MissingNode { hash: *hash })?;
    if !S::IS_CHECKED && keccak256(&bytes) != *hash {
        return Err(TrieError::HashMismatch { hash: *hash });
    }
    Ok(bytes)
}

/// One item of an RLP list.
#[derive(Clone, Copy, Default)]
struct Item<'a> {
    is_list: bool,
    payload: &'a [u8],
    /// The item with its header.
    raw: &'a [u8],
}

impl<'a> Item<'a> {
    fn string(&self) -> Option<&'a [u8]> {
        (!self.is_list).then_some(self.payload)
    }

    fn is_empty_string(&self) -> bool {
        !self.is_list && self.payload.is_empty()
    }

    fn hash(&self) -> Option<B256> {
        B256::try_from(self.string()?).ok()
    }

    /// The encoding of an inlined node. The inner `None` means that the item is a string.
    fn inline_node(&self) -> Option<Option<&'a [u8]>> {
        if !self.is_list {
            return Some(None);
        }
        (self.raw.len() <= INLINE_RLP_MAX).then_some(Some(self.raw))
    }
}

/// Splits an RLP list into at most [`BRANCH_ITEMS`] items. The list must cover all of `bytes`.
fn split_list(bytes: &[u8]) -> Option<([Item<'_>; BRANCH_ITEMS], usize)> {
    let mut outer = bytes;
    let list = split_item(&mut outer)?;
    if !list.is_list || !outer.is_empty() {
        return None;
    }
    let mut items = [Item::default(); BRANCH_ITEMS];
    let mut count = 0;
    let mut rest = list.payload;
    while !rest.is_empty() {
        *items.get_mut(count)? = split_item(&mut rest)?;
        count += 1;
    }
    Some((items, count))
}

fn split_item<'a>(bytes: &mut &'a [u8]) -> Option<Item<'a>> {
    let start = *bytes;
    let header = Header::decode(bytes).ok()?;
    let payload = bytes.get(..header.payload_length)?;
    *bytes = bytes.get(header.payload_length..)?;
    let raw = &start[..start.len() - bytes.len()];
    Some(Item { is_list: header.list, payload, raw })
}
