use turnpike_l1::{Advance, EntrySource, L1Client, L1Source, L1View, PostedEntry};

use crate::{Derivation, DerivationError, FollowError, Follower};

/// A view of L1 and the chain that follows from it, in step. It does nothing by itself: its owner says when to look, and on
/// which thread to execute.
#[derive(Debug)]
pub struct DerivedChain<S = L1Client> {
    view: L1View<S>,
    follower: Follower,
}

/// An entry that is read and not yet fed.
#[derive(Debug)]
pub struct NextEntry {
    posted: PostedEntry,
    source: EntrySource,
}

impl NextEntry {
    /// All that deriving it takes.
    pub const fn source(&self) -> &EntrySource {
        &self.source
    }
}

impl<S: L1Source> DerivedChain<S> {
    /// A node that has read nothing yet.
    pub const fn new(view: L1View<S>, follower: Follower) -> Self {
        Self { view, follower }
    }

    /// What L1 holds.
    pub const fn view(&self) -> &L1View<S> {
        &self.view
    }

    /// The chain that follows from it.
    pub const fn follower(&self) -> &Follower {
        &self.follower
    }

    /// What L1 holds, and the chain that follows from it, for whoever moves the chain by hand. [`Self::advance`] puts it
    /// back in step.
    pub const fn parts_mut(&mut self) -> (&L1View<S>, &mut Follower) {
        (&self.view, &mut self.follower)
    }

    /// Looks at L1 and forgets what it does not hold any more.
    pub async fn advance(&mut self) -> Result<Advance, FollowError> {
        let advance = self.view.advance().await?;
        self.follower.rewind_to_common(self.view.entries());
        Ok(advance)
    }

    /// Reads the entry that comes next; `None` if all that L1 holds are fed.
    pub async fn next_entry(&self) -> Result<Option<NextEntry>, FollowError> {
        let next = self.follower.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| self.view.entries().get(at));
        let Some(posted) = posted.copied() else { return Ok(None) };
        let source = self.view.source(next).await?;
        Ok(source.map(|source| NextEntry { posted, source }))
    }

    /// Derives and executes the entry that was read.
    pub fn apply(&mut self, next: &NextEntry) -> Result<(), DerivationError> {
        self.follower.apply(&next.posted, &next.source.as_data())?;
        Ok(())
    }

    /// Number of the last block that L1 holds.
    pub const fn safe(&self) -> u64 {
        self.follower.head().header.number
    }

    /// Number of the last block that a final L1 block holds; 0, the genesis block, while there is none.
    pub fn finalized(&self) -> u64 {
        let l1_final = self.view.head().and_then(|head| head.finalized).unwrap_or_default();
        Derivation::last_block_within(self.follower.derivation(), l1_final)
    }
}
