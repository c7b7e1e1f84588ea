//! Transfers of ether between accounts that exist.

use turnpike_workloads::{Crowd, Pair};

use super::{Draft, population};
use crate::setup::actor;

/// Between pairs that have nothing to do with each other.
pub(super) fn independent(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..2 * count).map(actor));
    for index in 0..count {
        draft.transfer(actor(index), actor(count + index));
    }
    Ok(())
}

/// Between accounts picked at random.
pub(super) fn random(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    let population = population(count);
    draft.fund((0..population).map(actor));
    let mut crowd = Crowd::new(1, population, 1);
    for _ in 0..count {
        let Pair { from, to, .. } = crowd.pair();
        draft.transfer(actor(from), actor(to));
    }
    Ok(())
}

/// Each from the one before's recipient.
pub(super) fn chain(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 0..count {
        draft.transfer(actor(index), actor(index + 1));
    }
    Ok(())
}

/// From one account to many.
pub(super) fn one_sender(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 1..=count {
        draft.transfer(actor(0), actor(index));
    }
    Ok(())
}

/// From many accounts to one.
pub(super) fn hot_recipient(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 1..=count {
        draft.transfer(actor(index), actor(0));
    }
    Ok(())
}
