//! `GET /v1/stream`: what happens, as server-sent events.
//!
//! ```text
//! slices (bounded queue) ─┐
//! head ───────────────────┼─► client: blocks in order, lives that changed, what L1 holds now ─► events
//! settlement ─────────────┘
//! ```
//!
//! A client is served at its own pace: blocks are read from the index, where its place cannot get lost, and of lives only the newest
//! state counts. Only what slices tell of waits for it, and one that falls behind with that is told so and dropped. Blocks have ids, from
//! which a client goes on that comes back.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{Address, B256, keccak256};
use axum::{
    extract::{Extension, RawQuery, State},
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
    openapi::{Full, Hash, Malformed},
    problem::{Code, Problem},
    rest::{Answer, LifeState, Lives, Query, malformed, parse_address, parse_hash, parse_number},
    server::ApiState,
};
use crate::context::ApiContext;
use turnpike_sequencer::{
    Settlement,
    notifications::{EventCursor, Lagged, SliceNotification},
};

/// Streams at the same time.
const STREAMS_MAX: usize = 256;

/// Hashes, and senders, that a client may name.
const NAMES_MAX: usize = 100;

/// Transactions that a client follows at the same time: those that it names, and those of senders that are not final.
const FOLLOWED_MAX: usize = 1_000;

/// Newest blocks that are kept for all clients.
const BLOCKS_KEPT: usize = 16;

/// Time between two signs of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const STREAMS_METRIC: &str = "turnpike_sequencer_streams";

/// What clients may ask for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query")]
struct StreamParams {
    /// Which events, separated by commas: `block`, `settlement`, `transaction`. Without it, all; `transaction` only with `hash` or
    /// `sender`.
    events: Option<String>,
    /// Transactions, separated by commas, 100 at most: every stage that they come to is told of, from the one that they are at.
    hash: Option<String>,
    /// Senders, separated by commas, 100 at most: the same of transactions that they send from now on.
    sender: Option<String>,
    /// The id of the last event that was seen, or a block's number: blocks after it come first. The header `Last-Event-ID` goes
    /// before it.
    after: Option<String>,
}

/// A block that has a hash: event `block`.
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
    /// How many transactions it holds, deposits included.
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
    /// L1 has dropped entries: the next one is this.
    Dropped { next_entry: u64 },
    /// An output stands in another way: `proposed`, `challenged`, `final`, `rejected` or `void`.
    Output {
        index: u64,
        state: &'static str,
        /// The last block that it is of.
        block: u64,
        #[schema(value_type = Hash)]
        l1_transaction: B256,
        /// Unix seconds.
        proposed_at: u64,
    },
}

