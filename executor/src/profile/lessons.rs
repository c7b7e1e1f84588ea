use alloc::vec::Vec;

use super::{
    Access, ObservedRun,
    call::Call,
    contracts::Words,
    explain::{Explanation, explain},
    forecast::Forecast,
    rule::AccessRule,
};

/// Runs from which a variant is learned. Where every step is to be proven nothing is: nothing runs in parallel there.
pub(super) const LEARNING_RUNS: usize = if cfg!(feature = "std") { 4 } else { 0 };
/// Rules of one variant.
pub(super) const RULES_MAX: usize = 32;
/// Explanations that are followed until runs have told which hold.
const CANDIDATES_MAX: usize = 128;
/// Runs that must have touched a key by a rule before it is followed.
const SIGHTINGS_MIN: usize = 2;
/// One of this many runs may do without.
const RUNS_PER_EXCEPTION: usize = 4;

/// What the runs of a variant had in common so far.
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
    is_telling: bool,
    /// Which touch of each run it explains.
    explains: [Option<u8>; LEARNING_RUNS],
}

/// A run, or all together, did more than can be followed.
#[derive(Debug)]
pub(super) struct TooManyAccesses;

impl Lessons {
    pub(super) const fn are_over(&self) -> bool {
        self.runs >= LEARNING_RUNS
    }

    /// Learns from a run. The contracts at the words that are given are the same in each.
    pub(super) fn note(
        &mut self,
        call: &Call<'_>,
        fixed: Words,
        observed: &ObservedRun<'_>,
    ) -> Result<(), TooManyAccesses> {
        if self.are_over() {
            return Ok(());
        }
        let run = self.runs;
        self.runs += 1;
        self.gas_used = self.gas_used.saturating_add(observed.gas_used);
        for Explanation { touch, rule, is_telling } in
            explain(call, fixed, observed).ok_or(TooManyAccesses)?
        {
            let known = self.candidates.iter().position(|known| known.rule.place == rule.place);
            let at = known.unwrap_or(self.candidates.len());
            if known.is_none() {
                if self.candidates.len() >= CANDIDATES_MAX {
                    return Err(TooManyAccesses);
                }
                let explains = [None; LEARNING_RUNS];
                self.candidates.push(Candidate { rule: rule.clone(), is_telling, explains });
            }
            let candidate = &mut self.candidates[at];
            candidate.explains[run] = Some(touch);
            candidate.is_telling |= is_telling;
            candidate.rule.access = candidate.rule.access.max(rule.access);
        }
        Ok(())
    }

    /// What the next run is likely to do, once there is something to tell it from.
    pub(super) fn forecast(&self) -> Option<Forecast> {
        if self.runs < SIGHTINGS_MIN {
            return None;
        }
        let runs = u64::try_from(self.runs).ok()?;
        let rules = self.kept();
        Some(Forecast::new(rules.iter().map(|kept| &kept.rule), self.gas_used / runs))
    }

    /// Whether all that runs wrote is foreseen, or is in a contract where they also write what is foreseen to be the
    /// same for all: whatever else two of them have in common there, they have that in common too.
    pub(super) fn is_guarded(&self) -> bool {
        let kept = self.kept();
        let guards = |key: &super::StateKey| {
            let mut written = kept.iter().filter(|kept| kept.rule.access == Access::Write);
            written.any(|kept| {
                kept.rule.place.constant().is_some_and(|guard| guard.address == key.address)
            })
        };
        let is_foreseen = |candidate: &Candidate| {
            (0..self.runs).all(|run| {
                let touch = candidate.explains[run];
                touch.is_none() || kept.iter().any(|kept| kept.explains[run] == touch)
            })
        };
        // Each touch has a candidate that is a constant: that is the one to ask.
        let mut written = self.candidates.iter().filter(|of| of.rule.access == Access::Write);
        written.all(|candidate| match candidate.rule.place.constant() {
            Some(key) => is_foreseen(candidate) || guards(&key),
            None => true,
        })
    }

    /// The candidates that hold, as many as are followed: what is written goes first.
    fn kept(&self) -> Vec<&Candidate> {
        let holding: Vec<_> = self.candidates.iter().filter(|one| self.holds(one)).collect();
        let mut kept: Vec<_> = holding
            .iter()
            .enumerate()
            .filter(|(_, one)| !self.is_needless(one, &holding))
            .map(|(at, one)| (at, *one))
            .collect();
        kept.sort_by_key(|(_, one)| one.rule.access != Access::Write);
        kept.truncate(RULES_MAX);
        kept.sort_by_key(|(at, _)| *at);
        kept.into_iter().map(|(_, one)| one).collect()
    }

    /// Whether better candidates explain each touch that it explains. In how many runs they hold counts first: a word
    /// that is mostly the caller is told from the caller by one run. Then counts how much they depend on the call: the
    /// same people may meet in all runs, in whatever parts.
    fn is_needless(&self, candidate: &Candidate, holding: &[&Candidate]) -> bool {
        (0..self.runs).all(|run| {
            let touch = candidate.explains[run];
            let mut others = holding.iter().filter(|other| other.explains[run] == touch);
            touch.is_none() || others.any(|other| other.rank() > candidate.rank())
        })
    }

    fn holds(&self, candidate: &Candidate) -> bool {
        let exceptions = self.runs / RUNS_PER_EXCEPTION;
        candidate.is_telling && candidate.sightings() >= SIGHTINGS_MIN.max(self.runs - exceptions)
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
