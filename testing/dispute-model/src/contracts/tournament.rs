//! Reveals, groups and rounds.

use alloy_primitives::B256;
use turnpike_protocol::{
    History, HistoryPath, MatchProgress, MatchSide, Rival, leads_to, match_progress, node_above,
};

use super::{Contracts, OutputIndex, Refusal, Status, ensure};
use crate::{Fault, ledger::Account};

impl Contracts {
    /// Notes who showed a node's children first, and when.
    pub fn reveal(&mut self, by: Account, children: &[B256]) -> Result<(), Refusal> {
        let is_power = children.len().is_power_of_two() && (2..=64).contains(&children.len());
        ensure(is_power, Refusal::Children)?;
        let key = (node_above(children), children.len().trailing_zeros());
        ensure(!self.reveals.contains_key(&key), Refusal::Duplicate)?;
        self.reveals.insert(key, (by, self.now));
        Ok(())
    }

    /// What the timeline says of x and y, by all that their histories show.
    pub fn progress(&self, x: OutputIndex, y: OutputIndex) -> Option<MatchProgress> {
        let [a, b] = [self.history(x)?, self.history(y)?];
        let leaf = a.first_difference(b)?;
        let depth = a.depth();
        let nodes = self.parameters.reveal_depths(depth).map(|at| {
            let index = leaf >> (depth - at);
            (at, [a.node(at, index), b.node(at, index)])
        });
        Some(self.follow(x, y, depth, nodes.collect()))
    }

    /// Rejects the one of two that did not reveal in time; or y, if nobody accused in time or, past
    /// the range's blocks, settled the padding.
    pub fn time_out(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) -> Result<(), Refusal> {
        self.check_rivals(x, y)?;
        let (depth, progress) = self.check_path(x, y, path)?;
        match progress {
            MatchProgress::Failed { rival: Rival::X, .. } => self.eliminate(x, y, path, by),
            MatchProgress::Failed { rival: Rival::Y, .. } => self.eliminate(y, x, path, by),
            MatchProgress::Revealed { accuse_until, .. } if path.depth == depth => {
                ensure(!self.matches.contains_key(&(x, y)), Refusal::MatchOpen)?;
                ensure(self.now > accuse_until, Refusal::TooEarly)?;
                self.eliminate(y, x, path, by);
            }
            _ => return Err(Refusal::MatchOpen),
        }
        Ok(())
    }

    /// Rejects one of two that differ first past the range's blocks: one that does not repeat the
    /// leaf before, y if both do not.
    pub fn padded(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
        before: (B256, &[B256]),
    ) -> Result<(), Refusal> {
        self.check_rivals(x, y)?;
        let (depth, progress) = self.check_path(x, y, path)?;
        ensure(path.depth == depth, Refusal::Path)?;
        ensure(matches!(progress, MatchProgress::Revealed { .. }), Refusal::MatchOpen)?;
        let positions = self.ranges[&self.outputs[x].key].positions;
        ensure(path.index >= positions, Refusal::Padding)?;
        let root = self.history(x).ok_or(Refusal::Path)?.root();
        let (leaf, siblings) = before;
        let shows = siblings.len() == depth as usize;
        ensure(shows && leads_to(root, path.index - 1, leaf, siblings), Refusal::Path)?;
        if path.nodes[1] == leaf && !self.has(Fault::PaddingPutsYOut) {
            self.eliminate(x, y, path, by);
        } else {
            self.eliminate(y, x, path, by);
        }
        Ok(())
    }

    /// Takes the last standing member of a complete group to the next round, or makes it the winner.
    pub fn promote(&mut self, index: OutputIndex) -> Result<(), Refusal> {
        let stands = self.status(index) == Status::Standing || self.has(Fault::PromoteFallen);
        ensure(stands, Refusal::NotStanding)?;
        let output = &self.outputs[index];
        let range = self.ranges[&output.key];
        ensure(range.winner.is_none(), Refusal::Decided)?;
        ensure(self.now >= range.first_at + self.parameters.window_s, Refusal::TooEarly)?;
        let (round, number) = (output.round, self.group_of(index));
        let group = self.groups[&(output.key, round, number)];
        let is_complete = group.arrived == self.members(range.count, round, number)
            || self.has(Fault::PromoteIncompleteGroup);
        ensure(is_complete && group.alive == 1, Refusal::GroupOpen)?;
        let key = output.key;
        if range.count.div_ceil(self.size(round + 1)) == 1 {
            self.ranges.get_mut(&key).expect("invariant: read above").winner = Some(index);
            return Ok(());
        }
        let output = &mut self.outputs[index];
        (output.round, output.since, output.left) = (round + 1, self.now, self.parameters.clock_s);
        self.arrive(index);
        Ok(())
    }

    /// Members of a group: `min(g, ceil(count / g^round) - number * g)`.
    pub fn members(&self, count: u64, round: u32, number: u64) -> u64 {
        let group_size = self.parameters.group_size;
        group_size.min(count.div_ceil(self.size(round)) - number * group_size)
    }

