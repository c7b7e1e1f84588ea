//! Keeps a follower in step with a view of L1.
//!
//! # State
//!
//! The view's entries, and a [`Follower`] that has applied the first of them.
//!
//! # Recovery
//!
//! [`DerivedChain::advance`] rewinds the follower to the last entry that L1 still holds. After an
//! error, call it again.

use turnpike_l1::{Advance, EntrySource, L1Client, L1Source, L1View, PostedEntry};

use crate::{Derivation, DerivationError, FollowError, Follower};

/// A view of L1 and the chain derived from it. It runs no task: the owner calls [`Self::advance`],
/// and chooses the thread that executes blocks.
#[derive(Debug)]
pub struct DerivedChain<S = L1Client> {
    view: L1View<S>,
    follower: Follower,
}

/// An entry that was read from L1 and is not applied yet.
#[derive(Debug)]
pub struct NextEntry {
    posted: PostedEntry,
    source: EntrySource,
}

impl NextEntry {
    /// The entry's data, with everything that derivation needs.
    pub const fn source(&self) -> &EntrySource {
        &self.source
    }
}

impl<S: L1Source> DerivedChain<S> {
    /// A chain that has read nothing yet.
    pub const fn new(view: L1View<S>, follower: Follower) -> Self {
        Self { view, follower }
    }

    /// The view of L1.
    pub const fn view(&self) -> &L1View<S> {
        &self.view
    }

    /// The chain derived from it.
    pub const fn follower(&self) -> &Follower {
        &self.follower
    }

    /// View and follower, for callers that apply and rewind entries themselves. [`Self::advance`]
    /// brings both back in step.
    pub const fn parts_mut(&mut self) -> (&L1View<S>, &mut Follower) {
        (&self.view, &mut self.follower)
    }

    /// Reads L1 and rewinds entries that L1 no longer holds.
    pub async fn advance(&mut self) -> Result<Advance, FollowError> {
        let advance = self.view.advance().await?;
        self.follower.rewind_to_common(self.view.entries());
        Ok(advance)
    }

    /// Reads the next entry. `None` if all entries are applied.
    pub async fn next_entry(&self) -> Result<Option<NextEntry>, FollowError> {
        let next = self.follower.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| self.view.entries().get(at));
        let Some(posted) = posted.copied() else { return Ok(None) };
        let source = self.view.source(next).await?;
        Ok(source.map(|source| NextEntry { posted, source }))
    }

    /// Derives and executes an entry.
    pub fn apply(&mut self, next: &NextEntry) -> Result<(), DerivationError> {
        self.follower.apply(&next.posted, &next.source.as_data())?;
        Ok(())
    }

    /// Number of the safe head: the last derived block.
    pub const fn safe(&self) -> u64 {
        self.follower.head().header.number
    }

    /// Number of the last block in a final L1 block; 0, the genesis block, while there is none.
    pub fn finalized(&self) -> u64 {
        let l1_final = self.view.head().and_then(|head| head.finalized).unwrap_or_default();
        Derivation::last_block_within(self.follower.derivation(), l1_final)
    }
}
