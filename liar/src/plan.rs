use std::sync::Arc;

use turnpike_fraud_proof::prove::Position;
use turnpike_l1::{OutputStatus, ProposedOutput};
use turnpike_protocol::{Header, OutputRoot};

use crate::{Chronicle, Doctrine, Forgery, Kind, LiarError, Role, Roots, forge};

/// What a liar is to lie about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) kind: Kind,
    pub(crate) role: Role,
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
    /// The final output that comes nearest before an entry.
    pub(crate) fn parent(&self, entry: u64) -> Option<&ProposedOutput> {
        let finals = self.outputs.iter().filter(|it| it.status == OutputStatus::Final);
        finals.filter(|it| it.entry < entry).max_by_key(|it| it.entry)
    }

    /// What to believe, given what L1 holds. `None` if there is nothing to lie about yet.
    pub(crate) fn lies(&self, chronicle: Arc<Chronicle>) -> Result<Option<Lies>, LiarError> {
        let truth = chronicle.roots()?;
        let blocks = |entry| (0..truth.blocks(entry)).map(move |index| Position { entry, index });
        let newest = chronicle.newest();
        let ranges: Vec<Vec<Position>> = match self.role {
            Role::Accomplice => {
                let doctrine = Doctrine::new(Arc::clone(&chronicle), chronicle.falsified_roots()?);
                return Ok(Some(Lies { chronicle, doctrines: vec![doctrine], proposal: None }));
            }
            Role::Proposer { entry: None } => {
                (1..=newest).map(|entry| blocks(entry).collect()).collect()
            }
            Role::Proposer { entry: Some(entry) } => {
                let Some(parent) = self.parent(entry) else { return Ok(None) };
                vec![(parent.entry + 1..=entry.min(newest)).flat_map(blocks).collect()]
            }
            Role::Challenger { output } => {
                let at = usize::try_from(output).ok();
                let output = at.and_then(|at| self.outputs.get(at));
                let Some(output) = output else { return Ok(None) };
                let Some(parent) = output.parent_in(self.outputs) else { return Ok(None) };
                vec![(parent.entry + 1..=output.entry.min(newest)).flat_map(blocks).collect()]
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

    /// The lies of all players over a range of blocks.
    fn lies_over(
        &self,
        chronicle: Arc<Chronicle>,
        truth: &Roots,
        range: &[Position],
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

/// The last block of a range that the lie can be told about.
fn first_that_works(
    kind: Kind,
    chronicle: &Chronicle,
    range: &[Position],
) -> Result<Option<Forgery>, LiarError> {
    for at in range.iter().rev() {
        match forge(kind, chronicle, *at) {
            Err(LiarError::Nothing { .. } | LiarError::Harmless(_)) => {}
            forged => return forged.map(Some),
        }
    }
    Ok(None)
}
