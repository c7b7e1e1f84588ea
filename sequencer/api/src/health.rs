//! Health: `/healthz` says whether the process works or needs a restart, `/readyz` whether it
//! should
//! get requests now.

use std::{sync::Arc, time::Instant};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::context::ApiContext;

/// Seconds without an answer of L1 after which the node is not ready.
const L1_SILENCE_SECONDS_MAX: u64 = 60;

/// What health is judged by.
#[derive(Clone, Debug)]
struct HealthState {
    context: Arc<ApiContext>,
    stop: CancellationToken,
}

/// The response: whether all is well, and the reasons if not.
#[derive(Debug, Serialize)]
struct HealthReport {
    ok: bool,
    reasons: Vec<HealthReason>,
}

/// A reason for being unhealthy or not ready.
#[derive(Debug, Serialize)]
struct HealthReason {
    code: &'static str,
    detail: String,
}

/// The health endpoints.
pub(super) fn routes<S>(context: Arc<ApiContext>, stop: CancellationToken) -> Router<S> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(HealthState { context, stop })
}

/// `GET /healthz`.
async fn healthz(State(health): State<HealthState>) -> (StatusCode, Json<HealthReport>) {
    respond(health.failures())
}

/// `GET /readyz`.
async fn readyz(State(health): State<HealthState>) -> (StatusCode, Json<HealthReport>) {
    let mut reasons = health.failures();
    reasons.extend(health.not_ready().await);
    respond(reasons)
}

fn respond(reasons: Vec<HealthReason>) -> (StatusCode, Json<HealthReport>) {
    let ok = reasons.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(HealthReport { ok, reasons }))
}

impl HealthState {
    /// Failures that only a restart can cure.
    fn failures(&self) -> Vec<HealthReason> {
        let failed = self.context.failure.reason();
        failed
            .map(|detail| HealthReason { code: "journal-failed", detail: detail.to_owned() })
            .into_iter()
            .collect()
    }

    /// Reasons to send no requests now.
    async fn not_ready(&self) -> Vec<HealthReason> {
        let mut reasons = Vec::new();
        if self.stop.is_cancelled() {
            let detail = "the node is stopping".to_owned();
            reasons.push(HealthReason { code: "stopping", detail });
        }
        if self.context.control.is_draining() {
            let detail = "no transactions are accepted: the node is draining".to_owned();
            reasons.push(HealthReason { code: "draining", detail });
        }
        let settlement = self.context.settlement.read().await;
        let why = settlement.l1_error.as_deref().unwrap_or("no respond");
        reasons.extend(l1_silence(settlement.l1_seen_at, Instant::now(), why));
        reasons
    }
}

/// A reason if L1 has not answered for too long.
fn l1_silence(seen_at: Option<Instant>, now: Instant, why: &str) -> Option<HealthReason> {
    let detail = match seen_at {
        None => format!("L1 was not seen yet: {why}"),
        Some(seen_at) => {
            let seconds = now.saturating_duration_since(seen_at).as_secs();
            if seconds <= L1_SILENCE_SECONDS_MAX {
                return None;
            }
            format!("L1 was seen {seconds} s ago, limit {L1_SILENCE_SECONDS_MAX} s: {why}")
        }
    };
    Some(HealthReason { code: "l1-silent", detail })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn readiness_needs_a_recent_l1_answer() {
        let seen = Instant::now();
        let after =
            |seconds| l1_silence(Some(seen), seen + Duration::from_secs(seconds), "refused");
        assert!(after(60).is_none());
        let reason = after(61).expect("too long");
        assert_eq!(reason.code, "l1-silent");
        assert_eq!(reason.detail, "L1 was seen 61 s ago, limit 60 s: refused");
        assert!(l1_silence(None, seen, "no respond").is_some());
    }

    #[test]
    fn response_lists_reasons() {
        let (status, Json(report)) = respond(vec![]);
        assert_eq!((status, report.ok), (StatusCode::OK, true));
        let reason = HealthReason { code: "draining", detail: "told to".to_owned() };
        let (status, report) = respond(vec![reason]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            serde_json::to_string(&report.0).expect("is JSON"),
            r#"{"ok":false,"reasons":[{"code":"draining","detail":"told to"}]}"#
        );
    }
}
