use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How long a request waits for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Waits for a permit to do work that only a few requests may do at the same time. `None` after
/// [`TURN_WAIT_MAX`].
pub(super) async fn turn(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
    let turn = timeout(TURN_WAIT_MAX, turns.acquire()).await.ok()?;
    Some(turn.expect("invariant: the semaphore is never closed"))
}
