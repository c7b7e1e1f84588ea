use std::{ops::RangeInclusive, sync::Arc};

use alloy_primitives::Address;
use turnpike_game::prove::BlockPosition;
use turnpike_l1::{OutputStatus, ProposedOutput};
use turnpike_protocol::{Header, OutputRoot};

use crate::{Chronicle, Doctrine, Forgery, Kind, LiarError, Role, Roots, forge};

/// What a liar is to lie about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) kind: Kind,
    pub(crate) role: Role,
    /// The account that proposes.
    pub(crate) own: Address,
    /// How many accounts it has.
    pub(crate) players: usize,
    /// All outputs, by index.
    pub(crate) outputs: &'a [ProposedOutput],
}

/// What is lied, on what L1 holds.
#[derive(Debug)]
pub(crate) struct Lies {
    pub(crate) chronicle: Arc<Chronicle>,
    /// One for each player: runs cannot be shared.
    pub(crate) doctrines: Vec<Doctrine>,
    /// What is to be proposed, if the liar proposes.
    pub(crate) proposal: Option<Proposal>,
}

/// A false output.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) entry: u64,
    pub(crate) output: OutputRoot,
    pub(crate) header: Header,
}

impl Plan<'_> {
    /// What an output after an entry can be proposed on: the last final output. `None` if that comes later.
    pub(crate) fn parent(&self, entry: u64) -> Option<&ProposedOutput> {
        self.last_final().filter(|it| it.entry < entry)
    }

    fn last_final(&self) -> Option<&ProposedOutput> {
        let finals = self.outputs.iter().filter(|it| it.status == OutputStatus::Final);
        finals.max_by_key(|it| it.entry)
    }

    /// What to believe, given what L1 holds. `None` if there is nothing to lie about yet.
    pub(crate) fn lies(&self, chronicle: Arc<Chronicle>) -> Result<Option<Lies>, LiarError> {
        let truth = chronicle.roots()?;
        let newest = chronicle.newest();
        let ranges: Vec<Vec<BlockPosition>> = match self.role {
            Role::Accomplice => {
                let doctrine = Doctrine::new(Arc::clone(&chronicle), chronicle.falsified_roots()?);
                return Ok(Some(Lies { chronicle, doctrines: vec![doctrine], proposal: None }));
            }
            Role::Proposer { entry } => {
                if let Some(told) = self.told(&chronicle, &truth, entry)? {
                    return Ok(Some(told));
                }
                let Some(parent) = self.last_final() else { return Ok(None) };
                let first = parent.entry + 1;
                match entry {
                    None => (first..=newest).map(|entry| blocks(&truth, entry..=entry)).collect(),
                    Some(last) => vec![blocks(&truth, first..=last.min(newest))],
                }
            }
            Role::Challenger { output } => {
                let at = usize::try_from(output).ok();
                let output = at.and_then(|at| self.outputs.get(at));
                let Some(output) = output else { return Ok(None) };
                let Some(parent) = output.parent_in(self.outputs) else { return Ok(None) };
                vec![blocks(&truth, parent.entry + 1..=output.entry.min(newest))]
            }
        };
        for range in ranges {
            let first = first_that_works(self.kind, &chronicle, &range)?;
            if let (Some(forgery), Some(last)) = (first, range.last()) {
                return self.lies_over(chronicle, &truth, &range, forgery, last.entry).map(Some);
            }
        }
        Ok(None)
    }

    /// The lies behind an output that this liar has proposed, on what was the last final output then.
    fn told(
        &self,
        chronicle: &Arc<Chronicle>,
        truth: &Roots,
        entry: Option<u64>,
    ) -> Result<Option<Lies>, LiarError> {
        let own = self.outputs.iter().filter(|it| it.proposer == self.own);
        for output in own.filter(|it| it.entry <= chronicle.newest()) {
            let Some(parent) = output.parent_in(self.outputs) else { continue };
            let first = match entry {
                None => output.entry,
                Some(entry) if entry == output.entry => parent.entry + 1,
                Some(_) => continue,
            };
            let range = blocks(truth, first..=output.entry);
            let forgery = first_that_works(self.kind, chronicle, &range)?;
            if let Some(forgery) = forgery.filter(|it| it.output == output.output) {
                let chronicle = Arc::clone(chronicle);
                return self.lies_over(chronicle, truth, &range, forgery, output.entry).map(Some);
            }
        }
        Ok(None)
    }

    /// The lies of all players over a range of blocks.
    fn lies_over(
        &self,
        chronicle: Arc<Chronicle>,
        truth: &Roots,
        range: &[BlockPosition],
        forgery: Forgery,
        entry: u64,
    ) -> Result<Lies, LiarError> {
        let (at, output, header) = (forgery.at, forgery.output, forgery.header.clone());
        let before = range.iter().rev().find(|it| (it.entry, it.index) < (at.entry, at.index));
        let (mut doctrines, mut first) = (Vec::new(), Some(forgery));
        for index in 0..self.players {
            let accomplice = self.kind == Kind::Puppet && index > 0;
            let kind = if accomplice { Kind::Exit } else { self.kind };
            let forgery = match first.take() {
                Some(forgery) => forgery,
                None => forge(kind, &chronicle, at)?,
            };
            let mut doctrine = Doctrine::new(Arc::clone(&chronicle), truth.clone());
            if let (Kind::Middle, Some(before)) = (self.kind, before) {
                doctrine = doctrine.with_one(forge(Kind::Exit, &chronicle, *before)?);
            }
            doctrines.push(doctrine.with_last(forgery));
        }
        Ok(Lies { chronicle, doctrines, proposal: Some(Proposal { entry, output, header }) })
    }
}

/// The blocks of some entries.
fn blocks(truth: &Roots, entries: RangeInclusive<u64>) -> Vec<BlockPosition> {
    let of = |entry| (0..truth.blocks(entry)).map(move |index| BlockPosition { entry, index });
    entries.flat_map(of).collect()
}

/// The last block of a range that the lie can be told about.
fn first_that_works(
    kind: Kind,
    chronicle: &Chronicle,
    range: &[BlockPosition],
) -> Result<Option<Forgery>, LiarError> {
    for at in range.iter().rev() {
        match forge(kind, chronicle, *at) {
            Err(LiarError::Nothing { .. } | LiarError::Harmless(_)) => {}
            forged => return forged.map(Some),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes};

    use super::*;

    #[test]
    fn an_output_is_built_on_the_last_final_one() {
        let word = B256::ZERO;
        let root =
            OutputRoot { state_root: word, message_passer_storage_root: word, block_hash: word };
        let output = |(index, status)| ProposedOutput {
            index,
            claim: word,
            parent: 0,
            entry: 3 * index,
            output: root,
            header: Bytes::new(),
            l2_block: index,
            proposer: Address::ZERO,
            proposed_at: 0,
            l1_transaction: word,
            status,
        };
        let statuses = [OutputStatus::Final, OutputStatus::Final, OutputStatus::Proposed];
        let outputs: Vec<_> = (0..).zip(statuses).map(output).collect();
        let (kind, role) = (Kind::State, Role::Proposer { entry: None });
        let plan = Plan { kind, role, own: Address::ZERO, players: 1, outputs: &outputs };
        assert_eq!(plan.parent(4).map(|it| it.index), Some(1));
        assert_eq!(plan.parent(3), None, "L1 takes no older parent");
    }
}
