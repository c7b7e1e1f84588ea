//! Transfers of ether between existing accounts.

use turnpike_workloads::{Crowd, Pair};

use super::{WorkloadDraft, population};
use crate::setup::actor;

/// Between independent pairs.
pub(super) fn independent(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..2 * count).map(actor));
    for index in 0..count {
        draft.transfer(actor(index), actor(count + index));
    }
    Ok(())
}

/// Between random accounts.
pub(super) fn random(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let population = population(count);
    draft.fund((0..population).map(actor));
    let mut crowd = Crowd::new(1, population, 1);
    for _ in 0..count {
        let Pair { from, to, .. } = crowd.pair();
        draft.transfer(actor(from), actor(to));
    }
    Ok(())
}

/// Each from the recipient of the one before.
pub(super) fn chain(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 0..count {
        draft.transfer(actor(index), actor(index + 1));
    }
    Ok(())
}

/// From one account to many.
pub(super) fn one_sender(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 1..=count {
        draft.transfer(actor(0), actor(index));
    }
    Ok(())
}

/// From many accounts to one.
pub(super) fn hot_recipient(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    draft.fund((0..=count).map(actor));
    for index in 1..=count {
        draft.transfer(actor(index), actor(0));
    }
    Ok(())
}
