use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections served at the same time.
const CONNECTIONS_MAX: usize = 4_096;

/// A client that has not sent the head of its next request after this is dropped. Bodies have no limit of time yet.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests under way may take once the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Accepts connections until `stop`, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (permit, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = accept(&listener, &permits) => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, say: others will be closed.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%peer, %error, "connection ended early");
            }
            drop(permit);
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (
    tokio::sync::OwnedSemaphorePermit,
    std::io::Result<(tokio::net::TcpStream, std::net::SocketAddr)>,
) {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.expect("invariant: the semaphore is never closed");
    (permit, listener.accept().await)
}
