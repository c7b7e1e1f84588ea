//! Permits for requests that execute in the EVM. A request waits for its permit a bounded time.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::RpcError;
use crate::{context::ApiContext, turn::turn};

/// A permit for a call that runs the EVM.
pub(super) async fn permit(context: &ApiContext) -> Result<SemaphorePermit<'_>, RpcError> {
    acquire(&context.calls).await
}

/// A permit for a trace, which may take as long as a client asks for.
pub(super) async fn trace_permit(context: &ApiContext) -> Result<SemaphorePermit<'_>, RpcError> {
    acquire(&context.traces).await
}

async fn acquire(permits: &Semaphore) -> Result<SemaphorePermit<'_>, RpcError> {
    let busy = || RpcError::limit_exceeded("too many calls are waiting: try again later");
    turn(permits).await.ok_or_else(busy)
}
