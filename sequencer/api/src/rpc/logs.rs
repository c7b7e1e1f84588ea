//! Logs by address and topics. The index finds candidate blocks, and the query reads their
//! receipts.

use std::time::Duration;

use alloy::rpc::types::{BlockNumberOrTag, FilterBlockOption, Log};
use tokio::{task::block_in_place, time::Instant};

use super::{
    convert::to_json,
    error::{RpcError, RpcResult},
    eth::number_of,
    log_filter::{LogFilter, check_range, invalid_range},
    method::methods,
    params::Params,
};
use crate::context::ApiContext;
use turnpike_sequencer::notifications::logs_in;

/// Logs in one answer, at most.
pub(super) const LOGS_MAX: usize = 10_000;

/// Bytes of log data in one answer, at most.
const DATA_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Time limit of one query.
pub(super) const QUERY_TIME_MAX: Duration = Duration::from_secs(10);

/// Blocks that one read of the index covers.
pub(super) const INDEX_STEP_BLOCKS: u64 = 2_048;

/// Blocks read from the database at a time.
const READ_STEP_BLOCKS: usize = 8;

/// Attempts of a query that reorgs interrupt.
const ATTEMPTS_MAX: usize = 3;

methods! {
    "eth_getLogs", 100, "100,000 blocks with an address or a topic, 10,000 without; 10,000 logs" => |s, p| logs(s, p).await;
}

/// The first and the last block of the query; `None` if no such block exists yet.
async fn range(context: &ApiContext, filter: &LogFilter) -> Result<Option<(u64, u64)>, RpcError> {
    let (from, to) = match *filter.blocks() {
        FilterBlockOption::AtBlockHash(hash) => {
            let number = context.chain.client_database.block_number(&hash).await?;
            let number = number.ok_or_else(|| RpcError::server("unknown block"))?;
            return Ok(Some((number, number)));
        }
        FilterBlockOption::Range { from_block, to_block } => (from_block, to_block),
    };
    check_range(from, to)?;
    let head = *context.chain.head.borrow();
    let (from, to) = (resolve(context, from).await?, resolve(context, to).await?.min(head));
    if from > head {
        return Ok(None);
    }
    if from > to { Err(invalid_range()) } else { Ok(Some((from, to))) }
}

async fn resolve(context: &ApiContext, tag: Option<BlockNumberOrTag>) -> Result<u64, RpcError> {
    match tag.unwrap_or_default() {
        BlockNumberOrTag::Number(number) => Ok(number),
        tag => {
            let number = number_of(context, tag.into()).await?;
            Ok(number.unwrap_or_else(|| *context.chain.head.borrow()))
        }
    }
}

async fn logs(context: &ApiContext, mut params: Params) -> RpcResult {
    let filter = params.next::<LogFilter>()?;
    to_json(find(context, &filter).await?)
}

/// All logs that match, read from one chain: a reorg during the query repeats it.
pub(super) async fn find(context: &ApiContext, filter: &LogFilter) -> Result<Vec<Log>, RpcError> {
    for _ in 0..ATTEMPTS_MAX {
        let before = context.chain.client_database.reorg_count().await?;
        let found = match range(context, filter).await? {
            Some((from, to)) => search(context, filter, from, to).await,
            None => Ok(Vec::new()),
        };
        if context.chain.client_database.reorg_count().await? == before {
            return found;
        }
    }
    Err(RpcError::server("reorgs interrupted the query: try again"))
}

async fn search(
    context: &ApiContext,
    filter: &LogFilter,
    from: u64,
    to: u64,
) -> Result<Vec<Log>, RpcError> {
    let (count, limit) = (to - from + 1, filter.range_max());
    if count > limit {
        let reason = format!("block range too large: {count} blocks, limit {limit}");
        return Err(narrow(reason, from, from + limit));
    }
    let ends_at = Instant::now() + QUERY_TIME_MAX;
    let query = filter.query();
    let (mut found, mut data_bytes, mut next) = (Vec::new(), 0, from);
    while next <= to {
        let last = to.min((next / INDEX_STEP_BLOCKS + 1) * INDEX_STEP_BLOCKS - 1);
        let candidates = context.chain.client_database.blocks_with(next, last, &query).await?;
        for (first, last) in runs(&candidates) {
            if Instant::now() > ends_at {
                let seconds = QUERY_TIME_MAX.as_secs();
                return Err(narrow(format!("query timeout exceeded: {seconds} s"), from, first));
            }
            for record in context.chain.client_database.blocks(first, last).await? {
                let number = record.header.number;
                let logs = block_in_place(|| logs_in(&record, |log| filter.matches(log)))?;
                data_bytes += logs.iter().map(|log| log.data().data.len()).sum::<usize>();
                found.extend(logs);
                if found.len() > LOGS_MAX {
                    let reason = format!("query returned more than {LOGS_MAX} results");
                    return Err(narrow(reason, from, number));
                }
                if data_bytes > DATA_BYTES_MAX {
                    let reason = format!("query returned more than {DATA_BYTES_MAX} bytes of data");
                    return Err(narrow(reason, from, number));
                }
            }
        }
        next = last + 1;
    }
    Ok(found)
}

/// Refuses a query and suggests the range that could be answered: the blocks before `end`. Clients
/// match on this text.
fn narrow(reason: String, from: u64, end: u64) -> RpcError {
    RpcError::limit_exceeded(match end.checked_sub(1) {
        Some(last) if last >= from => {
            format!("{reason}. Try with this block range [{from:#x}, {last:#x}].")
        }
        _ => format!("{reason}. Ask for fewer addresses and topics, or one block at a time."),
    })
}

/// Splits block numbers into runs of consecutive blocks, each given as first and last and at most
/// [`READ_STEP_BLOCKS`] long.
fn runs(numbers: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).flat_map(|run| run.chunks(READ_STEP_BLOCKS));
    runs.map(|run| (run[0], run[run.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_blocks_are_read_together() {
        let mut numbers = vec![1, 3, 4];
        numbers.extend(10..20);
        let all: Vec<_> = runs(&numbers).collect();
        assert_eq!(all, [(1, 1), (3, 4), (10, 17), (18, 19)]);
    }
}
