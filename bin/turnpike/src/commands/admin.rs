//! `turnpike admin`: what an operator tells a node that runs.

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
    /// Where the node serves administrators.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9547",
        env = "TURNPIKE_ADMIN_URL"
    )]
    url: String,
    /// File with the secret that is shared with the node.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_ADMIN_SECRET")]
    secret: PathBuf,
    #[command(subcommand)]
    order: Order,
}

/// What a node is told. Nothing of it outlives the node's process.
#[derive(Debug, Subcommand)]
enum Order {
    /// Print what the node was told, and what waits.
    Status,
    /// Make no more blocks. Transactions are taken and durable all the same, and run after `resume`.
    Pause,
    /// Make blocks again, and take transactions.
    Resume,
    /// Take no more transactions, and wait until those that can run are in blocks. `resume` ends it.
    Drain {
        /// Seconds to wait, at most.
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        timeout: u64,
    },
    /// Choose how blocks are executed from the next one on.
    ExecutionMode {
        /// The mode.
        mode: ExecutionMode,
    },
    /// Choose what is logged: a level (error, warn, info, debug, trace, off), or directives as in `TURNPIKE_LOG`.
    LogLevel {
        /// The level.
        level: String,
    },
}

impl Order {
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

/// Tells a node, and prints its answer as JSON. Fails if a drain is not over in time.
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
    let text = response.text().await.context("the node's answer cannot be read")?;
    if !status.is_success() {
        bail!("the node answers {status}: {text}");
    }
    let answer: Value = serde_json::from_str(&text).context("the node does not answer JSON")?;
    if let Some(error) = answer.get("error") {
        bail!("{method}: {}", error["message"].as_str().unwrap_or("failed"));
    }
    let result = &answer["result"];
    println!("{}", to_json(result)?);
    Ok(if result["drained"] == false { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
