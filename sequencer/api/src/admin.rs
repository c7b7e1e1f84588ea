//! The administrators' port: JSON-RPC with a bearer token, and health without one.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_executor::Mode;
use turnpike_http::{HttpLimits, JwtSecret};

use super::{
    health,
    problem::{Code, Problem, render_refusal},
    rest,
};
use crate::context::ApiContext;
use turnpike_sequencer::ProducerStopped;

/// Longest request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 64;

/// Seconds that `admin_drain` waits by default.
const DRAIN_SECONDS_DEFAULT: u64 = 30;

/// Seconds that it may wait at most.
const DRAIN_SECONDS_MAX: u64 = 600;

/// The node cannot do this now.
const SERVER_ERROR: i64 = -32_000;
const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const UNKNOWN_METHOD: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

/// Configuration of the administrators' port.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Address of the port.
    pub listen: SocketAddr,
    /// The secret that signs administrators' tokens.
    pub secret: JwtSecret,
    /// Changes the log filter.
    pub log: LogControl,
}

/// Changes the log filter: takes a level or filter directives, and returns why they are invalid.
#[derive(Clone)]
pub struct LogControl(Arc<SetLog>);

/// The function behind [`LogControl`].
type SetLog = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl LogControl {
    /// A control that calls `set`.
    pub fn new(set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogControl")
    }
}

#[derive(Clone, Debug)]
struct AdminState {
    context: Arc<ApiContext>,
    secret: JwtSecret,
    log: LogControl,
}

#[derive(Debug, Deserialize)]
struct AdminRequest {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Vec<Value>,
}

/// A failed request: JSON-RPC error code and message.
#[derive(Debug)]
struct AdminError(i64, String);

type AdminResult = Result<Value, AdminError>;

impl From<ProducerStopped> for AdminError {
    fn from(stopping: ProducerStopped) -> Self {
        Self(SERVER_ERROR, stopping.to_string())
    }
}

/// Serves the administrators' port until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    context: Arc<ApiContext>,
    config: AdminConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let AdminConfig { secret, log, .. } = config;
    let health = health::routes(Arc::clone(&context), stop.clone());
    let router = Router::new()
        .route("/", post(handle))
        .merge(health)
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(AdminState { context, secret, log });
    let limits = HttpLimits { connections_max: Some(CONNECTIONS_MAX), ..HttpLimits::default() };
    turnpike_http::serve(listener, router, render_refusal, &limits, stop).await
}

/// `POST /`.
async fn handle(State(admin): State<AdminState>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(problem) = admin.authenticate(&headers) {
        let mut response = problem.into_response();
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        return response;
    }
    let (id, answer) = match parse(&body) {
        Ok(request) => (request.id.clone(), admin.answer(&request).await),
        Err(failure) => (Value::Null, Err(failure)),
    };
    Json(match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(AdminError(code, message)) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    })
    .into_response()
}

fn parse(body: &[u8]) -> Result<AdminRequest, AdminError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| AdminError(PARSE_ERROR, format!("parse error: {error}")))?;
    serde_json::from_value(value).map_err(|error| AdminError(INVALID_REQUEST, error.to_string()))
}

impl AdminState {
    fn authenticate(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let refuse = |why: String| Problem::new(Code::Unauthorized, why);
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| refuse("a bearer token is expected".to_owned()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        self.secret.check(token, now).map_err(|error| {
            warn!(%error, "administrator token rejected");
            refuse(error.to_string())
        })
    }

    async fn answer(&self, request: &AdminRequest) -> AdminResult {
        let AdminRequest { method, params, .. } = request;
        if method != "admin_status" {
            info!(%method, "administrator request");
        }
        match (method.as_str(), params.as_slice()) {
            ("admin_status", []) => Ok(self.status().await),
            ("admin_pause", []) => {
                self.context.control.pause().await?;
                Ok(self.status().await)
            }
            ("admin_resume", []) => {
                self.context.control.resume().await?;
                Ok(self.status().await)
            }
            ("admin_drain", []) => self.drain(DRAIN_SECONDS_DEFAULT).await,
            ("admin_drain", [seconds]) => match seconds.as_u64() {
                Some(seconds) if seconds <= DRAIN_SECONDS_MAX => self.drain(seconds).await,
                _ => Err(invalid(format!("0 to {DRAIN_SECONDS_MAX} seconds are expected"))),
            },
            ("admin_executionMode", [mode]) => self.set_mode(mode).await,
            ("admin_logLevel", [level]) => self.set_log_level(level),
            (
                "admin_status"
                | "admin_pause"
                | "admin_resume"
                | "admin_drain"
                | "admin_executionMode"
                | "admin_logLevel",
                _,
            ) => Err(invalid(format!("{} parameters are not what {method} takes", params.len()))),
            _ => {
                let message = format!("the method {method} does not exist/is not available");
                Err(AdminError(UNKNOWN_METHOD, message))
            }
        }
    }

    /// Refuses new transactions and waits until all that can run are in blocks.
    async fn drain(&self, seconds: u64) -> AdminResult {
        if self.context.control.is_paused() {
            let message = "block production is paused: nothing can be finished".to_owned();
            return Err(AdminError(SERVER_ERROR, message));
        }
        self.context.control.begin_drain().await;
        let drained = timeout(Duration::from_secs(seconds), self.context.control.drained()).await;
        let is_drained = drained.is_ok();
        drained.unwrap_or(Ok(()))?;
        let mut status = self.status().await;
        status["drained"] = is_drained.into();
        Ok(status)
    }

    /// Sets the execution mode from the next block on.
    async fn set_mode(&self, mode: &Value) -> AdminResult {
        let mode = match mode.as_str() {
            Some("sequential") => Mode::Sequential,
            Some("shadow") => Mode::Shadow,
            Some("parallel") => Mode::Parallel,
            _ => return Err(invalid("sequential, shadow or parallel is expected".to_owned())),
        };
        self.context.chain.read().await.engine().set_mode(mode);
        Ok(self.status().await)
    }

    fn set_log_level(&self, level: &Value) -> AdminResult {
        let level = level.as_str().ok_or_else(|| invalid("a level is expected".to_owned()))?;
        (self.log.0)(level).map_err(invalid)?;
        Ok(true.into())
    }

    async fn status(&self) -> Value {
        let context = &self.context;
        let mode = context.chain.read().await.engine().mode();
        let (waiting, runnable) = {
            let pool = context.transactions.pool();
            (pool.len(), pool.has_runnable())
        };
        json!({
            "paused": context.control.is_paused(),
            "draining": context.control.is_draining(),
            "executionMode": mode,
            "head": *context.chain.head.borrow(),
            "pool": { "transactions": waiting, "hasRunnable": runnable },
        })
    }
}

const fn invalid(message: String) -> AdminError {
    AdminError(INVALID_PARAMS, message)
}
