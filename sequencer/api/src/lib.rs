//! The sequencer's API: one listener with JSON-RPC at `/`, over HTTP and WebSocket, REST below
//! `/v1`, described at `/docs`, the journal
//! feed, and health at `/healthz` and `/readyz`. Administrators have a port of their own.
//!
//! ```text
//! turnpike-http ─► server: router ─┬─► rpc: JSON-RPC, filters, subscriptions ─┐
//!                                  ├─► rest, stream, feed                     ├─► context: the node's handles
//!                                  └─► health, admin                          ┘
//! ```
//!
//! [`run_sequencer`] composes a [`turnpike_sequencer::Sequencer`] and these servers. The core knows
//! nothing of this crate.

mod admin;
mod context;
mod costs;
#[cfg(test)]
#[path = "../../src/documented_table.rs"]
mod documented_table;
mod feed;
mod health;
mod l1_queries;
mod message_passer;
mod openapi;
mod problem;
mod rest;
mod rpc;
mod schema;
mod server;
mod service;
mod state;
mod stream;
mod turn;
mod wait;

pub use self::{
    admin::{AdminConfig, LogControl},
    feed::CHAIN_HEADER,
    service::{ApiConfig, ApiListeners, run_sequencer, run_sequencer_with_hook},
};
