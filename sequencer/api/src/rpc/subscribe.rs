//! `eth_subscribe`: notifications over a WebSocket.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::select;

use super::{
    error::{RpcError, RpcResult},
    installed_filters::new_id,
    log_filter::LogFilter,
    method::methods,
    params::Params,
    pending::PendingDetail,
    request::Request,
};
use crate::context::ApiContext;
use turnpike_sequencer::notifications::{
    EventCursor, HeadEvent, LogNotification, MissedEvents, PendingTx,
};

/// Subscriptions of one connection, at most.
const SUBSCRIPTIONS_MAX: usize = 128;

const SUBSCRIBE: &str = "eth_subscribe";
const UNSUBSCRIBE: &str = "eth_unsubscribe";

methods! {
    "eth_subscribe", 10, "WebSocket only: `newHeads`, `logs`, `newPendingTransactions` (`true` for whole transactions), `syncing`" => |s, p| Err(RpcError::notifications_unsupported());
    "eth_unsubscribe", 1, "WebSocket only" => |s, p| Err(RpcError::notifications_unsupported());
}

/// The ids of a connection's open subscriptions.
#[derive(Debug, Default)]
pub(super) struct SocketConnection(Mutex<HashSet<String>>);

impl SocketConnection {
    fn ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame of a connection that is being answered.
#[derive(Debug)]
pub(super) struct SocketFrame {
    connection: Arc<SocketConnection>,
    /// Subscriptions that the frame opened. They send no notification before the response.
    opened: Mutex<Vec<Subscription>>,
}

impl SocketFrame {
    pub(super) fn new(connection: Arc<SocketConnection>) -> Self {
        Self { connection, opened: Mutex::default() }
    }

    /// The subscriptions to begin after the response to the frame.
    pub(super) fn into_opened(self) -> Vec<Subscription> {
        self.opened.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers `eth_subscribe` and `eth_unsubscribe`; `None` for other methods.
    pub(super) async fn answer(
        &self,
        context: &Arc<ApiContext>,
        request: &Request<'_>,
    ) -> Option<RpcResult> {
        match request.method.as_ref() {
            SUBSCRIBE => Some(self.subscribe(context, request).await),
            UNSUBSCRIBE => Some(self.unsubscribe(request)),
            _ => None,
        }
    }

    async fn subscribe(&self, context: &Arc<ApiContext>, request: &Request<'_>) -> RpcResult {
        if request.id.is_none() {
            return Err(RpcError::invalid_request("a subscription needs an id"));
        }
        let id = new_id();
        {
            let mut ids = self.connection.ids();
            if ids.len() >= SUBSCRIPTIONS_MAX {
                let message = format!("too many subscriptions: limit {SUBSCRIPTIONS_MAX}");
                return Err(RpcError::limit_exceeded(message));
            }
            ids.insert(id.clone());
        }
        let source = match request.params() {
            Ok(params) => SubscriptionSource::open(context, params).await,
            Err(error) => Err(error),
        };
        match source {
            Ok(source) => {
                let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.push(Subscription { id: id.clone(), source });
                Ok(json!(id))
            }
            Err(error) => {
                self.connection.ids().remove(&id);
                Err(error)
            }
        }
    }

    fn unsubscribe(&self, request: &Request<'_>) -> RpcResult {
        let id = request.params()?.next::<String>()?;
        if self.connection.ids().remove(&id) {
            Ok(true.into())
        } else {
            Err(RpcError::server("subscription not found"))
        }
    }
}

/// A client's subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    id: String,
    source: SubscriptionSource,
}

#[derive(Debug)]
enum SubscriptionSource {
    Heads(EventCursor<HeadEvent>),
    Logs(Box<LogFilter>, EventCursor<HeadEvent>),
    Pending(EventCursor<Vec<PendingTx>>, PendingDetail),
    /// `syncing`. It never notifies, because the node never syncs.
    Syncing,
}

impl SubscriptionSource {
    async fn open(context: &Arc<ApiContext>, mut params: Params) -> Result<Self, RpcError> {
        let kind = params.next::<String>()?;
        Ok(match kind.as_str() {
            "newHeads" => Self::Heads(context.notifications.heads(&context.chain).await?),
            "logs" => {
                let filter = match params.optional::<LogFilter>()? {
                    Some(filter) => filter,
                    None => LogFilter::all(),
                };
                filter.check_new()?;
                Self::Logs(Box::new(filter), context.notifications.heads(&context.chain).await?)
            }
            "newPendingTransactions" => {
                let detail = PendingDetail::parse(&mut params)?;
                Self::Pending(context.notifications.pending(), detail)
            }
            "syncing" => Self::Syncing,
            _ => return Err(RpcError::unknown_subscription(&kind)),
        })
    }
}

impl Subscription {
    /// Appends at most `count_max` notifications.
    fn take(&mut self, count_max: usize, texts: &mut Vec<String>) -> Result<(), MissedEvents> {
        let id = &self.id;
        match &mut self.source {
            SubscriptionSource::Heads(reader) => {
                let blocks = reader.blocks(count_max)?;
                texts.extend(blocks.iter().map(|block| notification(id, &block.head)));
                Ok(())
            }
            SubscriptionSource::Logs(filter, reader) => {
                let is_asked_for = |log: &LogNotification| filter.matches_new(&log.log);
                reader.logs(count_max, is_asked_for, |log, is_removed| {
                    texts.push(notification(id, &log.text(is_removed)));
                })
            }
            SubscriptionSource::Pending(reader, detail) => {
                let told = reader.transactions(count_max, |tx| {
                    texts.extend(detail.of(tx).map(|tx: Value| notification(id, &tx.to_string())));
                });
                Ok(told?)
            }
            SubscriptionSource::Syncing => Ok(()),
        }
    }

