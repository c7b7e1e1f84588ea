//! Servers that run beside a node, such as the API.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::bail;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, JoinHandle};

/// A server that runs beside a node. It ends once its stop token is cancelled, and not before.
pub struct ServerTask {
    name: &'static str,
    run: BoxFuture<'static, anyhow::Result<()>>,
}

impl std::fmt::Debug for ServerTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerTask").field(&self.name).finish()
    }
}

impl ServerTask {
    /// A server to run, and its name in errors.
    pub fn new(
        name: &'static str,
        run: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        Self { name, run: Box::pin(run) }
    }
}

/// Running servers.
#[derive(Debug)]
pub struct RunningServers(Vec<(&'static str, JoinHandle<anyhow::Result<()>>)>);

impl RunningServers {
    /// Starts all servers.
    pub fn spawn(servers: Vec<ServerTask>) -> Self {
        Self(servers.into_iter().map(|server| (server.name, tokio::spawn(server.run))).collect())
    }

    /// Waits until a server ends, which is an error.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        poll_fn(|cx: &mut Context<'_>| {
            for (name, task) in &mut self.0 {
                if let Poll::Ready(ended) = Pin::new(task).poll(cx) {
                    return Poll::Ready(ended_early(name, ended));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits until all servers have stopped. Returns the first error.
    pub async fn finish(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for (_, task) in self.0 {
            // `ended` reported a server that ended early.
            if !task.is_finished() {
                result = result.and(task.await.map_err(Into::into).flatten());
            }
        }
        result
    }
}

/// The error of a part that ended too early.
pub fn ended_early(part: &str, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended??;
    bail!("{part} ended")
}
