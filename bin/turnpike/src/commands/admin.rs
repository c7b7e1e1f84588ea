//! `turnpike admin`: administers a running node.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy::transports::http::reqwest::Client;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use turnpike_http::JwtSecret;

use crate::common::{ExecutionMode, to_json};

/// Arguments of `turnpike admin`.
#[derive(Debug, Args)]
pub(crate) struct AdminArgs {
    /// The node's administration endpoint.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9547",
        env = "TURNPIKE_ADMIN_URL"
    )]
    url: String,
    /// File with the secret that the node was started with.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_ADMIN_SECRET")]
    secret: PathBuf,
    #[command(subcommand)]
    order: AdminOrder,
}

/// An administrator's order. Its effect ends with the node's process.
#[derive(Debug, Subcommand)]
enum AdminOrder {
    /// Print the orders in effect and the pool's size.
    Status,
    /// Stop making blocks. Transactions are still accepted and persisted, and are executed after `resume`.
    Pause,
    /// Make blocks and accept transactions again.
    Resume,
    /// Stop accepting transactions, and wait until all that can be executed are in blocks. `resume` ends it.
    Drain {
        /// Longest time to wait, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        timeout: u64,
    },
    /// Change how blocks are executed, from the next one on.
    ExecutionMode {
        /// The mode.
        mode: ExecutionMode,
    },
    /// Change the log level (error, warn, info, debug, trace, off), or set directives as in `TURNPIKE_LOG`.
    LogLevel {
        /// The level.
        level: String,
    },
}

impl AdminOrder {
    fn method(&self) -> &'static str {
        match self {
            Self::Status => "admin_status",
            Self::Pause => "admin_pause",
            Self::Resume => "admin_resume",
            Self::Drain { .. } => "admin_drain",
            Self::ExecutionMode { .. } => "admin_executionMode",
            Self::LogLevel { .. } => "admin_logLevel",
        }
    }

    fn params(&self) -> Value {
        match self {
            Self::Status | Self::Pause | Self::Resume => json!([]),
            Self::Drain { timeout } => json!([timeout]),
            Self::ExecutionMode { mode } => json!([mode]),
            Self::LogLevel { level } => json!([level]),
        }
    }
}

/// Sends an order to a node and prints the result as JSON. The exit code is 1 if a drain does not finish in time.
pub(crate) async fn run(args: AdminArgs) -> anyhow::Result<ExitCode> {
    let secret = JwtSecret::from_file(&args.secret).context("--secret")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (method, params) = (args.order.method(), args.order.params());
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let response = Client::new()
        .post(&args.url)
        .bearer_auth(secret.token(now))
        .header("content-type", "application/json")
        .body(request.to_string())
        .send()
        .await
        .context("the node does not answer")?;
    let status = response.status();
    let text = response.text().await.context("cannot read the node's answer")?;
    if !status.is_success() {
        bail!("the node answers {status}: {text}");
    }
    let answer: Value = serde_json::from_str(&text).context("the node's answer is not JSON")?;
    if let Some(error) = answer.get("error") {
        bail!("{method}: {}", error["message"].as_str().unwrap_or("failed"));
    }
    let result = &answer["result"];
    println!("{}", to_json(result)?);
    Ok(if result["drained"] == false { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