    const fn heads(&self) -> Option<&EventCursor<HeadEvent>> {
        match &self.source {
            SubscriptionSource::Heads(reader) | SubscriptionSource::Logs(_, reader) => Some(reader),
            SubscriptionSource::Pending(..) | SubscriptionSource::Syncing => None,
        }
    }

    const fn pending(&self) -> Option<&EventCursor<Vec<PendingTx>>> {
        match &self.source {
            SubscriptionSource::Pending(reader, _) => Some(reader),
            SubscriptionSource::Heads(_)
            | SubscriptionSource::Logs(..)
            | SubscriptionSource::Syncing => None,
        }
    }
}

/// The notification with a result.
fn notification(id: &str, result: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{id}","result":{result}}}}}"#
    )
}

/// The subscriptions of a connection that have begun.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    /// Begins these subscriptions.
    pub(super) fn begin(&mut self, opened: Vec<Subscription>) {
        self.0.extend(opened);
    }

    /// Waits until there may be a notification.
    pub(super) async fn ready(&self) {
        let heads = self.0.iter().filter_map(Subscription::heads);
        let pending = self.0.iter().filter_map(Subscription::pending);
        select! {
            () = wait(heads) => {}
            () = wait(pending) => {}
        }
    }

    /// Notifications of all subscriptions, in order per subscription, at most `count_max` of each.
    pub(super) fn take(
        &mut self,
        connection: &SocketConnection,
        count_max: usize,
    ) -> Result<Vec<String>, MissedEvents> {
        let mut texts = Vec::new();
        let ids = connection.ids();
        self.0.retain(|subscription| ids.contains(&subscription.id));
        drop(ids);
        for subscription in &mut self.0 {
            subscription.take(count_max, &mut texts)?;
        }
        Ok(texts)
    }
}

/// Waits until one of these cursors, which read the same log, has a new event.
async fn wait<'a, T: 'a>(readers: impl Iterator<Item = &'a EventCursor<T>>) {
    match readers.min_by_key(|reader| reader.position()) {
        Some(furthest_back) => furthest_back.ready().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;
    use turnpike_sequencer::{Accepted, notifications::Notifications};

    /// Commits that the log keeps for a client that does not read.
    const KEPT: u64 = 65_536;

    fn accept(notifications: &Notifications, n: u64) {
        let hash = B256::with_last_byte(u8::try_from(n % 256).expect("a byte"));
        let accepted = Accepted { hash, is_new: true, preconfirmation: None };
        notifications.accepted([Ok(accepted)].iter(), |_| None);
    }

    fn subscribed(notifications: &Notifications) -> (SocketConnection, Subscriptions) {
        let source = SubscriptionSource::Pending(notifications.pending(), PendingDetail::Hash);
        let subscription = Subscription { id: "0x1".into(), source };
        let connection = SocketConnection(Mutex::new(HashSet::from([subscription.id.clone()])));
        let mut subscriptions = Subscriptions::default();
        subscriptions.begin(vec![subscription]);
        (connection, subscriptions)
    }

    #[test]
    fn subscription_notifies_in_steps_until_it_ends() {
        let notifications = Notifications::default();
        let (connection, mut subscriptions) = subscribed(&notifications);
        (0..3).for_each(|n| accept(&notifications, n));
        let mut told = Vec::new();
        for count in [2, 1, 0] {
            let texts = subscriptions.take(&connection, 2).expect("in time");
            assert_eq!(texts.len(), count);
            told.extend(texts);
        }
        let expected = r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":"0x0000000000000000000000000000000000000000000000000000000000000002"}}"#;
        assert_eq!(told[2], expected);
        connection.ids().clear();
        accept(&notifications, 4);
        assert_eq!(subscriptions.take(&connection, 2), Ok(Vec::new()));
    }

    #[test]
    fn slow_client_is_dropped() {
        let notifications = Notifications::default();
        let (connection, mut subscriptions) = subscribed(&notifications);
        (0..KEPT).for_each(|n| accept(&notifications, n));
        assert_eq!(subscriptions.take(&connection, 1).expect("in time").len(), 1);
        accept(&notifications, 0);
        assert_eq!(subscriptions.take(&connection, 1).expect("just in time").len(), 1);
        (0..2).for_each(|n| accept(&notifications, n));
        assert!(matches!(subscriptions.take(&connection, 1), Err(MissedEvents::Lagged(_))));
    }
}
