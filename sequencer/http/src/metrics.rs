use metrics::{Counter, Gauge};
use metrics_derive::Metrics;

/// The server's metrics. The names predate the split of the sequencer into crates: dashboards know
/// them.
#[derive(Clone, Metrics)]
#[metrics(scope = "turnpike_sequencer_api")]
pub(crate) struct HttpMetrics {
    /// Open connections, WebSockets included
    pub(crate) connections: Gauge,
    /// Connections that were refused, by reason
    #[metric(rename = "refused_connections_total", labels = [("reason", "full")])]
    pub(crate) refused_full: Counter,
    /// Connections that were refused, by reason
    #[metric(rename = "refused_connections_total", labels = [("reason", "client")])]
    pub(crate) refused_client: Counter,
    /// Connections that the node closed, by reason
    #[metric(rename = "dropped_connections_total", labels = [("reason", "evicted")])]
    pub(crate) evicted: Counter,
    /// Connections that the node closed, by reason
    #[metric(rename = "dropped_connections_total", labels = [("reason", "head")])]
    pub(crate) slow_head: Counter,
    /// Connections that the node closed, by reason
    #[metric(rename = "dropped_connections_total", labels = [("reason", "idle")])]
    pub(crate) idle: Counter,
    /// Connections that the node closed, by reason
    #[metric(rename = "dropped_connections_total", labels = [("reason", "body")])]
    pub(crate) slow_body: Counter,
    /// Connections that the node closed, by reason
    #[metric(rename = "dropped_connections_total", labels = [("reason", "write")])]
    pub(crate) slow_reader: Counter,
    /// Requests that exceeded their client's rate limit
    #[metric(rename = "rate_limited_total")]
    pub(crate) rate_limited: Counter,
}
