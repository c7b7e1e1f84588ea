//! Polled filters, as in geth. Each remembers its client's position.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{
    convert::to_json,
    error::{RpcError, RpcResult},
    installed_filters::{FILTERS_MAX, InstalledFilter},
    log_filter::LogFilter,
    logs::{self, LOGS_MAX},
    method::methods,
    params::Params,
    pending::PendingDetail,
};
use crate::context::ApiContext;
use turnpike_sequencer::notifications::LogNotification;

/// Hashes in one answer, at most. The next answer holds the rest.
const HASHES_MAX: usize = 10_000;

methods! {
    "eth_newFilter", 5, "expires after 5 minutes without a poll" => |s, p| new_logs(s, p).await;
    "eth_newBlockFilter", 5, "expires after 5 minutes without a poll" => |s, p| new_blocks(s).await;
    "eth_newPendingTransactionFilter", 5, "expires after 5 minutes without a poll; `true` for whole transactions" => |s, p| new_pending(s, p);
    "eth_getFilterChanges", 10, "logs that a reorg removed have `removed`" => |s, p| changes(s, p).await;
    "eth_getFilterLogs", 100, "" => |s, p| filter_logs(s, p).await;
    "eth_uninstallFilter", 1, "" => |s, p| Ok(s.filters.remove(&p.next::<String>()?).into());
}

fn not_found() -> RpcError {
    RpcError::server("filter not found")
}

fn add(context: &ApiContext, filter: InstalledFilter) -> RpcResult {
    let too_many = || RpcError::limit_exceeded(format!("too many filters: limit {FILTERS_MAX}"));
    Ok(context.filters.install(filter).ok_or_else(too_many)?.into())
}

async fn new_logs(context: &Arc<ApiContext>, mut params: Params) -> RpcResult {
    let filter = params.next::<LogFilter>()?;
    filter.check_new()?;
    let reader = context.notifications.heads(&context.chain).await?;
    add(context, InstalledFilter::Logs(Box::new(filter), Mutex::new(reader)))
}

async fn new_blocks(context: &Arc<ApiContext>) -> RpcResult {
    let reader = context.notifications.heads(&context.chain).await?;
    add(context, InstalledFilter::Blocks(Mutex::new(reader)))
}

fn new_pending(context: &ApiContext, mut params: Params) -> RpcResult {
    let detail = PendingDetail::parse(&mut params)?;
    add(context, InstalledFilter::Pending(Mutex::new(context.notifications.pending()), detail))
}

/// The changes since the client's last poll. A filter that missed changes is removed, and its
/// client must install a new one.
async fn changes(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<String>()?;
    let filter = context.filters.get(&id, Instant::now()).ok_or_else(not_found)?;
    context.notifications.catch_up(&context.chain).await?;
    let mut found = Vec::new();
    let is_whole = match &*filter {
        InstalledFilter::Logs(filter, reader) => {
            let mut reader = reader.lock().await;
            let is_asked_for = |log: &LogNotification| filter.matches_new(&log.log);
            let show = |log: &LogNotification, is_removed| {
                found.push(log.value(is_removed));
            };
            reader.logs(LOGS_MAX, is_asked_for, show).is_ok()
        }
        InstalledFilter::Blocks(reader) => match reader.lock().await.blocks(HASHES_MAX) {
            Ok(blocks) => {
                found.extend(blocks.iter().map(|block| json!(block.hash)));
                true
            }
            Err(_) => false,
        },
        InstalledFilter::Pending(reader, detail) => {
            let mut reader = reader.lock().await;
            reader.transactions(HASHES_MAX, |tx| found.extend(detail.of(tx))).is_ok()
        }
    };
    if is_whole {
        return Ok(Value::Array(found));
    }
    context.filters.remove(&id);
    Err(not_found())
}

/// All logs that match an installed log filter.
async fn filter_logs(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<String>()?;
    let filter = context.filters.get(&id, Instant::now()).ok_or_else(not_found)?;
    match &*filter {
        InstalledFilter::Logs(filter, _) => to_json(logs::find(context, filter).await?),
        InstalledFilter::Blocks(_) | InstalledFilter::Pending(..) => Err(not_found()),
    }
}
