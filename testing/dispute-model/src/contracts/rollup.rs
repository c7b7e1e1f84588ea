//! Ranges, outputs and generations.

use std::rc::Rc;

use alloy_primitives::{B256, keccak256};
use turnpike_protocol::{History, history_depth, leads_to};

use super::{Contracts, Key, OutputIndex, Refusal, ensure};
use crate::{Fault, ledger::Account};

/// Ancestors that one call finalizes besides an output, at most.
const ANCESTORS_MAX: usize = 32;

/// What an output has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may still become final.
    Standing,
    /// It lost a match.
    Rejected,
    /// It is final.
    Final,
    /// Its parent is rejected or void, or its generation is over.
    Void,
}

/// A commitment to the output roots of a range's blocks.
#[derive(Clone, Debug)]
pub struct Output {
    /// Who paid the bond.
    pub proposer: Account,
    /// The tournament in which it takes part. Genesis names itself.
    pub key: Key,
    /// Its hash.
    pub claim: B256,
    /// The last entry.
    pub entry: u64,
    /// The history. Genesis has none.
    pub history: Option<Rc<History>>,
    /// When it was proposed.
    pub proposed_at: u64,
    /// What it has come to. See [`Contracts::status`] for generations.
    pub status: Status,
    /// Which child of its parent it is, from 0.
    pub seat: u64,
    /// The round.
    pub round: u32,
    /// When it joined the round.
    pub since: u64,
    /// What its clock had left then.
    pub left: u64,
}

impl Output {
    pub(super) fn genesis() -> Self {
        Self {
            proposer: 0,
            key: (0, 0),
            claim: B256::ZERO,
            entry: 0,
            history: None,
            proposed_at: 0,
            status: Status::Final,
            seat: 0,
            round: 0,
            since: 0,
            left: 0,
        }
    }
}

/// What a parent's children cover, and how many stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The last entry.
    pub entry: u64,
    /// When the first child was proposed.
    pub first_at: u64,
    /// Children.
    pub count: u64,
    /// Depth of their histories.
    pub depth: u32,
    /// Positions of their histories.
    pub positions: u64,
    /// Children that stand.
    pub standing: u64,
    /// The indices of the children that stand, combined by exclusive or.
    pub xor: OutputIndex,
    /// The child that was promoted last.
    pub winner: Option<OutputIndex>,
}

/// What is proposed.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The parent.
    pub parent: OutputIndex,
    /// The range's last entry.
    pub entry: u64,
    /// The history.
    pub history: Rc<History>,
}

impl Contracts {
    /// What an output has come to. Outputs of an older generation that are not final are void.
    pub fn status(&self, index: OutputIndex) -> Status {
        let output = &self.outputs[index];
        match output.status {
            Status::Standing if output.key.0 != self.generation.0 => Status::Void,
            status => status,
        }
    }

    /// The last entry of a parent's children if one may be proposed now.
    pub fn entry_for(&self, parent: OutputIndex) -> Option<u64> {
        let first = self.outputs[parent].entry + 1;
        let last = u64::try_from(self.inbox.len()).expect("invariant: few entries") - 1;
        (first..=last).rev().find(|entry| self.check_entry(parent, *entry).is_ok())
    }

    /// Whether an entry ends the range of a parent's children, and they may be proposed now.
    pub fn check_entry(&self, parent: OutputIndex, entry: u64) -> Result<(), Refusal> {
        let parent = &self.outputs[parent];
        let until = parent.proposed_at + self.parameters.interval_s;
        let time = |entry: u64| self.inbox.get(usize::try_from(entry).ok()?).copied();
        let full = parent.entry + self.parameters.entries_max;
        let at = time(entry).ok_or(Refusal::Entry)?;
        let fits = parent.entry < entry
            && entry <= full
            && (at <= until || entry == parent.entry + 1)
            && (entry == full || time(entry + 1).is_none_or(|next| next > until));
        ensure(fits, Refusal::Entry)?;
        ensure(self.now > until || entry == full, Refusal::TooEarly)
    }

