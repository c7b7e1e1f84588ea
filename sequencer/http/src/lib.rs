//! The HTTP server below the API: it accepts connections, bounds what clients may use, and hands
//! requests to a router.
//!
//! ```text
//! accept ─► connection table ─► timed stream: head, idle, write timeouts ─► request body: progress, memory ─► router
//!               └─ full ─► refusal, close
//! ```
//!
//! Input: a listener, an [`axum::Router`], [`HttpLimits`] and a function that renders a
//! [`ServerRefusal`]. Each request that reaches the router carries its sender's [`Allowance`] as an
//! extension. The crate knows no chain and no API.

mod client;
mod connections;
mod jwt;
mod limits;
mod listener;
mod metrics;
mod progress;
mod quota;
mod rate;
mod refusal;
mod request;
mod timed_stream;

pub use self::{
    jwt::{JwtSecret, TokenError},
    limits::{HttpLimits, Timeouts},
    listener::{bind, serve},
    quota::{ClientQuota, QuotaPermit},
    rate::{Allowance, RateExceeded},
    refusal::{RenderRefusal, ServerRefusal},
};
