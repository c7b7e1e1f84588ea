//! Collects the witnesses of disputed blocks in one pass over the entries, beside the challenger's
//! loop, which goes on at L1's head.
//!
//! # State
//!
//! A chain of its own, copied at the state before the first wanted block. It lives as long as the
//! pass.
//!
//! # Recovery
//!
//! A pass that fails is started again. A reorg ends it.

use std::time::Duration;

use tokio::{
    task::{JoinHandle, block_in_place},
    time::sleep,
};
use tracing::{info, warn};
use turnpike_derivation::{EntryReader, Follower, NextEntry};
use turnpike_game::prove::{ProveError, Statement};
use turnpike_l1::L1View;

use crate::runs::{DisputedBlock, WantedWitnesses};

/// How long a pass that has failed keeps others from starting.
const PAUSE: Duration = Duration::from_secs(10);

/// A pass. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct WitnessPass(JoinHandle<()>);

impl WitnessPass {
    /// Starts a pass over the entries of `view` from the next one of `follower` on.
    pub(crate) fn start(view: L1View, follower: Follower, wanted: WantedWitnesses) -> Self {
        Self(tokio::spawn(async move {
            let first = follower.next_entry();
            if let Err(error) = collect(&view, follower, &wanted).await {
                warn!(first, %error, "witnesses of disputed blocks were not collected, retrying");
                sleep(PAUSE).await;
            }
            wanted.end_pass();
        }))
    }

    /// Whether another pass may start.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for WitnessPass {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Applies entries until none of the wanted blocks is ahead.
async fn collect(
    view: &L1View,
    mut follower: Follower,
    wanted: &WantedWitnesses,
) -> Result<(), ProveError> {
    let mut reader = EntryReader::default();
    loop {
        let entry = follower.next_entry();
        let ahead: Vec<_> =
            wanted.blocks().into_iter().filter(|it| it.position.entry >= entry).collect();
        if ahead.is_empty() {
            return Ok(());
        }
        // Entries that were posted after the pass began are for the next one.
        let Some(next) = reader.next(view, follower.derivation()).await? else { return Ok(()) };
        let of_entry: Vec<_> = ahead.into_iter().filter(|it| it.position.entry == entry).collect();
        block_in_place(|| apply(&mut follower, view, next, &of_entry, wanted))?;
    }
}

/// Applies an entry and hands in the statements of some of its blocks.
fn apply(
    follower: &mut Follower,
    view: &L1View,
    next: NextEntry,
    blocks: &[DisputedBlock],
    wanted: &WantedWitnesses,
) -> Result<(), ProveError> {
    let (source, recovered) = next.into_parts();
    if blocks.is_empty() {
        follower.apply_recovered(recovered, |_| ())?;
        return Ok(());
    }
    let indexes: Vec<_> = blocks.iter().map(|it| it.position.index).collect();
    let (entries, data) = (view.entries(), source.as_data());
    let stated = Statement::of_blocks(follower, entries, &data, recovered, &indexes)?;
    info!(entry = data.entry.index, blocks = blocks.len(), "collected witnesses");
    blocks.iter().zip(stated).for_each(|(block, stated)| wanted.hand_in(block, stated));
    Ok(())
}
