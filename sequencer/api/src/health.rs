//! `/healthz`: whether the process can do its work at all, and has to be started again if not. `/readyz`: whether it should be sent
//! any now.

use std::{sync::Arc, time::Instant};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::context::ApiContext;

/// Seconds after which L1 was not seen recently.
const L1_SILENCE_SECONDS_MAX: u64 = 60;

/// What health is told from.
#[derive(Clone, Debug)]
struct Patient {
    shared: Arc<ApiContext>,
    stop: CancellationToken,
}

/// Whether all is well, and if not, why.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    reasons: Vec<Reason>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
struct Reason {
    code: &'static str,
    detail: String,
}

/// The paths that tell of health.
pub(super) fn routes<S>(shared: Arc<ApiContext>, stop: CancellationToken) -> Router<S> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Patient { shared, stop })
}

/// `GET /healthz`.
async fn healthz(State(patient): State<Patient>) -> (StatusCode, Json<Report>) {
    answer(patient.ailments())
}

/// `GET /readyz`.
async fn readyz(State(patient): State<Patient>) -> (StatusCode, Json<Report>) {
    let mut reasons = patient.ailments();
    reasons.extend(patient.hindrances().await);
    answer(reasons)
}

fn answer(reasons: Vec<Reason>) -> (StatusCode, Json<Report>) {
    let ok = reasons.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Report { ok, reasons }))
}

impl Patient {
    /// What only a restart may cure.
    fn ailments(&self) -> Vec<Reason> {
        let failed = self.shared.failure.reason();
        failed
            .map(|detail| Reason { code: "journal-failed", detail: detail.to_owned() })
            .into_iter()
            .collect()
    }

    /// Why nothing should be sent now.
    async fn hindrances(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.stop.is_cancelled() {
            let detail = "the node is stopping".to_owned();
            reasons.push(Reason { code: "stopping", detail });
        }
        if self.shared.control.is_draining() {
            let detail = "no transactions are taken: the node was told to drain".to_owned();
            reasons.push(Reason { code: "draining", detail });
        }
        let settlement = self.shared.settlement.read().await;
        let why = settlement.l1_error.as_deref().unwrap_or("no answer");
        reasons.extend(l1_silence(settlement.l1_seen_at, Instant::now(), why));
        reasons
    }
}

/// L1 was not seen for too long.
fn l1_silence(seen_at: Option<Instant>, now: Instant, why: &str) -> Option<Reason> {
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
    Some(Reason { code: "l1-silent", detail })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn l1_has_to_be_seen_and_recently() {
        let seen = Instant::now();
        let after =
            |seconds| l1_silence(Some(seen), seen + Duration::from_secs(seconds), "refused");
        assert!(after(60).is_none());
        let reason = after(61).expect("too long");
        assert_eq!(reason.code, "l1-silent");
        assert_eq!(reason.detail, "L1 was seen 61 s ago, limit 60 s: refused");
        assert!(l1_silence(None, seen, "no answer").is_some());
    }

    #[test]
    fn whoever_is_not_well_says_why() {
        let (status, Json(report)) = answer(vec![]);
        assert_eq!((status, report.ok), (StatusCode::OK, true));
        let reason = Reason { code: "draining", detail: "told to".to_owned() };
        let (status, report) = answer(vec![reason]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            serde_json::to_string(&report.0).expect("is JSON"),
            r#"{"ok":false,"reasons":[{"code":"draining","detail":"told to"}]}"#
        );
    }
}