    /// Whether two outputs are x and y of one group and stand.
    pub fn check_rivals(&self, x: OutputIndex, y: OutputIndex) -> Result<(), Refusal> {
        let (Some(a), Some(b)) = (self.outputs.get(x), self.outputs.get(y)) else {
            return Err(Refusal::NotRivals);
        };
        let same = x != y
            && a.history.is_some()
            && b.history.is_some()
            && a.key == b.key
            && a.round == b.round
            && a.seat < b.seat
            && self.group_of(x) == self.group_of(y);
        ensure(same, Refusal::NotRivals)?;
        let stand = (self.status(x) == Status::Standing || self.has(Fault::FallenWinner))
            && self.status(y) == Status::Standing;
        ensure(stand, Refusal::NotStanding)
    }

    pub(super) fn arrive(&mut self, index: OutputIndex) {
        let number = self.group_of(index);
        let output = &self.outputs[index];
        let group = self.groups.entry((output.key, output.round, number)).or_default();
        group.arrived += 1;
        group.alive += 1;
    }

    /// Checks that a path ends at a depth that counts. Gives the histories' depth, and what the
    /// timeline says of the reveals down to the path's end.
    pub(super) fn check_path(
        &self,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) -> Result<(u32, MatchProgress), Refusal> {
        let (Some(a), Some(b)) = (self.history(x), self.history(y)) else {
            return Err(Refusal::Path);
        };
        let depth = a.depth();
        let counts =
            path.depth == depth || self.parameters.reveal_depths(depth).any(|at| at == path.depth);
        ensure(counts, Refusal::Path)?;
        let inner = path.check([a.root(), b.root()]).ok_or(Refusal::Path)?;
        let depths = self.parameters.reveal_depths(depth);
        let nodes = depths.filter_map(|at| Some((at, *inner.get(at as usize)?))).collect();
        Ok((depth, self.follow(x, y, depth, nodes)))
    }

    /// Rejects `out`, which lost to `winner`. Half of its bond is burned.
    pub(super) fn eliminate(
        &mut self,
        out: OutputIndex,
        winner: OutputIndex,
        path: &HistoryPath,
        by: Account,
    ) {
        let revealer = self.last_revealer(winner, path);
        let key = self.outputs[out].key;
        let group = (key, self.outputs[out].round, self.group_of(out));
        let was_standing = self.outputs[out].status == Status::Standing;
        self.outputs[out].status = Status::Rejected;
        let group = self.groups.get_mut(&group).expect("invariant: it arrived in its group");
        group.alive -= 1;
        assert!(group.alive >= 1, "a group is empty");
        if was_standing {
            self.leave(key, out);
            self.rollup.lose(self.parameters.bond, [revealer, by]);
        }
    }

    /// Who revealed the last node in question of an output, else its proposer.
    fn last_revealer(&self, index: OutputIndex, path: &HistoryPath) -> Account {
        let output = &self.outputs[index];
        let history = output.history.as_ref().expect("invariant: rivals have histories");
        let depth = history.depth();
        let depths = self.parameters.reveal_depths(depth).filter(|at| *at <= path.depth);
        let revealers = depths.filter_map(|at| {
            let node = history.node(at, path.index >> (path.depth - at));
            self.reveals.get(&(node, self.parameters.width_at(at, depth)))
        });
        revealers.last().map_or(output.proposer, |(by, _)| *by)
    }

    fn follow(
        &self,
        x: OutputIndex,
        y: OutputIndex,
        depth: u32,
        nodes: Vec<(u32, [B256; 2])>,
    ) -> MatchProgress {
        let side = |index: OutputIndex, which: usize| {
            let output = &self.outputs[index];
            let revealed = nodes.iter().map(|(at, nodes)| {
                let width = self.parameters.width_at(*at, depth);
                self.reveals.get(&(nodes[which], width)).map(|(_, time)| *time)
            });
            let left = if self.has(Fault::IncrementAlone) { 0 } else { output.left };
            MatchSide { since: output.since, left, revealed: revealed.collect() }
        };
        match match_progress(self.parameters.increment_s, [&side(x, 0), &side(y, 1)], self.now) {
            MatchProgress::Failed { reveal, limit, .. } if self.has(Fault::AlwaysFailsY) => {
                MatchProgress::Failed { rival: Rival::Y, reveal, limit }
            }
            progress => progress,
        }
    }

    pub(super) fn history(&self, index: OutputIndex) -> Option<&History> {
        self.outputs[index].history.as_deref()
    }

    fn group_of(&self, index: OutputIndex) -> u64 {
        let output = &self.outputs[index];
        output.seat / self.size(output.round + 1)
    }

    fn size(&self, round: u32) -> u64 {
        self.parameters.group_size.saturating_pow(round)
    }
}
