//! The way down to the first difference of two histories, as far as their nodes are known.
//!
//! A node's children are known from L1, where somebody revealed them, or from a history of the
//! player's own that has the same node at the same place.

use alloy_primitives::B256;
use turnpike_l1::tournament::{Child, Tournament, Tournaments};
use turnpike_protocol::{
    History, HistoryPath, MatchProgress, MatchSide, match_progress, node_above, reveal_width,
};

/// Two rivals' histories, from the roots down to where they differ first.
#[derive(Clone, Debug)]
pub struct Descent<'a> {
    records: &'a Tournaments,
    rivals: [&'a Child; 2],
    truth: &'a History,
    depth: u32,
    /// The pairs of nodes that differ, at depths 0, 6, …, and the leaves if the way is known.
    stages: Vec<Stage>,
}

/// A pair of nodes that differ, first at their depth.
#[derive(Clone, Debug)]
struct Stage {
    depth: u32,
    index: u64,
    nodes: [B256; 2],
    /// What lies below them, up to the next stage; none for leaves.
    children: [Option<Vec<B256>>; 2],
}

/// The leaf before the first difference, which both histories have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafBefore {
    /// Its output root.
    pub root: B256,
    /// Its siblings in x's history, from the leaf upward; none before leaf 0.
    pub siblings: Vec<B256>,
}

impl<'a> Descent<'a> {
    /// Follows two rivals of a tournament, x first. `truth` is the player's own history of its range.
    pub fn new(
        records: &'a Tournaments,
        tournament: &Tournament,
        rivals: [&'a Child; 2],
        truth: &'a History,
    ) -> Self {
        let depth = tournament.depth();
        let mut descent = Self { records, rivals, truth, depth, stages: Vec::new() };
        let (mut at, mut index, mut nodes) = (0, 0, rivals.map(|child| child.history));
        loop {
            let children = nodes.map(|node| descent.children_of(at, index, node));
            let found = first_difference(&children);
            descent.stages.push(Stage { depth: at, index, nodes, children });
            let Some((child, below)) = found else { return descent };
            let width = reveal_width(at, depth);
            (at, index, nodes) = (at + width, (index << width) + child, below);
        }
    }

    /// What the timeline says at L1's time `now`.
    pub fn progress(&self, now: u64) -> MatchProgress {
        let inner = self.stages.iter().filter(|stage| stage.depth < self.depth);
        let [x, y] = [0, 1].map(|side: usize| {
            let revealed = inner.clone().map(|stage| {
                let width = reveal_width(stage.depth, self.depth);
                self.records.reveal(stage.nodes[side], width).map(|reveal| reveal.at)
            });
            let child = self.rivals[side];
            MatchSide { since: child.since, left: child.left, revealed: revealed.collect() }
        });
        match_progress(self.records.sizes().game_increment, [&x, &y], now)
    }

    /// The path to the stage with this number; `None` if the way there is not known.
    pub fn path_to(&self, stage: usize) -> Option<HistoryPath> {
        let Stage { depth, index, nodes, .. } = *self.stages.get(stage)?;
        let siblings = self.siblings_above(stage)?;
        Some(HistoryPath::from_siblings(depth, index, nodes, siblings))
    }

    /// The first leaf in which the two differ; `None` if the way there is not known.
    pub fn leaf(&self) -> Option<u64> {
        let last = self.stages.last().filter(|stage| stage.depth == self.depth)?;
        Some(last.index)
    }

    /// The path to that leaf.
    pub fn leaf_path(&self) -> Option<HistoryPath> {
        self.leaf()?;
        self.path_to(self.stages.len() - 1)
    }

    /// The leaf before the first difference. `None` if the player does not know it.
    pub fn leaf_before(&self) -> Option<LeafBefore> {
        let leaf = self.leaf()?;
        let parent = self.records.child(self.rivals[0].tournament.parent)?;
        let Some(before) = leaf.checked_sub(1) else {
            return Some(LeafBefore { root: parent.output.hash(), siblings: Vec::new() });
        };
        // The two leaves' ways part below a node. What is left of there is the same in x and y, and
        // `leaf` is the first one right of there.
        let parting = leaf.trailing_zeros();
        let above = self.siblings_above(self.stages.len() - 1)?;
        let (below, above) = above.split_at(usize::try_from(parting).ok()?);
        let (parted, above) = above.split_first()?;
        if self.truth.node(self.depth - parting, before >> parting) != parted[0] {
            return None;
        }
        let right = below
            .iter()
            .fold(self.stages.last()?.nodes[0], |node, [sibling, _]| node_above(&[node, *sibling]));
        let left =
            (0..parting).map(|level| self.truth.node(self.depth - level, (before >> level) ^ 1));
        let siblings = left.chain([right]).chain(above.iter().map(|[x, _]| *x)).collect();
        Some(LeafBefore { root: self.truth.leaf(before), siblings })
    }

    /// The children that a side has to reveal at a stage, if the player knows them.
    pub fn to_reveal(&self, stage: usize, side: usize) -> Option<&[B256]> {
        self.stages.get(stage)?.children[side].as_deref()
    }

    fn children_of(&self, at: u32, index: u64, node: B256) -> Option<Vec<B256>> {
        if at == self.depth {
            return None;
        }
        let width = reveal_width(at, self.depth);
        if let Some(reveal) = self.records.reveal(node, width) {
            return Some(reveal.children.clone());
        }
        let is_true = self.truth.node(at, index) == node;
        is_true.then(|| self.truth.children(at, index, width))
    }

    /// The siblings of both sides' nodes on the way from a stage up to the roots.
    fn siblings_above(&self, stage: usize) -> Option<Vec<[B256; 2]>> {
        let mut siblings = Vec::new();
        for (above, below) in self.stages[..stage].iter().zip(&self.stages[1..]).rev() {
            let [x, y] = &above.children;
            let (x, y) = (x.as_ref()?, y.as_ref()?);
            let width = below.depth - above.depth;
            let place = usize::try_from(below.index - (above.index << width)).ok()?;
            for level in 0..width {
                let sibling = (place >> level) ^ 1;
                siblings.push([x, y].map(|row| subtree(row, level, sibling)));
            }
        }
        Some(siblings)
    }
}

/// The node `level` levels above a row's nodes, at this place.
fn subtree(row: &[B256], level: u32, place: usize) -> B256 {
    node_above(&row[place << level..(place + 1) << level])
}

/// The first of two rows' nodes that differ, if both rows are known.
fn first_difference(children: &[Option<Vec<B256>>; 2]) -> Option<(u64, [B256; 2])> {
    let [Some(x), Some(y)] = children else { return None };
    let mut pairs = (0..).zip(x.iter().zip(y));
    pairs.find_map(|(place, (x, y))| (x != y).then_some((place, [*x, *y])))
}
