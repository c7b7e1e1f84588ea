//! What a player has to answer on L1.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use turnpike_game::{ClaimError, ClaimProvider, NextMove, Trace, next_move, opening};
use turnpike_l1::{Bisection, DisputedOutput};

use crate::{Verifier, honest::honest_root};

/// A bisection to answer, or an output to challenge.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) output: DisputedOutput,
    /// `None`: the output itself.
    pub(crate) answered: Option<Bisection>,
}

impl Question {
    /// Hash of what is answered.
    pub(crate) fn key(&self) -> B256 {
        self.answered.as_ref().map_or(self.output.claim, Bisection::hash)
    }

    /// The move of a player who makes these claims. `None` if the player agrees.
    pub(crate) fn answer(
        &self,
        claims: &mut impl ClaimProvider,
    ) -> Result<Option<NextMove>, ClaimError> {
        match &self.answered {
            Some(bisection) => next_move(claims, &self.output, bisection),
            None => Ok(opening(claims, &self.output)?.map(NextMove::Bisect)),
        }
    }
}

/// The output roots that a verifier has derived, and no run. Notes what was asked.
#[derive(Debug)]
pub(crate) struct RootsOnly<'a> {
    verifier: &'a Verifier,
    /// Roots asked for, by position.
    pub(crate) asked: BTreeMap<u64, B256>,
}

impl<'a> RootsOnly<'a> {
    pub(crate) const fn new(verifier: &'a Verifier) -> Self {
        Self { verifier, asked: BTreeMap::new() }
    }
}

impl ClaimProvider for RootsOnly<'_> {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        let root = honest_root(self.verifier, output, position)?;
        self.asked.insert(position, root);
        Ok(root)
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError> {
        let (entry, index) = output.block_at(position);
        Err(ClaimError::NotPrepared { entry, index })
    }
}
