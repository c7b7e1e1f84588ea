//! Keeps a follower in step with a view of L1.
//!
//! # State
//!
//! The view's entries, a [`Follower`] that has applied the first of them, and an [`EntryReader`]
//! that reads one entry ahead.
//!
//! # Recovery
//!
//! [`DerivedChain::advance`] rewinds the follower to the last entry that L1 still holds. After an
//! error, call it again.

use turnpike_l1::{Advance, L1Client, L1Source, L1View};

use crate::{Derivation, DerivationError, EntryReader, FollowError, Follower, NextEntry};

/// A view of L1 and the chain derived from it. The owner calls [`Self::advance`], and chooses the
/// thread that executes blocks. A task reads one entry ahead.
#[derive(Debug)]
pub struct DerivedChain<S = L1Client> {
    view: L1View<S>,
    follower: Follower,
    reader: EntryReader,
}

impl<S: L1Source> DerivedChain<S> {
    /// A chain that has read nothing yet.
    pub fn new(view: L1View<S>, follower: Follower) -> Self {
        Self { view, follower, reader: EntryReader::default() }
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

    /// Reads the next entry, and begins to read the one after it. `None` if all entries are
    /// applied.
    pub async fn next_entry(&mut self) -> Result<Option<NextEntry>, FollowError> {
        self.reader.next(&self.view, self.follower.derivation()).await
    }

    /// Executes an entry.
    pub fn apply(&mut self, next: NextEntry) -> Result<(), DerivationError> {
        let (_, recovered) = next.into_parts();
        self.follower.apply_recovered(recovered, |_| ())?;
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
