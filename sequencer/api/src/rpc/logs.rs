//! Logs by address and topics. The index finds candidate blocks, and the query reads their
//! receipts.

use std::time::Duration;

use alloy::rpc::types::{BlockNumberOrTag, Filter, FilterBlockOption, Log};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use tokio::{task::block_in_place, time::Instant};
use turnpike_storage::{BlockKey, BlockQuery};

use super::{
    error::{RpcError, RpcResult},
    eth::{number_of, to_json},
    method::methods,
    params::Params,
};
use crate::context::ApiContext;
use turnpike_sequencer::notifications::logs_in;

/// Blocks that one query may span if it names an address or a topic.
const KEYED_RANGE_BLOCKS_MAX: u64 = 100_000;

/// Blocks that a query without address and topic may span.
const PLAIN_RANGE_BLOCKS_MAX: u64 = 10_000;

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

/// Topics that a log can have, at most.
const TOPICS_MAX: usize = 4;

/// Addresses in a filter, and topics for one position, at most.
const ALTERNATIVES_MAX: usize = 1_000;

methods! {
    "eth_getLogs", 100, "100,000 blocks with an address or a topic, 10,000 without; 10,000 logs" => |s, p| logs(s, p).await;
}

/// A filter for logs, with `eth_getLogs`' parameters.
#[derive(Clone, Debug)]
pub(crate) struct LogFilter {
    filter: Filter,
    /// The least number of topics of a log. A wildcard position matches any topic, but the topic
    /// must exist.
    topics_min: usize,
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let given = |name: &str| value.get(name).filter(|value| !value.is_null());
        if given("blockHash").is_some()
            && (given("fromBlock").is_some() || given("toBlock").is_some())
        {
            return Err(D::Error::custom("can't specify fromBlock/toBlock with blockHash"));
        }
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        let topics = given("topics").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if topics.len() > TOPICS_MAX {
            return Err(D::Error::custom("exceed max topics"));
        }
        if topics.iter().chain(given("address")).any(|value| count(value) > ALTERNATIVES_MAX) {
            let message = "exceed max addresses or topics per search position";
            return Err(D::Error::custom(format!("{message}: {ALTERNATIVES_MAX}")));
        }
        let topics_min = topics.len();
        let filter = Filter::deserialize(value).map_err(D::Error::custom)?;
        Ok(Self { filter, topics_min })
    }
}

impl LogFilter {
    /// The filter that matches every log.
    pub(super) fn all() -> Self {
        Self { filter: Filter::new(), topics_min: 0 }
    }

    /// Whether address and topics match, in any block.
    fn matches(&self, log: &alloy_primitives::Log) -> bool {
        log.topics().len() >= self.topics_min && self.filter.matches(log)
    }

    /// Whether a log of an added or removed block matches.
    pub(super) fn matches_new(&self, log: &Log) -> bool {
        let (from, to) = self.filter.extract_block_range();
        let number = log.block_number.unwrap_or_default();
        from.is_none_or(|from| from <= number)
            && to.is_none_or(|to| number <= to)
            && self.matches(&log.inner)
    }

    /// Refuses a filter that cannot apply to new blocks.
    pub(super) fn check_new(&self) -> Result<(), RpcError> {
        match self.filter.block_option {
            FilterBlockOption::AtBlockHash(_) => {
                Err(RpcError::invalid_params("a filter for new logs cannot have a blockHash"))
            }
            FilterBlockOption::Range { from_block, to_block } => check_range(from_block, to_block),
        }
    }

    fn query(&self) -> BlockQuery {
        let addresses = self.filter.address.iter().map(BlockKey::address).collect();
        let topics = (0..).zip(&self.filter.topics).map(|(position, topics)| {
            topics.iter().map(|topic| BlockKey::topic(position, topic)).collect()
        });
        let sets = std::iter::once(addresses).chain(topics);
        BlockQuery::new(sets.filter(|set: &Vec<_>| !set.is_empty()))
    }

