//! Histories of the next version of disputes: the output roots of a range's blocks as a Merkle tree,
//! and the path to the first difference of two of them.
//!
//! # Format
//!
//! `n` positions have depth `max(1, ceil(log2 n))`, at most 28. Leaves from `n` on equal
//! leaf `n - 1`. An inner node is `keccak(left, right)`. Rows hold runs of equal nodes, so that a
//! history takes memory by the number of its distinct leaves.
//!
//! L1 knows a history by its root. What it shows of the tree is revealed [`REVEAL_WIDTH`] levels at
//! a time, at depths 0, 6, 12, ….

use alloc::vec::Vec;

use alloy_primitives::{B256, keccak256};

/// Depth of a history, at most.
const HISTORY_DEPTH_MAX: u32 = 28;
/// Levels that a reveal shows, at most.
pub const REVEAL_WIDTH: u32 = 6;

/// A row of nodes as runs: the index of a run's first node, and the node.
type Row = Vec<(u64, B256)>;

/// The output roots of a range's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    positions: u64,
    /// Rows from the root down to the leaves.
    rows: Vec<Row>,
}

impl History {
    /// The history with these leaves, at least one.
    pub fn new(leaves: &[B256]) -> Self {
        Self::from_runs(&leaves.iter().map(|leaf| (*leaf, 1)).collect::<Vec<_>>())
    }

    /// The history whose leaves are runs of equal roots: each a root and how often it comes, at
    /// least once.
    ///
    /// # Panics
    ///
    /// If there are no leaves, or more than 2^28.
    pub fn from_runs(runs: &[(B256, u64)]) -> Self {
        let mut row = Row::new();
        let mut positions = 0;
        for (leaf, count) in runs {
            assert!(*count > 0, "a run has a leaf");
            if row.last().is_none_or(|(_, last)| last != leaf) {
                row.push((positions, *leaf));
            }
            positions += count;
        }
        assert!(positions > 0 && positions <= 1 << HISTORY_DEPTH_MAX, "{positions} positions");
        let depth = history_depth(positions);
        let mut rows = alloc::vec![row];
        for level in (0..depth).rev() {
            let above = row_above(&rows[rows.len() - 1], 1 << level);
            rows.push(above);
        }
        rows.reverse();
        Self { positions, rows }
    }

    /// The history of `positions` blocks whose leaves past them are given, too. In a true one they
    /// repeat the last block's.
    ///
    /// # Panics
    ///
    /// If the runs have more leaves than the tree.
    pub fn with_padding(runs: &[(B256, u64)], positions: u64) -> Self {
        let whole = Self::from_runs(runs);
        assert_eq!(whole.depth(), history_depth(positions), "more leaves than the tree has");
        Self { positions, ..whole }
    }

    /// How many blocks the range has.
    pub const fn positions(&self) -> u64 {
        self.positions
    }

    /// The depth of the leaves.
    pub fn depth(&self) -> u32 {
        history_depth(self.positions)
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.node(0, 0)
    }

    /// The node at a depth, with its index there.
    pub fn node(&self, depth: u32, index: u64) -> B256 {
        let row = &self.rows[depth as usize];
        row[row.partition_point(|(start, _)| *start <= index) - 1].1
    }

    /// The leaf with this index, less than 2^depth.
    pub fn leaf(&self, index: u64) -> B256 {
        self.node(self.depth(), index)
    }

    /// The nodes `width` levels below a node, in order.
    pub fn children(&self, depth: u32, index: u64, width: u32) -> Vec<B256> {
        let first = index << width;
        (first..first + (1 << width)).map(|child| self.node(depth + width, child)).collect()
    }

    /// The siblings on a leaf's way up to the root.
    pub fn siblings(&self, leaf: u64) -> Vec<B256> {
        let depth = self.depth();
        (0..depth).map(|level| self.node(depth - level, (leaf >> level) ^ 1)).collect()
    }

    /// The first leaf in which two histories of the same depth differ.
    pub fn first_difference(&self, other: &Self) -> Option<u64> {
        if self.root() == other.root() || self.depth() != other.depth() {
            return None;
        }
        let descend = |index: u64, depth: u32| {
            let left = index * 2;
            if self.node(depth, left) == other.node(depth, left) { left + 1 } else { left }
        };
        Some((1..=self.depth()).fold(0, descend))
    }
}

