//! `GET /v1/stream`: blocks, transactions and settlement as server-sent events.
//!
//! ```text
//! slices (bounded queue) ─┐
//! head ───────────────────┼─► client: blocks in order, changed statuses, settlement ─► events
//! settlement ─────────────┘
//! ```
//!
//! A client reads at its own pace. It gets blocks from the index, so it misses none, and of each
//! transaction only the newest state. Only slice notifications queue up for it; a client that falls
//! behind with them gets an `end` event and is dropped. Each block event has an id from which a
//! client resumes.
//!
//! # Limits
//!
//! [`STREAMS_MAX`] streams, [`NAMES_MAX`] hashes and senders per request, [`FOLLOWED_MAX`] followed
//! transactions per client.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{Address, B256, keccak256};
use axum::{
    extract::{Extension, FromRef, RawQuery, State},
    http::HeaderMap,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::unfold;
use metrics::gauge;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use turnpike_http::{Allowance, ClientQuota, QuotaPermit};
use turnpike_l1::OutputStatus;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    problem::{Code, Problem},
    rest::{
        Query, RestResult, StatusReader, TransactionState, malformed, parse_address, parse_hash,
        parse_number,
    },
    schema::{Full, Hash, Malformed},
};
use crate::context::ApiContext;
use turnpike_sequencer::{
    Settlement,
    notifications::{EventCursor, Lagged, SliceNotification},
};

/// Streams at the same time.
const STREAMS_MAX: usize = 256;

/// Hashes, and senders, in one request.
const NAMES_MAX: usize = 100;

/// Transactions that a client follows at the same time: those it named, and its senders' that are
/// not
/// final yet.
const FOLLOWED_MAX: usize = 1_000;

/// Newest blocks that are kept for all clients.
const BLOCKS_KEPT: usize = 16;

/// Time between two keep-alive comments.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const STREAMS_METRIC: &str = "turnpike_sequencer_streams";

/// The query, as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query")]
struct StreamParams {
    /// Event kinds, separated by commas: `block`, `settlement`, `transaction`. Default: all.
    /// `transaction` needs `hash` or `sender`.
    events: Option<String>,
    /// Transaction hashes, separated by commas, at most 100: the stream reports their current stage
    /// and every later one.
    hash: Option<String>,
    /// Sender addresses, separated by commas, at most 100: the same for transactions that they send
    /// from
    /// now on.
    sender: Option<String>,
    /// Id of the last event that the client saw, or a block number: the stream begins with the
    /// blocks
    /// after it. The header `Last-Event-ID` takes precedence.
    after: Option<String>,
}

/// A sealed block: event `block`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockEvent {
    number: u64,
    #[schema(value_type = Hash)]
    hash: B256,
    #[schema(value_type = Hash)]
    parent_hash: B256,
    /// Unix seconds.
    timestamp: u64,
    /// Number of its transactions, deposits included.
    transactions: usize,
    gas_used: u64,
}

/// What changed on L1: event `settlement`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub(super) enum SettlementEvent {
    /// An inbox entry holds blocks, which are safe.
    Safe {
        entry: u64,
        first_block: u64,
        last_block: u64,
        #[schema(value_type = Hash)]
        l1_transaction: B256,
        l1_block: u64,
        /// Unix seconds.
        l1_time: u64,
    },
    /// An L1 reorg dropped entries. `nextEntry` is the next one.
    Dropped { next_entry: u64 },
    /// An output changed its state: `proposed`, `challenged`, `final`, `rejected` or `void`.
    Output {
        index: u64,
        state: &'static str,
        /// The last block that it covers.
        block: u64,
        #[schema(value_type = Hash)]
        l1_transaction: B256,
        /// Unix seconds.
        proposed_at: u64,
    },
}

/// Data of an event: a block (`block`), a change on L1 (`settlement`), a transaction status as in
/// `/v1/transactions/{hash}` (`transaction`). `reset` says that a reorg removed blocks, and which
/// block
/// comes next. `end` is the last event, with the reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the events")]
pub(super) enum StreamEvent {
    Block(BlockEvent),
    Settlement(SettlementEvent),
    #[schema(value_type = Object)]
    Transaction(serde_json::Value),
}

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Streams>: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(stream))
}

