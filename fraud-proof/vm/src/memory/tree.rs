//! The memory's Merkle tree above the pages: binary, sparse and persistent. Snapshots share
//! unchanged subtrees and their hashes.

use std::sync::{Arc, LazyLock, OnceLock};

use alloy_primitives::B256;
use turnpike_keccak::{keccak256, keccak256_many};

use super::page::{LEAF_BYTES, PAGE_HEIGHT, Page, hash_pages};

/// Levels from a leaf to the memory's root.
pub(crate) const MEMORY_HEIGHT: usize = 27;

/// Roots of subtrees that are all zeros, by height.
static ZERO_ROOTS: LazyLock<[B256; MEMORY_HEIGHT + 1]> = LazyLock::new(|| {
    let mut roots = [B256::ZERO; MEMORY_HEIGHT + 1];
    for height in 1..roots.len() {
        roots[height] = hash_pair(roots[height - 1], roots[height - 1]);
    }
    roots
});

fn hash_pair(left: B256, right: B256) -> B256 {
    keccak256(&pair(left, right)).into()
}

fn pair(left: B256, right: B256) -> [u8; 2 * LEAF_BYTES] {
    let mut bytes = [0; 2 * LEAF_BYTES];
    bytes[..LEAF_BYTES].copy_from_slice(left.as_slice());
    bytes[LEAF_BYTES..].copy_from_slice(right.as_slice());
    bytes
}

/// A subtree; `None` if it is all zeros.
pub(crate) type Subtree = Option<Tree>;

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Page(Arc<Page>),
    Inner(Arc<Inner>),
}

#[derive(Debug)]
pub(crate) struct Inner {
    children: [Subtree; 2],
    root: OnceLock<B256>,
}

impl Tree {
    fn root(&self) -> Option<B256> {
        match self {
            Self::Page(page) => page.root(),
            Self::Inner(inner) => inner.root.get().copied(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Page(a), Self::Page(b)) => Arc::ptr_eq(a, b),
            (Self::Inner(a), Self::Inner(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// The children of a subtree above the pages.
fn children(tree: &Subtree) -> &[Subtree; 2] {
    const NONE: &[Subtree; 2] = &[None, None];
    match tree {
        Some(Tree::Inner(inner)) => &inner.children,
        _ => NONE,
    }
}

/// Root of a hashed subtree.
fn known_root(tree: &Subtree, height: usize) -> B256 {
    match tree {
        None => ZERO_ROOTS[height],
        Some(tree) => tree.root().expect("invariant: hashed from the pages up"),
    }
}

/// The tree with some pages replaced. `pages` is sorted by index, without duplicates.
pub(crate) fn with_pages(tree: &Subtree, height: usize, pages: &[(usize, Arc<Page>)]) -> Subtree {
    if pages.is_empty() {
        return tree.clone();
    }
    if height == PAGE_HEIGHT {
        debug_assert_eq!(pages.len(), 1);
        return Some(Tree::Page(Arc::clone(&pages[0].1)));
    }
    let bit = 1 << (height - 1 - PAGE_HEIGHT);
    let (left, right) = pages.split_at(pages.partition_point(|(index, _)| index & bit == 0));
    let [old_left, old_right] = children(tree);
    let children =
        [with_pages(old_left, height - 1, left), with_pages(old_right, height - 1, right)];
    Some(Tree::Inner(Arc::new(Inner { children, root: OnceLock::new() })))
}

/// Computes the root from the subtrees that changed since the last root. Also returns the number of
/// hashes.
pub(crate) fn hash(tree: &Subtree) -> (B256, u64) {
    let mut stale = Stale::default();
    if let Some(tree) = tree {
        stale.collect(tree, MEMORY_HEIGHT);
    }
    let mut hashes = hash_pages(&stale.pages);
    for (index, inners) in stale.inners.iter().enumerate() {
        let height = PAGE_HEIGHT + index;
        let child = |tree: &Subtree| known_root(tree, height);
        let pairs: Vec<_> = inners
            .iter()
            .map(|inner| pair(child(&inner.children[0]), child(&inner.children[1])))
            .collect();
        let messages: Vec<&[u8]> = pairs.iter().map(<[u8; 64]>::as_slice).collect();
        let mut roots = vec![[0; 32]; messages.len()];
        keccak256_many(&messages, &mut roots);
        hashes += roots.len() as u64;
        for (inner, root) in inners.iter().zip(roots) {
            // Set already only if another machine that shares the node has computed it.
            let _ = inner.root.set(root.into());
        }
    }
    (known_root(tree, MEMORY_HEIGHT), hashes)
}

/// Nodes without a root.
#[derive(Default)]
struct Stale {
    pages: Vec<Arc<Page>>,
    /// By the height of their children, pages first.
    inners: [Vec<Arc<Inner>>; MEMORY_HEIGHT - PAGE_HEIGHT],
}

impl Stale {
    fn collect(&mut self, tree: &Tree, height: usize) {
        if tree.root().is_some() {
            return;
        }
        match tree {
            Tree::Page(page) => self.pages.push(Arc::clone(page)),
            Tree::Inner(inner) => {
                inner.children.iter().flatten().for_each(|child| self.collect(child, height - 1));
                self.inners[height - 1 - PAGE_HEIGHT].push(Arc::clone(inner));
            }
        }
    }
}

/// The siblings of a leaf from its level up to the root, in a hashed tree.
pub(crate) fn siblings(tree: &Subtree, leaf: usize) -> [B256; MEMORY_HEIGHT] {
    let mut siblings = [B256::ZERO; MEMORY_HEIGHT];
    let mut subtree = tree;
    for height in (PAGE_HEIGHT..MEMORY_HEIGHT).rev() {
        let bit = (leaf >> height) & 1;
        let children = children(subtree);
        siblings[height] = known_root(&children[bit ^ 1], height);
        subtree = &children[bit];
    }
    let within_page = match subtree {
        Some(Tree::Page(page)) => page.siblings(leaf & ((1 << PAGE_HEIGHT) - 1)),
        _ => std::array::from_fn(|height| ZERO_ROOTS[height]),
    };
    siblings[..PAGE_HEIGHT].copy_from_slice(&within_page);
    siblings
}

/// Calls `differs(index, page)` for every page of `new` that `old` does not share.
pub(crate) fn for_each_difference(
    old: &Subtree,
    new: &Subtree,
    height: usize,
    index: usize,
    differs: &mut impl FnMut(usize, Option<&Arc<Page>>),
) {
    match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) if old.is_same(new) => return,
        _ => {}
    }
    if height == PAGE_HEIGHT {
        let page = match new {
            Some(Tree::Page(page)) => Some(page),
            _ => None,
        };
        return differs(index, page);
    }
    for (bit, (old, new)) in children(old).iter().zip(children(new)).enumerate() {
        for_each_difference(old, new, height - 1, index << 1 | bit, differs);
    }
}
