//! Filters for logs: addresses, topics and blocks, with geth's checks.

use alloy::rpc::types::{BlockNumberOrTag, Filter, FilterBlockOption, Log};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use turnpike_storage::{BlockKey, BlockQuery};

use super::error::RpcError;

/// Blocks that one query may span if it names an address or a topic.
const KEYED_RANGE_BLOCKS_MAX: u64 = 100_000;

/// Blocks that a query without address and topic may span.
const PLAIN_RANGE_BLOCKS_MAX: u64 = 10_000;

/// Topics that a log can have, at most.
const TOPICS_MAX: usize = 4;

/// Addresses in a filter, and topics for one position, at most.
const ALTERNATIVES_MAX: usize = 1_000;

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
    pub(super) fn matches(&self, log: &alloy_primitives::Log) -> bool {
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

    /// The blocks that the query spans, as the client gave them.
    pub(super) const fn blocks(&self) -> &FilterBlockOption {
        &self.filter.block_option
    }

    /// The query of the block index.
    pub(super) fn query(&self) -> BlockQuery {
        let addresses = self.filter.address.iter().map(BlockKey::address).collect();
        let topics = (0..).zip(&self.filter.topics).map(|(position, topics)| {
            topics.iter().map(|topic| BlockKey::topic(position, topic)).collect()
        });
        let sets = std::iter::once(addresses).chain(topics);
        BlockQuery::new(sets.filter(|set: &Vec<_>| !set.is_empty()))
    }

    /// Blocks that the query may span.
    pub(super) fn range_max(&self) -> u64 {
        if self.filter.address.is_empty() && !self.filter.has_topics() {
            PLAIN_RANGE_BLOCKS_MAX
        } else {
            KEYED_RANGE_BLOCKS_MAX
        }
    }
}

pub(super) fn invalid_range() -> RpcError {
    RpcError::invalid_params("invalid block range params")
}

/// Refuses a range that is invalid for every head.
pub(super) fn check_range(
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
}
