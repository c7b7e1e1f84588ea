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
    truth: Option<&'a History>,
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
    /// Follows two rivals of a tournament, x first. `truth` is a history of the player's own of this
    /// range.
    pub fn new(
        records: &'a Tournaments,
        tournament: &Tournament,
        rivals: [&'a Child; 2],
        truth: Option<&'a History>,
    ) -> Self {
        let depth = tournament.depth();
        let truth = truth.filter(|truth| tournament.covers(truth));
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
        let end = self.stages.get(stage)?;
        let mut words = Vec::new();
        for ([x, y], is_right) in self.siblings_above(stage)?.into_iter().zip(turns(end)) {
            words.push(x);
            if !is_right {
                words.push(y);
            }
        }
        Some(HistoryPath { depth: end.depth, index: end.index, nodes: end.nodes, words })
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
        let truth = self.truth?;
        // The two leaves' ways part below a node; what is left of there is the same in x and y.
        let parting = leaf.trailing_zeros();
        let above = self.siblings_above(self.stages.len() - 1)?;
        let shared = above.get(usize::try_from(parting).ok()?)?[0];
        if truth.node(self.depth - parting, before >> parting) != shared {
            return None;
        }
        let level = |level: u32| truth.node(self.depth - level, (before >> level) ^ 1);
        let mut siblings: Vec<_> = (0..parting).map(level).collect();
        siblings.push(self.node_above_leaf(parting)?);
        siblings.extend(above.iter().skip(siblings.len()).map(|[x, _]| *x));
        Some(LeafBefore { root: truth.leaf(before), siblings })
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
        let truth = self.truth.filter(|truth| truth.node(at, index) == node)?;
        Some(truth.children(at, index, width))
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

    /// x's node `levels` above its leaf.
    fn node_above_leaf(&self, levels: u32) -> Option<B256> {
        let depth = self.depth - levels;
        let above = self.stages.iter().rev().find(|stage| stage.depth <= depth)?;
        if above.depth == depth {
            return Some(above.nodes[0]);
        }
        let below = self.stages.iter().find(|stage| stage.depth > depth)?;
        let width = below.depth - above.depth;
        let level = below.depth - depth;
        let place = usize::try_from(below.index - (above.index << width)).ok()?;
        Some(subtree(above.children[0].as_ref()?, level, place >> level))
    }
}

/// The node `level` levels above a row's nodes, at this place.
fn subtree(row: &[B256], level: u32, place: usize) -> B256 {
    node_above(&row[place << level..(place + 1) << level])
}

/// Whether each turn from a node up to the root comes from the right.
fn turns(end: &Stage) -> impl Iterator<Item = bool> + use<> {
    let (depth, index) = (end.depth, end.index);
    (0..depth).map(move |level| (index >> level) & 1 == 1)
}

/// The first of two rows' nodes that differ, if both rows are known.
fn first_difference(children: &[Option<Vec<B256>>; 2]) -> Option<(u64, [B256; 2])> {
    let [Some(x), Some(y)] = children else { return None };
    let mut pairs = (0..).zip(x.iter().zip(y));
    pairs.find_map(|(place, (x, y))| (x != y).then_some((place, [*x, *y])))
}