    /// Proposes a child. Takes the bond.
    pub fn propose(&mut self, by: Account, proposal: &Proposal) -> Result<OutputIndex, Refusal> {
        let Proposal { parent, entry, history } = proposal;
        let (generation, from) = self.generation;
        let above = self.outputs.get(*parent).ok_or(Refusal::Parent)?;
        let is_current = (*parent != 0 && above.key.0 == generation) || *parent == from;
        let status = self.status(*parent);
        let is_alive = matches!(status, Status::Standing | Status::Final);
        ensure(is_current && is_alive, Refusal::Parent)?;
        self.check_entry(*parent, *entry)?;
        let key = (generation, *parent);
        let window = self.parameters.window_s;
        let first_at = self.ranges.get(&key).map_or(self.now, |range| range.first_at);
        ensure(self.now < first_at + window, Refusal::TooLate)?;
        let positions = (entry - above.entry) * self.parameters.blocks_max;
        let last = (1 << history_depth(positions)) - 1;
        let output_root = history.leaf(last);
        let has_size = history.positions() == positions
            && leads_to(history.root(), last, output_root, &history.siblings(last));
        ensure(has_size, Refusal::Path)?;
        let claim = claim(generation, above.claim, *entry, output_root, history.root());
        ensure(self.outputs.iter().all(|output| output.claim != claim), Refusal::Duplicate)?;

        let index = self.outputs.len();
        let range = self.ranges.entry(key).or_insert_with(|| Range {
            entry: *entry,
            first_at,
            count: 0,
            depth: history_depth(positions),
            positions,
            standing: 0,
            xor: 0,
            winner: None,
        });
        let seat = range.count;
        range.count += 1;
        range.standing += 1;
        range.xor ^= index;
        let left = match self.fault {
            Some(Fault::FullClockForLateSeats) => self.parameters.clock_s,
            _ => self.parameters.clock_s.min(first_at + window - self.now),
        };
        self.outputs.push(Output {
            proposer: by,
            key,
            claim,
            entry: *entry,
            history: Some(Rc::clone(history)),
            proposed_at: self.now,
            status: Status::Standing,
            seat,
            round: 0,
            since: self.now,
            left,
        });
        self.rollup.take(self.parameters.bond);
        self.arrive(index);
        Ok(index)
    }

    /// The winner of a tournament: the only child, or the one that was promoted last.
    pub fn winner(&self, key: Key) -> Option<OutputIndex> {
        let range = self.ranges.get(&key)?;
        if range.count == 1 { Some(range.xor) } else { range.winner }
    }

    /// Makes an output final after its ancestors that are not, at most 32. Gives their bonds back.
    pub fn finalize(&mut self, index: OutputIndex) -> Result<(), Refusal> {
        ensure(self.status(index) == Status::Standing, Refusal::NotStanding)?;
        let mut path = vec![index];
        let mut parent = self.outputs[index].key.1;
        while self.status(parent) == Status::Standing {
            path.push(parent);
            parent = self.outputs[parent].key.1;
        }
        let has_final = path.len() <= 1 + ANCESTORS_MAX && self.status(parent) == Status::Final;
        ensure(has_final, Refusal::Parent)?;
        for index in &path {
            let key = self.outputs[*index].key;
            let over = self.ranges[&key].first_at + self.parameters.window_s;
            ensure(self.now >= over, Refusal::TooEarly)?;
            ensure(self.winner(key) == Some(*index), Refusal::NotWinner)?;
        }
        for index in path.into_iter().rev() {
            self.outputs[index].status = Status::Final;
            self.last_final = (index, self.now);
            let (proposer, bond) = (self.outputs[index].proposer, self.parameters.bond);
            self.rollup.give_back(proposer, bond);
        }
        Ok(())
    }

    /// Makes an output void whose parent is rejected or void, parents first, or whose generation is
    /// over. Gives its bond back.
    pub fn void_output(&mut self, index: OutputIndex) -> Result<(), Refusal> {
        let output = &self.outputs[index];
        ensure(output.status == Status::Standing, Refusal::NotStanding)?;
        if output.key.0 == self.generation.0 {
            let parent = self.outputs[output.key.1].status;
            ensure(matches!(parent, Status::Rejected | Status::Void), Refusal::Parent)?;
            let over = self.ranges[&output.key].first_at + self.parameters.window_s;
            ensure(self.now >= over, Refusal::TooEarly)?;
        }
        let (key, proposer, bond) = (output.key, output.proposer, self.parameters.bond);
        self.outputs[index].status = Status::Void;
        self.leave(key, index);
        self.rollup.give_back(proposer, bond);
        Ok(())
    }

    /// The tip of what nobody disputes: from the last final output, children without standing
    /// rivals.
    pub fn latest_output_index(&self) -> OutputIndex {
        let mut index = self.last_final.0;
        while let Some(range) = self.ranges.get(&(self.generation.0, index)) {
            if range.standing != 1 {
                break;
            }
            index = range.xor;
        }
        index
    }

    /// Voids all outputs that are not final and opens a new generation at the last final one.
    pub fn escape(&mut self) -> Result<(), Refusal> {
        let since = self.last_final.1;
        ensure(self.now >= since + self.parameters.escape_s, Refusal::TooEarly)?;
        self.generation = (self.generation.0 + 1, self.last_final.0);
        Ok(())
    }

    pub(super) fn leave(&mut self, key: Key, index: OutputIndex) {
        let range = self.ranges.get_mut(&key).expect("invariant: a child has a range");
        range.standing -= 1;
        range.xor ^= index;
    }
}

fn claim(generation: u64, parent: B256, entry: u64, output_root: B256, history: B256) -> B256 {
    let numbers = [generation.to_be_bytes(), entry.to_be_bytes()].concat();
    let roots = [parent.0, output_root.0, history.0].concat();
    keccak256([numbers, roots].concat())
}