/// Blocks, transactions and settlement as server-sent events
///
/// Events are `block`, `settlement`, `transaction`, `reset` and `end`. Block events have ids: with
/// `Last-Event-ID` a client resumes after the last block that it saw. A comment every 15 seconds
/// keeps
/// the connection open.
#[utoipa::path(
    get,
    path = "/v1/stream",
    tag = "Events",
    params(
        StreamParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "Events until the client leaves", body = StreamEvent, content_type = "text/event-stream"),
        Malformed, Full,
    ),
)]
async fn stream(
    State(streams): State<Arc<Streams>>,
    Extension(allowance): Extension<Allowance>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> RestResult<Response> {
    let request = StreamRequest::parse(query.as_deref(), &headers)?;
    let client = StreamClient::new(streams, &allowance, request).await?;
    let events = unfold(client, |mut client| async {
        let event = client.next().await?;
        Some((Ok::<_, Infallible>(event), client))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// A client's position in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StreamCursor {
    number: u64,
    /// `None` if the client only gave a number.
    hash: Option<B256>,
}

impl StreamCursor {
    fn parse(text: &str) -> RestResult<Self> {
        let (number, hash) = match text.split_once('-') {
            Some((number, hash)) => (number, parse_hash(hash).ok().map(Some)),
            None => (text, Some(None)),
        };
        let parsed = parse_number(number).zip(hash).map(|(number, hash)| Self { number, hash });
        let detail = format!("{text:?} is no number of a block, and no id of an event");
        parsed.ok_or_else(|| Problem::new(Code::MalformedCursor, detail))
    }
}

/// A parsed request.
#[derive(Debug, Default)]
struct StreamRequest {
    blocks: bool,
    settlement: bool,
    hashes: Vec<B256>,
    senders: HashSet<Address>,
    after: Option<StreamCursor>,
}

impl StreamRequest {
    fn parse(raw: Option<&str>, headers: &HeaderMap) -> RestResult<Self> {
        let query = Query::parse(raw, &["events", "hash", "sender", "after"])?;
        let hashes = names(&query, "hash", parse_hash)?;
        let senders: HashSet<_> = names(&query, "sender", parse_address)?.into_iter().collect();
        let names_some = !hashes.is_empty() || !senders.is_empty();
        let mut request = Self { hashes, senders, ..Self::default() };
        let mut wants_transactions = false;
        match query.get("events") {
            None => {
                (request.blocks, request.settlement, wants_transactions) = (true, true, names_some)
            }
            Some(events) => {
                for event in events.split(',') {
                    match event {
                        "block" => request.blocks = true,
                        "settlement" => request.settlement = true,
                        "transaction" => wants_transactions = true,
                        other => {
                            let detail = format!("{other:?}: block, settlement or transaction");
                            return Err(malformed(detail));
                        }
                    }
                }
            }
        }
        if wants_transactions != names_some {
            return Err(malformed("transaction events go with hash or sender"));
        }
        let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?"));
        request.after = last.or_else(|| query.get("after")).map(StreamCursor::parse).transpose()?;
        Ok(request)
    }
}

/// A list in a query.
fn names<T>(
    query: &Query,
    name: &str,
    parse: impl Fn(&str) -> RestResult<T>,
) -> RestResult<Vec<T>> {
    let Some(list) = query.get(name) else { return Ok(Vec::new()) };
    let count = list.split(',').count();
    if count > NAMES_MAX {
        return Err(malformed(format!("{name} has {count} items, limit {NAMES_MAX}")));
    }
    list.split(',').map(parse).collect()
}

/// State shared by all streams.
#[derive(Debug)]
pub(super) struct Streams {
    context: Arc<ApiContext>,
    quota: Arc<ClientQuota>,
    /// Newest blocks, read once for all streams.
    blocks: Mutex<VecDeque<Arc<StreamedBlock>>>,
    stop: CancellationToken,
}

/// A block as streams report it.
#[derive(Debug)]
struct StreamedBlock {
    event: BlockEvent,
    /// Its transactions, each with its sender.
    transactions: Vec<(B256, Address)>,
}

impl Streams {
    pub(super) fn new(context: Arc<ApiContext>, stop: CancellationToken) -> Self {
        let quota = ClientQuota::new(STREAMS_MAX);
        Self { context, quota, blocks: Mutex::default(), stop }
    }

    /// The block of this number; `None` if there is none at the moment.
    async fn block(&self, number: u64) -> RestResult<Option<Arc<StreamedBlock>>> {
        // Concurrent callers wait for the one that reads it.
        let mut kept = self.blocks.lock().await;
        let Some(hash) = self.context.chain.client_database.block_hash(number).await? else {
            return Ok(None);
        };
        if let Some(found) = kept.iter().find(|block| block.event.hash == hash) {
            return Ok(Some(Arc::clone(found)));
        }
        let Some(record) = self.context.chain.client_database.block(number).await? else {
            return Ok(None);
        };
        let receipts = &record.receipts;
        let transaction = |receipt: &turnpike_storage::ReceiptRecord| {
            (keccak256(&receipt.transaction), receipt.sender)
        };
        let block = Arc::new(StreamedBlock {
            event: BlockEvent {
                number,
                hash: record.header.hash_slow(),
                parent_hash: record.header.parent_hash,
                timestamp: record.header.timestamp,
                transactions: receipts.len(),
                gas_used: record.header.gas_used,
            },
            transactions: receipts.iter().map(transaction).collect(),
        });
        kept.push_back(Arc::clone(&block));
        while kept.len() > BLOCKS_KEPT {
            kept.pop_front();
        }
        Ok(Some(block))
    }
}

/// Why the node ends a stream.
#[derive(Debug, thiserror::Error)]
enum StreamEnd {
    #[error("the client reads too slowly: {0}; resume with the last id")]
    Slow(#[from] Lagged),
    #[error("more than {FOLLOWED_MAX} transactions of these senders are under way")]
    TooMany,
    #[error("the node stops")]
    Stopping,
    #[error("the node failed to read its database")]
    Failed,
}

impl From<Problem> for StreamEnd {
    fn from(_: Problem) -> Self {
        Self::Failed
    }
}

impl From<turnpike_storage::StorageError> for StreamEnd {
    fn from(error: turnpike_storage::StorageError) -> Self {
        Problem::from(error).into()
    }
}

/// What woke a stream.
enum WakeReason {
    Head,
    Settlement,
    Slice(Arc<SliceNotification>),
}

/// A client's stream.
struct StreamClient {
    streams: Arc<Streams>,
    request: StreamRequest,
    head: watch::Receiver<u64>,
    settlement: watch::Receiver<u64>,
    slices: EventCursor<SliceNotification>,
    /// The last block that was reported to it.
    last: StreamCursor,
    /// The settlement that was reported to it.
    reported: ReportedSettlement,
    /// Followed transactions, each with its last reported state.
    followed: HashMap<B256, Option<TransactionState>>,
    queue: VecDeque<Event>,
    is_over: bool,
    _permit: QuotaPermit,
}

impl Drop for StreamClient {
    fn drop(&mut self) {
        gauge!(STREAMS_METRIC).decrement(1);
    }
}

impl StreamClient {
    async fn new(
        streams: Arc<Streams>,
        allowance: &Allowance,
        request: StreamRequest,
    ) -> RestResult<Self> {
        let permit = streams.quota.take(allowance).ok_or_else(|| {
            let detail = "too many streams are open, in all or from this address";
            Problem::new(Code::StreamsFull, detail)
        })?;
        let context = &streams.context;
        // From here on no event is missed.
        let (mut head, mut settlement) = (context.chain.head.clone(), context.settlement.changed());
        let slices = context.notifications.slices();
        settlement.mark_unchanged();
        let reported = ReportedSettlement::of(&*context.settlement.read().await);
        let newest = StreamCursor { number: *head.borrow_and_update(), hash: None };
        let mut last = request.after.unwrap_or(newest);
        if last.hash.is_none() {
            last.hash = context.chain.client_database.block_hash(last.number).await?;
        }
        gauge!(STREAMS_METRIC).increment(1);
        let followed = request.hashes.iter().map(|hash| (*hash, None)).collect();
        let mut client = Self {
            head,
            settlement,
            slices,
            last,
            reported,
            followed,
            queue: VecDeque::new(),
            is_over: false,
            _permit: permit,
            request,
            streams,
        };
        let hashes = client.request.hashes.clone();
        if client.report_statuses(hashes).await.is_err() {
            return Err(Problem::new(Code::Internal, "the request failed in the node"));
        }
        Ok(client)
    }

    /// The next event; `None` after the last.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            if let Err(end) = self.gather().await {
                let reason = json!({ "reason": end.to_string() });
                self.queue.push_back(Event::default().event("end").data(reason.to_string()));
                self.is_over = true;
            }
        }
    }

    /// Waits until something happens, and queues what there is to be reported of it.
    async fn gather(&mut self) -> Result<(), StreamEnd> {
        if self.take_block().await? {
            return Ok(());
        }
        match self.wake().await? {
            // The next look for a block finds it.
            WakeReason::Head => Ok(()),
            WakeReason::Settlement => self.take_settlement().await,
            WakeReason::Slice(news) => self.take_slice(&news).await,
        }
    }

    async fn wake(&mut self) -> Result<WakeReason, StreamEnd> {
        tokio::select! {
            biased;
            () = self.streams.stop.cancelled() => Err(StreamEnd::Stopping),
            changed = self.head.changed() => changed.map(|()| WakeReason::Head).map_err(|_| StreamEnd::Stopping),
            changed = self.settlement.changed() => {
                changed.map(|()| WakeReason::Settlement).map_err(|_| StreamEnd::Stopping)
            }
            news = self.slices.next() => Ok(WakeReason::Slice(news?)),
        }
    }

    /// Queues the next block, if there is one.
    async fn take_block(&mut self) -> Result<bool, StreamEnd> {
        let head = *self.head.borrow_and_update();
        let streams = Arc::clone(&self.streams);
        let database = &streams.context.chain.client_database;
        let stands = match self.last.hash {
            Some(hash) => database.block_hash(self.last.number).await? == Some(hash),
            None => false,
        };
        if !stands {
            self.reset(head).await?;
            return Ok(true);
        }
        if self.last.number >= head {
            return Ok(false);
        }
        let Some(block) = streams.block(self.last.number + 1).await? else { return Ok(false) };
        if Some(block.event.parent_hash) != self.last.hash {
            self.reset(head).await?;
            return Ok(true);
        }
        self.last = StreamCursor { number: block.event.number, hash: Some(block.event.hash) };
        if self.request.blocks {
            let BlockEvent { number, hash, .. } = &block.event;
            let event = Event::default().event("block").id(format!("{number}-{hash}"));
            self.queue.push_back(event.data(to_text(&block.event)));
        }
        self.take_transactions(&block.transactions).await?;
        Ok(true)
    }

    /// The chain that the client was reported of is not the one there is: goes on after what L1
    /// holds.
    async fn reset(&mut self, head: u64) -> Result<(), StreamEnd> {
        let context = Arc::clone(&self.streams.context);
        let number = context.settlement.read().await.safe().min(head).min(self.last.number);
        self.last =
            StreamCursor { number, hash: context.chain.client_database.block_hash(number).await? };
        if self.request.blocks {
            let reason = json!({ "nextBlock": number + 1, "reason": "blocks were taken back" });
            self.queue.push_back(Event::default().event("reset").data(reason.to_string()));
        }
        let all = self.followed.keys().copied().collect();
        self.report_statuses(all).await
    }

    async fn take_slice(&mut self, news: &SliceNotification) -> Result<(), StreamEnd> {
        self.take_transactions(&news.transactions).await?;
        let refused = news.refused.iter().filter(|hash| self.followed.contains_key(*hash));
        let refused = refused.copied().collect();
        self.report_statuses(refused).await
    }

    /// Transactions have come further: those that the client follows, or whose sender it does.
    async fn take_transactions(
        &mut self,
        transactions: &[(B256, Address)],
    ) -> Result<(), StreamEnd> {
        if self.followed.is_empty() && self.request.senders.is_empty() {
            return Ok(());
        }
        let is_followed = |(hash, sender): &&(B256, Address)| {
            self.followed.contains_key(hash) || self.request.senders.contains(sender)
        };
        let moved: Vec<_> =
            transactions.iter().filter(is_followed).map(|(hash, _)| *hash).collect();
        for hash in &moved {
            self.followed.entry(*hash).or_default();
        }
        if self.followed.len() > FOLLOWED_MAX {
            return Err(StreamEnd::TooMany);
        }
        self.report_statuses(moved).await
    }

    async fn take_settlement(&mut self) -> Result<(), StreamEnd> {
        let context = Arc::clone(&self.streams.context);
        let events = {
            let settlement = context.settlement.read().await;
            self.reported.catch_up(&settlement)
        };
        if self.request.settlement {
            for event in &events {
                self.queue.push_back(Event::default().event("settlement").data(to_text(event)));
            }
        }
        let in_blocks = |state: &Option<TransactionState>| {
            matches!(
                state,
                Some(
                    TransactionState::Sealed | TransactionState::Safe | TransactionState::Proposed
                )
            )
        };
        let settled = self.followed.iter().filter(|(_, state)| in_blocks(state));
        let settled = settled.map(|(hash, _)| *hash).collect();
        self.report_statuses(settled).await
    }

    /// Queues the statuses that are at another stage than the client was reported.
    async fn report_statuses(&mut self, hashes: Vec<B256>) -> Result<(), StreamEnd> {
        if hashes.is_empty() {
            return Ok(());
        }
        let context = Arc::clone(&self.streams.context);
        let mut statuses = StatusReader::new(&context);
        for hash in hashes {
            let Some(status) = statuses.of(hash).await? else { continue };
            let reported = self.followed.insert(hash, Some(status.state)).flatten();
            if reported != Some(status.state) {
                self.queue.push_back(Event::default().event("transaction").data(to_text(&status)));
            }
            if status.state == TransactionState::Final {
                self.followed.remove(&hash);
            }
        }
        Ok(())
    }
}

fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: an event is JSON")
}

