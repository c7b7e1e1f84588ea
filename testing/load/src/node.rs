use std::time::Instant;

use alloy_primitives::B256;
use serde_json::json;

use crate::{
    endpoint::Endpoint,
    rpc::Rpc,
    senders::funder,
    setup::{Ready, setup},
    sign::Signed,
    workload::{Kind, Workload},
};

/// A node that is ready to take a workload.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) rpc: Rpc,
    /// What it calls itself.
    pub(crate) version: String,
    /// Seconds that the setup took.
    pub(crate) setup_seconds: f64,
    pub(crate) ready: Ready,
    workload: Workload,
}

impl Node {
    /// Sets a node up.
    pub(crate) async fn prepare(
        endpoint: &Endpoint,
        key: Option<B256>,
        kind: Kind,
        senders: u32,
    ) -> anyhow::Result<Self> {
        let mut rpc = Rpc::open(endpoint).await?;
        let version = rpc.call("web3_clientVersion", json!([])).await?;
        let version = version.as_str().unwrap_or("unknown").to_string();
        let start = Instant::now();
        let ready = setup(&mut rpc, &funder(key)?, kind, senders).await?;
        let workload = Workload::new(kind, ready.world.clone());
        let setup_seconds = start.elapsed().as_secs_f64();
        Ok(Self { endpoint: endpoint.clone(), rpc, version, setup_seconds, ready, workload })
    }

    /// Whether it has Turnpike's REST API.
    pub(crate) fn has_rest(&self) -> bool {
        self.version.starts_with("turnpike/")
    }

    /// Signs the next transactions.
    pub(crate) fn sign(&mut self, count: usize) -> anyhow::Result<Signed> {
        let Ready { terms, senders, .. } = &mut self.ready;
        let workload = &mut self.workload;
        tokio::task::block_in_place(|| Signed::new(terms, workload, senders, count))
    }

    /// Takes the nonces of transactions back that are not going to be sent.
    pub(crate) fn unsign(&mut self, signed: &Signed) {
        for sender in signed.senders() {
            self.ready.senders[*sender as usize].nonce -= 1;
        }
    }

    /// Goes on where the chain is: not all that was signed was sent.
    pub(crate) async fn refresh_nonces(&mut self) -> anyhow::Result<()> {
        let nonces = self.rpc.nonces(&self.ready.world.senders).await?;
        for (sender, nonce) in self.ready.senders.iter_mut().zip(nonces) {
            sender.nonce = nonce;
        }
        Ok(())
    }
}