    fn range_max(&self) -> u64 {
        if self.filter.address.is_empty() && !self.filter.has_topics() {
            PLAIN_RANGE_BLOCKS_MAX
        } else {
            KEYED_RANGE_BLOCKS_MAX
        }
    }

    /// The first and the last block of the query; `None` if no such block exists yet.
    async fn range(&self, context: &ApiContext) -> Result<Option<(u64, u64)>, RpcError> {
        let (from, to) = match self.filter.block_option {
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
}

fn invalid_range() -> RpcError {
    RpcError::invalid_params("invalid block range params")
}

/// Refuses a range that is invalid for every head.
fn check_range(
    from: Option<BlockNumberOrTag>,
    to: Option<BlockNumberOrTag>,
) -> Result<(), RpcError> {
    if [from, to].contains(&Some(BlockNumberOrTag::Pending)) {
        return Err(RpcError::invalid_params("pending logs are not supported"));
    }
    match (from.and_then(|from| from.as_number()), to.and_then(|to| to.as_number())) {
        (Some(from), Some(to)) if from > to => Err(invalid_range()),
        _ => Ok(()),
    }
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
        let found = match filter.range(context).await? {
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
    use alloy_primitives::{Address, B256, LogData};
    use serde_json::json;

    use super::*;

    fn filter(value: Value) -> Result<LogFilter, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn log(topics: usize) -> Log {
        let topics = vec![B256::repeat_byte(1); topics];
        let data = LogData::new_unchecked(topics, Default::default());
        let inner = alloy_primitives::Log { address: Address::repeat_byte(2), data };
        Log { inner, block_number: Some(7), ..Log::default() }
    }

    #[test]
    fn wildcard_topic_must_exist() {
        let two = filter(json!({ "topics": [null, []] })).expect("valid filter");
        assert!(!two.matches(&log(1).inner) && two.matches(&log(2).inner));
        let address = json!({ "address": Address::repeat_byte(2), "topics": [[B256::ZERO, B256::repeat_byte(1)]] });
        let address = filter(address).expect("valid filter");
        assert!(address.matches(&log(1).inner) && !address.matches(&log(0).inner));
    }

    #[test]
    fn new_log_matches_within_the_filters_range_only() {
        for (range, is_within) in [
            (json!({}), true),
            (json!({ "fromBlock": "latest" }), true),
            (json!({ "fromBlock": "0x7", "toBlock": "0x7" }), true),
            (json!({ "fromBlock": "0x8" }), false),
            (json!({ "toBlock": "0x6" }), false),
        ] {
            assert_eq!(
                filter(range.clone()).expect("valid filter").matches_new(&log(0)),
                is_within,
                "{range}"
            );
        }
    }

    #[test]
    fn oversized_query_names_the_limit() {
        let many: Vec<_> =
            (0..=1_000).map(|n| B256::from(alloy_primitives::U256::from(n))).collect();
        let hash = B256::ZERO;
        for (value, words) in [
            (
                json!({ "topics": [many] }),
                "exceed max addresses or topics per search position: 1000",
            ),
            (
                json!({ "address": many }),
                "exceed max addresses or topics per search position: 1000",
            ),
            (json!({ "topics": [null, null, null, null, null] }), "exceed max topics"),
            (
                json!({ "blockHash": hash, "toBlock": "0x1" }),
                "can't specify fromBlock/toBlock with blockHash",
            ),
        ] {
            assert_eq!(filter(value).expect_err("invalid filter"), words);
        }
        let hashed = filter(json!({ "blockHash": hash, "toBlock": null })).expect("valid filter");
        assert!(hashed.check_new().is_err());
        assert!(
            filter(json!({ "toBlock": "pending" })).expect("valid filter").check_new().is_err()
        );
    }

    #[test]
    fn consecutive_blocks_are_read_together() {
        let mut numbers = vec![1, 3, 4];
        numbers.extend(10..20);
        let all: Vec<_> = runs(&numbers).collect();
        assert_eq!(all, [(1, 1), (3, 4), (10, 17), (18, 19)]);
    }
}