/// What was reported to a client of L1.
#[derive(Debug, Default)]
struct ReportedSettlement {
    entries: usize,
    outputs: Vec<OutputStatus>,
}

impl ReportedSettlement {
    fn of(settlement: &Settlement) -> Self {
        let outputs = settlement.outputs.iter().map(|output| output.status).collect();
        Self { entries: settlement.posted.len(), outputs }
    }

    /// What is new, in order; it is reported then.
    fn catch_up(&mut self, settlement: &Settlement) -> Vec<SettlementEvent> {
        let mut events = Vec::new();
        if settlement.posted.len() < self.entries {
            let next_entry = settlement.posted.len() as u64 + 1;
            events.push(SettlementEvent::Dropped { next_entry });
        }
        for range in settlement.posted.iter().skip(self.entries) {
            events.push(SettlementEvent::Safe {
                entry: range.entry.index,
                first_block: range.first_block,
                last_block: range.last_block,
                l1_transaction: range.l1_transaction,
                l1_block: range.entry.l1_block_number,
                l1_time: range.entry.l1_time,
            });
        }
        for (at, output) in settlement.outputs.iter().enumerate() {
            if self.outputs.get(at) != Some(&output.status) {
                events.push(SettlementEvent::Output {
                    index: output.index,
                    state: name_of(output.status),
                    block: output.l2_block,
                    l1_transaction: output.l1_transaction,
                    proposed_at: output.proposed_at,
                });
            }
        }
        *self = Self::of(settlement);
        events
    }
}

