use std::{ops::RangeInclusive, sync::Arc};

use alloy_primitives::Address;
use turnpike_game::prove::BlockPosition;
use turnpike_l1::{OutputStatus, ProposedOutput};
use turnpike_protocol::{Header, OutputRoot};

use crate::{AdversaryError, Attack, FalseBlock, FalseClaims, InboxCopy, OutputRoots};

/// The role of an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdversaryRole {
    /// Proposes a false output after an entry and defends it. It falsifies the last block that the
    /// attack can falsify.
    Proposer {
        /// The entry. `None` for the first entry after the last final output that the attack can
        /// falsify.
        entry: Option<u64>,
    },
    /// Challenges a true output. It claims a false block in place of the last block that the attack
    /// can falsify.
    Challenger {
        /// Index of the output.
        output: u64,
    },
    /// Defends the false outputs that another account proposes for a chain with a
    /// [`crate::FalseCredit`].
    Defender,
}

/// Plans an attack for the state of L1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttackPlanner<'a> {
    pub(crate) attack: Attack,
    pub(crate) role: AdversaryRole,
    /// The account that proposes.
    pub(crate) own: Address,
    /// Number of its accounts.
    pub(crate) accounts: usize,
    /// All outputs, by index.
    pub(crate) outputs: &'a [ProposedOutput],
}

/// What each account claims, and the output to propose.
#[derive(Debug)]
pub(crate) struct AttackPlan {
    /// The inbox that the plan was made for.
    pub(crate) inbox: Arc<InboxCopy>,
    /// Claims of each account, because accounts cannot share runs.
    pub(crate) claims: Vec<FalseClaims>,
    /// The output to propose, if the adversary proposes.
    pub(crate) proposal: Option<FalseOutput>,
}

/// A false output after an entry.
#[derive(Debug)]
pub(crate) struct FalseOutput {
    pub(crate) entry: u64,
    pub(crate) output: OutputRoot,
    pub(crate) header: Header,
}

