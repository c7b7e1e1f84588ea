//! Composes a sequencer and its servers: binds the ports, opens the node, serves until the end.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;
use turnpike_executor::ExecutionHook;
use turnpike_http::{HttpLimits, bind};
use turnpike_l1::L1Client;
use turnpike_protocol::Genesis;
use turnpike_sequencer::{NodeHandles, Sequencer, SequencerConfig, ServerTask};

use crate::{
    admin::{self, AdminConfig},
    context::ApiContext,
    server,
};

/// How the API is served.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Address of REST, JSON-RPC and the feed.
    pub listen: SocketAddr,
    /// What clients may use.
    pub limits: HttpLimits,
    /// How administrators are served, if they are.
    pub admin: Option<AdminConfig>,
}

/// The bound ports of the API and of the administrators.
#[derive(Debug)]
pub struct ApiListeners {
    api: TcpListener,
    limits: HttpLimits,
    admin: Option<(TcpListener, AdminConfig)>,
}

impl ApiListeners {
    /// Binds the ports. Clients that connect now are served once the node is ready.
    pub fn bind(config: ApiConfig) -> anyhow::Result<Self> {
        let ApiConfig { listen, limits, admin } = config;
        let api = bind(listen)?;
        let admin = admin.map(|admin| anyhow::Ok((bind(admin.listen)?, admin))).transpose()?;
        Ok(Self { api, limits, admin })
    }

    /// Address of the API.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.api.local_addr()?)
    }

    /// Address of the administrators' port, if there is one.
    fn admin_address(&self) -> anyhow::Result<Option<SocketAddr>> {
        Ok(self.admin.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?)
    }

    /// The servers of these ports, to be run beside the node.
    pub fn servers(
        self,
        node: &NodeHandles,
        l1: &L1Client,
        stop: &CancellationToken,
    ) -> Vec<ServerTask> {
        let context = Arc::new(ApiContext::new(node));
        let (limits, stopped) = (self.limits, stop.clone());
        let api = server::serve(self.api, Arc::clone(&context), l1.clone(), limits, stopped);
        let mut servers = vec![ServerTask::new("the API server", api)];
        if let Some((listener, config)) = self.admin {
            let admin = admin::serve(listener, context, config, stop.clone());
            servers.push(ServerTask::new("the administrators' server", admin));
        }
        servers
    }
}

/// Runs a sequencer and its API until `stop`. `ready` gets the address of the API.
pub async fn run_sequencer(
    genesis: &Genesis,
    config: SequencerConfig,
    api: ApiConfig,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    run_sequencer_with_hook(genesis, config, api, None, stop, ready).await
}

/// Runs a sequencer whose blocks a hook may change: for tests and `turnpike dev --liar`.
pub async fn run_sequencer_with_hook(
    genesis: &Genesis,
    config: SequencerConfig,
    api: ApiConfig,
    hook: Option<Box<dyn ExecutionHook>>,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let listeners = ApiListeners::bind(api)?;
    let opened = Sequencer::open(genesis, config, hook, &stop).await?;
    let Some(sequencer) = opened else { return Ok(()) };
    let address = listeners.address()?;
    ready(address);
    // The API's address is logged last: a reader of the log who has seen it has seen both.
    if let Some(address) = listeners.admin_address()? {
        info!(%address, "administrators are served");
    }
    let node = sequencer.handles();
    info!(%address, head = *node.chain.head.borrow(), "sequencer is up");
    let stop = stop.child_token();
    let servers = listeners.servers(node, sequencer.l1(), &stop);
    sequencer.serve(servers, stop).await
}