/// What a stream's events hold: of `block` a block, of `settlement` what changed on L1, of `transaction` a life as
/// `/v1/transactions/{hash}` gives it. `reset` tells that blocks were taken back, and which comes next; `end` is the last event, and
/// says why.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the events")]
pub(super) enum StreamEvent {
    Block(BlockEvent),
    Settlement(SettlementEvent),
    #[schema(value_type = Object)]
    Transaction(serde_json::Value),
}

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// What happens, as server-sent events
///
/// Events are `block`, `settlement`, `transaction`, `reset` and `end`. Ids are those of blocks: with `Last-Event-ID` a client goes on
/// after the last block that it has seen. A comment every 15 seconds keeps the connection open.
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
) -> Answer<Response> {
    let wants = Wants::parse(query.as_deref(), &headers)?;
    let client = Client::new(streams, &allowance, wants).await?;
    let events = unfold(client, |mut client| async {
        let event = client.next().await?;
        Some((Ok::<_, Infallible>(event), client))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// A place in the chain that a client has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    number: u64,
    /// None for whoever only knows a number.
    hash: Option<B256>,
}

impl Cursor {
    fn parse(text: &str) -> Answer<Self> {
        let (number, hash) = match text.split_once('-') {
            Some((number, hash)) => (number, parse_hash(hash).ok().map(Some)),
            None => (text, Some(None)),
        };
        let parsed = parse_number(number).zip(hash).map(|(number, hash)| Self { number, hash });
        let detail = format!("{text:?} is no number of a block, and no id of an event");
        parsed.ok_or_else(|| Problem::new(Code::MalformedCursor, detail))
    }
}

/// What a client asks for.
#[derive(Debug, Default)]
struct Wants {
    blocks: bool,
    settlement: bool,
    hashes: Vec<B256>,
    senders: HashSet<Address>,
    after: Option<Cursor>,
}

impl Wants {
    fn parse(raw: Option<&str>, headers: &HeaderMap) -> Answer<Self> {
        let query = Query::parse(raw, &["events", "hash", "sender", "after"])?;
        let hashes = names(&query, "hash", parse_hash)?;
        let senders: HashSet<_> = names(&query, "sender", parse_address)?.into_iter().collect();
        let names_some = !hashes.is_empty() || !senders.is_empty();
        let mut wants = Self { hashes, senders, ..Self::default() };
        let mut wants_transactions = false;
        match query.get("events") {
            None => (wants.blocks, wants.settlement, wants_transactions) = (true, true, names_some),
            Some(events) => {
                for event in events.split(',') {
                    match event {
                        "block" => wants.blocks = true,
                        "settlement" => wants.settlement = true,
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
        wants.after = last.or_else(|| query.get("after")).map(Cursor::parse).transpose()?;
        Ok(wants)
    }
}

/// A list in a query.
fn names<T>(query: &Query, name: &str, parse: impl Fn(&str) -> Answer<T>) -> Answer<Vec<T>> {
    let Some(list) = query.get(name) else { return Ok(Vec::new()) };
    let count = list.split(',').count();
    if count > NAMES_MAX {
        return Err(malformed(format!("{name} has {count} items, limit {NAMES_MAX}")));
    }
    list.split(',').map(parse).collect()
}

/// What all streams share.
#[derive(Debug)]
pub(super) struct Streams {
    shared: Arc<ApiContext>,
    places: Arc<ClientQuota>,
    /// Newest blocks, read once for all clients.
    blocks: Mutex<VecDeque<Arc<BlockNews>>>,
    stop: CancellationToken,
}

/// A block, as far as clients hear of it.
#[derive(Debug)]
struct BlockNews {
    event: BlockEvent,
    /// Its transactions, each with its sender.
    transactions: Vec<(B256, Address)>,
}

impl Streams {
    pub(super) fn new(shared: Arc<ApiContext>, stop: CancellationToken) -> Self {
        let places = ClientQuota::new(STREAMS_MAX);
        Self { shared, places, blocks: Mutex::default(), stop }
    }

    /// The block of this number; `None` if there is none at the moment.
    async fn block(&self, number: u64) -> Answer<Option<Arc<BlockNews>>> {
        // Whoever comes while it is read waits for it.
        let mut kept = self.blocks.lock().await;
        let Some(hash) = self.shared.chain.client_database.block_hash(number).await? else {
            return Ok(None);
        };
        if let Some(found) = kept.iter().find(|block| block.event.hash == hash) {
            return Ok(Some(Arc::clone(found)));
        }
        let Some(record) = self.shared.chain.client_database.block(number).await? else {
            return Ok(None);
        };
        let receipts = &record.receipts;
        let transaction = |receipt: &turnpike_storage::ReceiptRecord| {
            (keccak256(&receipt.transaction), receipt.sender)
        };
        let block = Arc::new(BlockNews {
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

/// Why a stream ends before its client leaves.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("this client is too slow: {0}; come again with the last id")]
    Slow(#[from] Lagged),
    #[error("more than {FOLLOWED_MAX} transactions of these senders are under way")]
    TooMany,
    #[error("the node stops")]
    Stopping,
    #[error("the node failed to read its database")]
    Failed,
}

impl From<Problem> for End {
    fn from(_: Problem) -> Self {
        Self::Failed
    }
}

impl From<turnpike_storage::StorageError> for End {
    fn from(error: turnpike_storage::StorageError) -> Self {
        Problem::from(error).into()
    }
}

/// What has woken a client.
enum Woken {
    Head,
    Settlement,
    Slice(Arc<SliceNotification>),
}

/// Somebody who follows what happens.
struct Client {
    streams: Arc<Streams>,
    wants: Wants,
    head: watch::Receiver<u64>,
    settlement: watch::Receiver<u64>,
    slices: EventCursor<SliceNotification>,
    /// The last block that it was told of.
    last: Cursor,
    /// What it was told of L1.
    told: Told,
    /// What it follows, each with the state that it was told last.
    followed: HashMap<B256, Option<LifeState>>,
    queue: VecDeque<Event>,
    is_over: bool,
    _permit: QuotaPermit,
}

impl Drop for Client {
    fn drop(&mut self) {
        gauge!(STREAMS_METRIC).decrement(1);
    }
}

impl Client {
    async fn new(streams: Arc<Streams>, allowance: &Allowance, wants: Wants) -> Answer<Self> {
        let permit = streams.places.take(allowance).ok_or_else(|| {
            let detail = "as many streams are open as may be, or as many of one address";
            Problem::new(Code::StreamsFull, detail)
        })?;
        let shared = &streams.shared;
        // From here on nothing is missed.
        let (mut head, mut settlement) = (shared.chain.head.clone(), shared.settlement.changed());
        let slices = shared.notifications.slices();
        settlement.mark_unchanged();
        let told = Told::of(&*shared.settlement.read().await);
        let newest = Cursor { number: *head.borrow_and_update(), hash: None };
        let mut last = wants.after.unwrap_or(newest);
        if last.hash.is_none() {
            last.hash = shared.chain.client_database.block_hash(last.number).await?;
        }
        gauge!(STREAMS_METRIC).increment(1);
        let followed = wants.hashes.iter().map(|hash| (*hash, None)).collect();
        let mut client = Self {
            head,
            settlement,
            slices,
            last,
            told,
            followed,
            queue: VecDeque::new(),
            is_over: false,
            _permit: permit,
            wants,
            streams,
        };
        let hashes = client.wants.hashes.clone();
        if client.tell_lives(hashes).await.is_err() {
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

    /// Waits until something happens, and queues what there is to be told of it.
    async fn gather(&mut self) -> Result<(), End> {
        if self.take_block().await? {
            return Ok(());
        }
        match self.wake().await? {
            // The next look for a block finds it.
            Woken::Head => Ok(()),
            Woken::Settlement => self.take_settlement().await,
            Woken::Slice(news) => self.take_slice(&news).await,
        }
    }

    async fn wake(&mut self) -> Result<Woken, End> {
        tokio::select! {
            biased;
            () = self.streams.stop.cancelled() => Err(End::Stopping),
            changed = self.head.changed() => changed.map(|()| Woken::Head).map_err(|_| End::Stopping),
            changed = self.settlement.changed() => {
                changed.map(|()| Woken::Settlement).map_err(|_| End::Stopping)
            }
            news = self.slices.next() => Ok(Woken::Slice(news?)),
        }
    }

    /// Queues the next block, if there is one.
    async fn take_block(&mut self) -> Result<bool, End> {
        let head = *self.head.borrow_and_update();
        let streams = Arc::clone(&self.streams);
        let database = &streams.shared.chain.client_database;
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
        self.last = Cursor { number: block.event.number, hash: Some(block.event.hash) };
        if self.wants.blocks {
            let BlockEvent { number, hash, .. } = &block.event;
            let event = Event::default().event("block").id(format!("{number}-{hash}"));
            self.queue.push_back(event.data(to_text(&block.event)));
        }
        self.take_transactions(&block.transactions).await?;
        Ok(true)
    }

    /// The chain that the client was told of is not the one there is: goes on after what L1 holds.
    async fn reset(&mut self, head: u64) -> Result<(), End> {
        let shared = Arc::clone(&self.streams.shared);
        let number = shared.settlement.read().await.safe().min(head).min(self.last.number);
        self.last = Cursor { number, hash: shared.chain.client_database.block_hash(number).await? };
        if self.wants.blocks {
            let reason = json!({ "nextBlock": number + 1, "reason": "blocks were taken back" });
            self.queue.push_back(Event::default().event("reset").data(reason.to_string()));
        }
        let all = self.followed.keys().copied().collect();
        self.tell_lives(all).await
    }

    async fn take_slice(&mut self, news: &SliceNotification) -> Result<(), End> {
        self.take_transactions(&news.transactions).await?;
        let refused = news.refused.iter().filter(|hash| self.followed.contains_key(*hash));
        let refused = refused.copied().collect();
        self.tell_lives(refused).await
    }

    /// Transactions have come further: those that the client follows, or whose sender it does.
    async fn take_transactions(&mut self, transactions: &[(B256, Address)]) -> Result<(), End> {
        if self.followed.is_empty() && self.wants.senders.is_empty() {
            return Ok(());
        }
        let is_followed = |(hash, sender): &&(B256, Address)| {
            self.followed.contains_key(hash) || self.wants.senders.contains(sender)
        };
        let moved: Vec<_> =
            transactions.iter().filter(is_followed).map(|(hash, _)| *hash).collect();
        for hash in &moved {
            self.followed.entry(*hash).or_default();
        }
        if self.followed.len() > FOLLOWED_MAX {
            return Err(End::TooMany);
        }
        self.tell_lives(moved).await
    }

    async fn take_settlement(&mut self) -> Result<(), End> {
        let shared = Arc::clone(&self.streams.shared);
        let events = {
            let settlement = shared.settlement.read().await;
            self.told.catch_up(&settlement)
        };
        if self.wants.settlement {
            for event in &events {
                self.queue.push_back(Event::default().event("settlement").data(to_text(event)));
            }
        }
        let in_blocks = |state: &Option<LifeState>| {
            matches!(state, Some(LifeState::Sealed | LifeState::Safe | LifeState::Proposed))
        };
        let settled = self.followed.iter().filter(|(_, state)| in_blocks(state));
        let settled = settled.map(|(hash, _)| *hash).collect();
        self.tell_lives(settled).await
    }

    /// Queues the lives that are at another stage than the client was told.
    async fn tell_lives(&mut self, hashes: Vec<B256>) -> Result<(), End> {
        if hashes.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.streams.shared);
        let mut lives = Lives::new(&shared);
        for hash in hashes {
            let Some(life) = lives.of(hash).await? else { continue };
            let told = self.followed.insert(hash, Some(life.state)).flatten();
            if told != Some(life.state) {
                self.queue.push_back(Event::default().event("transaction").data(to_text(&life)));
            }
            if life.state == LifeState::Final {
                self.followed.remove(&hash);
            }
        }
        Ok(())
    }
}

fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: an event is JSON")
}

/// What a client was told of L1.
#[derive(Debug, Default)]
struct Told {
    entries: usize,
    outputs: Vec<OutputStatus>,
}

impl Told {
    fn of(settlement: &Settlement) -> Self {
        let outputs = settlement.outputs.iter().map(|output| output.status).collect();
        Self { entries: settlement.posted.len(), outputs }
    }

    /// What is new, in order; it is told then.
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

    fn wants(raw: &str) -> Answer<Wants> {
        Wants::parse(Some(raw), &HeaderMap::new())
    }

    #[test]
    fn without_a_choice_everything_is_told_that_was_asked_about() {
        let all = wants("").expect("well formed");
        assert!(all.blocks && all.settlement && all.hashes.is_empty() && all.after.is_none());
        let some = wants(&format!("hash={HASH}%2C{HASH}&sender={SENDER}")).expect("well formed");
        assert_eq!((some.hashes.len(), some.senders.len()), (2, 1));
        let chosen = wants("events=settlement&after=12").expect("well formed");
        assert!(!chosen.blocks && chosen.settlement);
        assert_eq!(chosen.after, Some(Cursor { number: 12, hash: None }));
        let id = wants(&format!("after=12-{HASH}")).expect("well formed").after.expect("is given");
        assert_eq!((id.number, id.hash.map(|hash| hash.to_string())), (12, Some(HASH.into())));
    }

    #[test]
    fn a_number_that_no_block_has_is_no_cursor() {
        let (most, over) = (i64::MAX.unsigned_abs(), i64::MIN.unsigned_abs());
        assert!(wants(&format!("after={most}")).is_ok());
        for after in [format!("{over}"), format!("{over}-{HASH}"), "+1".into(), "-1".into()] {
            assert!(wants(&format!("after={after}")).is_err(), "{after}");
        }
    }

    #[test]
    fn the_header_goes_before_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert("last-event-id", "7".parse().expect("a value"));
        let wants = Wants::parse(Some("after=5"), &headers).expect("well formed");
        assert_eq!(wants.after.map(|cursor| cursor.number), Some(7));
    }

    #[test]
    fn anything_else_is_a_problem() {
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
            assert!(wants(raw).is_err(), "{raw}");
        }
    }
}