impl AttackPlanner<'_> {
    /// The parent for an output after `entry`: the last final output. `None` if that covers the
    /// entry already.
    pub(crate) fn parent(&self, entry: u64) -> Option<&ProposedOutput> {
        self.last_final().filter(|it| it.entry < entry)
    }

    fn last_final(&self) -> Option<&ProposedOutput> {
        let finals = self.outputs.iter().filter(|it| it.status == OutputStatus::Final);
        finals.max_by_key(|it| it.entry)
    }

    /// The plan for these entries. `None` if they hold nothing that the attack can falsify yet.
    pub(crate) fn plan(&self, inbox: Arc<InboxCopy>) -> Result<Option<AttackPlan>, AdversaryError> {
        let truth = inbox.roots()?;
        let newest = inbox.newest();
        let ranges: Vec<Vec<BlockPosition>> = match self.role {
            AdversaryRole::Defender => {
                let claims = vec![FalseClaims::new(Arc::clone(&inbox), inbox.false_roots()?)];
                return Ok(Some(AttackPlan { inbox, claims, proposal: None }));
            }
            AdversaryRole::Proposer { entry } => {
                if let Some(resumed) = self.resume(&inbox, &truth, entry)? {
                    return Ok(Some(resumed));
                }
                let Some(parent) = self.last_final() else { return Ok(None) };
                let first = parent.entry + 1;
                match entry {
                    None => (first..=newest).map(|entry| blocks(&truth, entry..=entry)).collect(),
                    Some(last) => vec![blocks(&truth, first..=last.min(newest))],
                }
            }
            AdversaryRole::Challenger { output } => {
                let at = usize::try_from(output).ok();
                let output = at.and_then(|at| self.outputs.get(at));
                let Some(output) = output else { return Ok(None) };
                let Some(parent) = output.parent_in(self.outputs) else { return Ok(None) };
                vec![blocks(&truth, parent.entry + 1..=output.entry.min(newest))]
            }
        };
        for range in ranges {
            let found = last_false_block(self.attack, &inbox, &range)?;
            if let (Some(false_block), Some(last)) = (found, range.last()) {
                return self.plan_over(inbox, &truth, &range, false_block, last.entry).map(Some);
            }
        }
        Ok(None)
    }

    /// The plan behind an output that this adversary has proposed before.
    fn resume(
        &self,
        inbox: &Arc<InboxCopy>,
        truth: &OutputRoots,
        entry: Option<u64>,
    ) -> Result<Option<AttackPlan>, AdversaryError> {
        let own = self.outputs.iter().filter(|it| it.proposer == self.own);
        for output in own.filter(|it| it.entry <= inbox.newest()) {
            let Some(parent) = output.parent_in(self.outputs) else { continue };
            let first = match entry {
                None => output.entry,
                Some(entry) if entry == output.entry => parent.entry + 1,
                Some(_) => continue,
            };
            let range = blocks(truth, first..=output.entry);
            let found = last_false_block(self.attack, inbox, &range)?;
            if let Some(false_block) = found.filter(|it| it.output == output.output) {
                let inbox = Arc::clone(inbox);
                let plan = self.plan_over(inbox, truth, &range, false_block, output.entry)?;
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    /// The plan of all accounts with a false block in a range of blocks.
    fn plan_over(
        &self,
        inbox: Arc<InboxCopy>,
        truth: &OutputRoots,
        range: &[BlockPosition],
        false_block: FalseBlock,
        entry: u64,
    ) -> Result<AttackPlan, AdversaryError> {
        let FalseBlock { at, output, ref header, .. } = false_block;
        let header = header.clone();
        let before = range.iter().rev().find(|it| (it.entry, it.index) < (at.entry, at.index));
        let (mut claims, mut first) = (Vec::new(), Some(false_block));
        for index in 0..self.accounts {
            let is_puppet = self.attack == Attack::Puppet && index > 0;
            let attack = if is_puppet { Attack::Exit } else { self.attack };
            let false_block = match first.take() {
                Some(false_block) => false_block,
                // Each account claims another block: the last one, the one before it, and so on.
                None if attack == Attack::Blocks => {
                    let own = range[range.len() - 1 - index % range.len()];
                    FalseBlock::forge(attack, &inbox, own)?
                }
                None => FalseBlock::forge(attack, &inbox, at)?,
            };
            let mut own = FalseClaims::new(Arc::clone(&inbox), truth.clone());
            if let (Attack::Middle, Some(before)) = (self.attack, before) {
                own = own.with_one(FalseBlock::forge(Attack::Exit, &inbox, *before)?);
            }
            claims.push(own.with_last(false_block));
        }
        Ok(AttackPlan { inbox, claims, proposal: Some(FalseOutput { entry, output, header }) })
    }
}

/// The positions of all blocks of some entries.
fn blocks(truth: &OutputRoots, entries: RangeInclusive<u64>) -> Vec<BlockPosition> {
    let of = |entry| (0..truth.blocks(entry)).map(move |index| BlockPosition { entry, index });
    entries.flat_map(of).collect()
}

/// The last block of a range that the attack can falsify.
fn last_false_block(
    attack: Attack,
    inbox: &InboxCopy,
    range: &[BlockPosition],
) -> Result<Option<FalseBlock>, AdversaryError> {
    for at in range.iter().rev() {
        match FalseBlock::forge(attack, inbox, *at) {
            Err(AdversaryError::Inapplicable { .. } | AdversaryError::Harmless(_)) => {}
            result => return result.map(Some),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    #[test]
    fn parent_is_the_last_final_output() {
        let word = B256::ZERO;
        let root =
            OutputRoot { state_root: word, message_passer_storage_root: word, block_hash: word };
        let output = |(index, status)| ProposedOutput {
            index,
            entry: 3 * index,
            l2_block: index,
            status,
            ..ProposedOutput::genesis(root)
        };
        let statuses = [OutputStatus::Final, OutputStatus::Final, OutputStatus::Proposed];
        let outputs: Vec<_> = (0..).zip(statuses).map(output).collect();
        let (attack, role) = (Attack::State, AdversaryRole::Proposer { entry: None });
        let planner =
            AttackPlanner { attack, role, own: Address::ZERO, accounts: 1, outputs: &outputs };
        assert_eq!(planner.parent(4).map(|it| it.index), Some(1));
        assert_eq!(planner.parent(3), None, "L1 accepts no older parent");
    }
}