const fn name_of(status: OutputStatus) -> &'static str {
    match status {
        OutputStatus::Proposed => "proposed",
        OutputStatus::Challenged => "challenged",
        OutputStatus::Final => "final",
        OutputStatus::Rejected => "rejected",
        OutputStatus::Void => "void",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
    const SENDER: &str = "0x2222222222222222222222222222222222222222";

    fn request(raw: &str) -> RestResult<StreamRequest> {
        StreamRequest::parse(Some(raw), &HeaderMap::new())
    }

    #[test]
    fn default_request_asks_for_all_events() {
        let all = request("").expect("well formed");
        assert!(all.blocks && all.settlement && all.hashes.is_empty() && all.after.is_none());
        let some = request(&format!("hash={HASH}%2C{HASH}&sender={SENDER}")).expect("well formed");
        assert_eq!((some.hashes.len(), some.senders.len()), (2, 1));
        let chosen = request("events=settlement&after=12").expect("well formed");
        assert!(!chosen.blocks && chosen.settlement);
        assert_eq!(chosen.after, Some(StreamCursor { number: 12, hash: None }));
        let id =
            request(&format!("after=12-{HASH}")).expect("well formed").after.expect("is given");
        assert_eq!((id.number, id.hash.map(|hash| hash.to_string())), (12, Some(HASH.into())));
    }

    #[test]
    fn cursor_must_be_a_block_number() {
        let (most, over) = (i64::MAX.unsigned_abs(), i64::MIN.unsigned_abs());
        assert!(request(&format!("after={most}")).is_ok());
        for after in [format!("{over}"), format!("{over}-{HASH}"), "+1".into(), "-1".into()] {
            assert!(request(&format!("after={after}")).is_err(), "{after}");
        }
    }

    #[test]
    fn last_event_id_precedes_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert("last-event-id", "7".parse().expect("a value"));
        let request = StreamRequest::parse(Some("after=5"), &headers).expect("well formed");
        assert_eq!(request.after.map(|cursor| cursor.number), Some(7));
    }

    #[test]
    fn malformed_requests_are_rejected() {
        let many = vec![SENDER; NAMES_MAX + 1].join(",");
        for raw in [
            "events=blocks",
            "events=",
            "events=transaction",
            &format!("events=block&hash={HASH}"),
            "hash=0x11",
            "sender=",
            "after=x",
            "after=1-0x11",
            &format!("sender={many}"),
        ] {
            assert!(request(raw).is_err(), "{raw}");
        }
    }
}
