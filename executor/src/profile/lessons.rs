//! The common accesses of a variant's observed runs.

use alloc::vec::Vec;

use super::{
    Access, ObservedRun,
    call::Call,
    contracts::Words,
    explain::{Explanation, explain},
    forecast::Forecast,
    rule::AccessRule,
};

/// Number of runs that a variant is learned from. The proof program learns nothing, because it runs
/// nothing in parallel.
pub(super) const LEARNING_RUNS: usize = if cfg!(feature = "std") { 4 } else { 0 };
/// Maximum number of rules per variant.
pub(super) const RULES_MAX: usize = 32;
/// Maximum number of explanations that are followed until runs show which ones hold.
const CANDIDATES_MAX: usize = 128;
/// Number of runs in which a rule must have matched before it is used.
const SIGHTINGS_MIN: usize = 2;
/// A rule may fail in one of this many runs.
const RUNS_PER_EXCEPTION: usize = 4;

/// The common accesses of a variant's runs so far.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    runs: usize,
    gas_used: u64,
    candidates: Vec<Candidate>,
}

/// A rule that may hold.
#[derive(Debug)]
struct Candidate {
    rule: AccessRule,
    is_evidence: bool,
    /// The access of each run that it explains.
    explains: [Option<u8>; LEARNING_RUNS],
}

/// One run, or all runs together, accessed more keys than can be followed.
#[derive(Debug)]
pub(super) struct TooManyAccesses;

impl Lessons {
    pub(super) const fn are_complete(&self) -> bool {
        self.runs >= LEARNING_RUNS
    }

    /// Learns from a run. The contracts at the `fixed` words are equal in all runs.
    pub(super) fn note(
        &mut self,
        call: &Call<'_>,
        fixed: Words,
        observed: &ObservedRun<'_>,
    ) -> Result<(), TooManyAccesses> {
        if self.are_complete() {
            return Ok(());
        }
        let run = self.runs;
        self.runs += 1;
        self.gas_used = self.gas_used.saturating_add(observed.gas_used);
        for Explanation { touch, rule, is_evidence } in
            explain(call, fixed, observed).ok_or(TooManyAccesses)?
        {
            let known = self.candidates.iter().position(|known| known.rule.place == rule.place);
            let at = known.unwrap_or(self.candidates.len());
            if known.is_none() {
                if self.candidates.len() >= CANDIDATES_MAX {
                    return Err(TooManyAccesses);
                }
                let explains = [None; LEARNING_RUNS];
                self.candidates.push(Candidate { rule: rule.clone(), is_evidence, explains });
            }
            let candidate = &mut self.candidates[at];
            candidate.explains[run] = Some(touch);
            candidate.is_evidence |= is_evidence;
            candidate.rule.access = candidate.rule.access.max(rule.access);
        }
        Ok(())
    }

    /// The expected accesses of the next run, after enough runs.
    pub(super) fn forecast(&self) -> Option<Forecast> {
        if self.runs < SIGHTINGS_MIN {
            return None;
        }
        let runs = u64::try_from(self.runs).ok()?;
        let rules = self.kept();
        Some(Forecast::new(rules.iter().map(|kept| &kept.rule), self.gas_used / runs))
    }

    /// Whether every write is predicted, or is in a contract in which all runs also write the same
    /// predicted slot. Two calls that collide in another slot of that contract then also collide in
    /// the predicted slot.
    pub(super) fn is_guarded(&self) -> bool {
        let kept = self.kept();
        let guards = |key: &super::StateKey| {
            let mut written = kept.iter().filter(|kept| kept.rule.access == Access::Write);
            written.any(|kept| {
                kept.rule.place.constant().is_some_and(|guard| guard.address == key.address)
            })
        };
        let is_predicted = |candidate: &Candidate| {
            (0..self.runs).all(|run| {
                let touch = candidate.explains[run];
                touch.is_none() || kept.iter().any(|kept| kept.explains[run] == touch)
            })
        };
        // Every access has a constant candidate, so checking constants is enough.
        let mut written = self.candidates.iter().filter(|of| of.rule.access == Access::Write);
        written.all(|candidate| match candidate.rule.place.constant() {
            Some(key) => is_predicted(candidate) || guards(&key),
            None => true,
        })
    }

    /// The candidates that hold, writes first, up to the maximum number of rules.
    fn kept(&self) -> Vec<&Candidate> {
        let holding: Vec<_> = self.candidates.iter().filter(|one| self.holds(one)).collect();
        let mut kept: Vec<_> = holding
            .iter()
            .enumerate()
            .filter(|(_, one)| !self.is_superseded(one, &holding))
            .map(|(at, one)| (at, *one))
            .collect();
        kept.sort_by_key(|(_, one)| one.rule.access != Access::Write);
        kept.truncate(RULES_MAX);
        kept.sort_by_key(|(at, _)| *at);
        kept.into_iter().map(|(_, one)| one).collect()
    }

    /// Whether better candidates explain every access that this one explains. A candidate is better
    /// if it holds in more runs: one run is enough to distinguish a word that usually equals the
    /// caller from the caller. Among candidates that hold in as many runs, the one that depends
    /// more on the call is better, because the same accounts may take part in all runs, in any
    /// role.
    fn is_superseded(&self, candidate: &Candidate, holding: &[&Candidate]) -> bool {
        (0..self.runs).all(|run| {
            let touch = candidate.explains[run];
            let mut others = holding.iter().filter(|other| other.explains[run] == touch);
            touch.is_none() || others.any(|other| other.rank() > candidate.rank())
        })
    }

    fn holds(&self, candidate: &Candidate) -> bool {
        let exceptions = self.runs / RUNS_PER_EXCEPTION;
        candidate.is_evidence && candidate.sightings() >= SIGHTINGS_MIN.max(self.runs - exceptions)
    }
}

impl Candidate {
    fn sightings(&self) -> usize {
        self.explains.iter().flatten().count()
    }

    fn rank(&self) -> (usize, usize) {
        (self.sightings(), self.rule.place.generality())
    }
}