/// The depth of a history with this many positions.
pub const fn history_depth(positions: u64) -> u32 {
    let depth = positions.next_power_of_two().trailing_zeros();
    if depth == 0 { 1 } else { depth }
}

/// How many levels the reveal of a node at `at` shows in a history of this depth.
pub const fn reveal_width(at: u32, depth: u32) -> u32 {
    if depth - at < REVEAL_WIDTH { depth - at } else { REVEAL_WIDTH }
}

/// The nodes above a row; there are `count` of them.
fn row_above(below: &[(u64, B256)], count: u64) -> Row {
    let node = |index: u64| below[below.partition_point(|(start, _)| *start <= index) - 1].1;
    // A parent differs from the one before only where a run of children begins near it.
    let mut starts: Vec<u64> = below
        .iter()
        .flat_map(|(start, _)| [start / 2, start.div_ceil(2), start / 2 + 1])
        .filter(|start| *start < count)
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let mut row = Row::new();
    for start in starts {
        let hash = parent(node(start * 2), node(start * 2 + 1));
        if row.last().is_none_or(|(_, last)| *last != hash) {
            row.push((start, hash));
        }
    }
    row
}

/// The node above two nodes.
fn parent(left: B256, right: B256) -> B256 {
    keccak256([left.0, right.0].concat())
}

/// The node above some nodes, a power of two of them.
pub fn node_above(children: &[B256]) -> B256 {
    let mut row = children.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| parent(pair[0], pair[1])).collect();
    }
    row[0]
}

/// Whether a leaf's siblings, from the leaf upward, lead to a root.
pub fn leads_to(root: B256, index: u64, leaf: B256, siblings: &[B256]) -> bool {
    let up = |node: B256, (level, sibling): (usize, &B256)| match (index >> level) & 1 {
        1 => parent(*sibling, node),
        _ => parent(node, *sibling),
    };
    siblings.iter().enumerate().fold(leaf, up) == root
}

/// The way to the first node at a depth in which two histories differ.
///
/// `words` has one word for each turn to the right, the sibling that both share, and two for each
/// turn to the left, from the node upward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPath {
    /// The depth of the two nodes.
    pub depth: u32,
    /// Their index at that depth.
    pub index: u64,
    /// The two nodes.
    pub nodes: [B256; 2],
    /// Siblings.
    pub words: Vec<B256>,
}

impl HistoryPath {
    /// The path to the first difference of two histories at a depth. `None` if they do not differ.
    pub fn between(x: &History, y: &History, depth: u32) -> Option<Self> {
        let index = x.first_difference(y)? >> (x.depth() - depth);
        let pair = |at: u32, index: u64| [x, y].map(|history| history.node(at, index));
        let siblings = (0..depth).map(|level| pair(depth - level, (index >> level) ^ 1));
        Some(Self::from_siblings(depth, index, pair(depth, index), siblings))
    }

    /// The path to two nodes, from both sides' siblings on the way up to the roots.
    pub fn from_siblings(
        depth: u32,
        index: u64,
        nodes: [B256; 2],
        siblings: impl IntoIterator<Item = [B256; 2]>,
    ) -> Self {
        let mut words = Vec::new();
        for (level, [x, y]) in siblings.into_iter().enumerate() {
            words.push(x);
            if (index >> level) & 1 == 0 {
                words.push(y);
            }
        }
        Self { depth, index, nodes, words }
    }

    /// The pairs of nodes from the roots down to the path's end. `None` if the path does not lead
    /// from two nodes that differ to these roots.
    pub fn check(&self, roots: [B256; 2]) -> Option<Vec<[B256; 2]>> {
        let [mut x, mut y] = self.nodes;
        if x == y || self.depth > HISTORY_DEPTH_MAX || self.index >> self.depth != 0 {
            return None;
        }
        let mut inner = alloc::vec![[x, y]];
        let mut words = self.words.iter().copied();
        for level in 0..self.depth {
            let sibling = words.next()?;
            if (self.index >> level) & 1 == 1 {
                (x, y) = (parent(sibling, x), parent(sibling, y));
            } else {
                (x, y) = (parent(x, sibling), parent(y, words.next()?));
            }
            inner.push([x, y]);
        }
        inner.reverse();
        (words.next().is_none() && [x, y] == roots).then_some(inner)
    }
}
