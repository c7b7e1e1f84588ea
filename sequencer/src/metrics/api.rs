use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// What the listener tells about itself.
#[derive(Clone)]
pub(crate) struct ApiMetrics {
    /// `api_connections`: open connections, WebSockets included.
    pub(crate) connections: Gauge,
    /// `api_refused_connections_total{reason="full"}`: those that found no room.
    pub(crate) refused_full: Counter,
    /// `api_refused_connections_total{reason="client"}`: those of clients that have as many as they may have.
    pub(crate) refused_client: Counter,
    /// `api_dropped_connections_total{reason="evicted"}`: those that waited and made room for others.
    pub(crate) evicted: Counter,
    /// `api_dropped_connections_total{reason="head"}`: those that took too long over a request's head.
    pub(crate) slow_head: Counter,
    /// `api_dropped_connections_total{reason="idle"}`: those that had no request for too long.
    pub(crate) idle: Counter,
    /// `api_dropped_connections_total{reason="body"}`: those that took too long over a request's body.
    pub(crate) slow_body: Counter,
    /// `api_dropped_connections_total{reason="write"}`: those that read their answers too slowly.
    pub(crate) slow_reader: Counter,
    /// `api_rate_limited_total`: requests of clients that had spent what they may.
    pub(crate) rate_limited: Counter,
}

impl std::fmt::Debug for ApiMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiMetrics")
    }
}

impl ApiMetrics {
    /// Registers all of them with the process's recorder, if it has one.
    pub(crate) fn new() -> Self {
        describe_gauge!("turnpike_sequencer_api_connections", "Open connections");
        describe_counter!(
            "turnpike_sequencer_api_refused_connections_total",
            "Connections that were not taken in, by reason"
        );
        describe_counter!(
            "turnpike_sequencer_api_dropped_connections_total",
            "Connections that the node ended, by reason"
        );
        describe_counter!(
            "turnpike_sequencer_api_rate_limited_total",
            "Requests of clients that had spent what they may"
        );
        let refused = |reason| counter!("turnpike_sequencer_api_refused_connections_total", "reason" => reason);
        let dropped = |reason| counter!("turnpike_sequencer_api_dropped_connections_total", "reason" => reason);
        Self {
            connections: gauge!("turnpike_sequencer_api_connections"),
            refused_full: refused("full"),
            refused_client: refused("client"),
            evicted: dropped("evicted"),
            slow_head: dropped("head"),
            idle: dropped("idle"),
            slow_body: dropped("body"),
            slow_reader: dropped("write"),
            rate_limited: counter!("turnpike_sequencer_api_rate_limited_total"),
        }
    }
}
