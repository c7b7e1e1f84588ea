//! A node under load: its connection, its funded senders and its workload.

use std::time::Instant;

use alloy_primitives::B256;
use serde_json::json;

use crate::{
    endpoint::Endpoint,
    rpc::Rpc,
    senders::funder,
    setup::{PreparedChain, setup},
    sign::SignedTransactions,
    workload::{Workload, WorkloadKind},
};

/// A node that is set up for a workload.
#[derive(Debug)]
pub(crate) struct TargetNode {
    pub(crate) endpoint: Endpoint,
    pub(crate) rpc: Rpc,
    /// Its client version.
    pub(crate) version: String,
    /// Duration of the setup, in seconds.
    pub(crate) setup_seconds: f64,
    pub(crate) ready: PreparedChain,
    workload: Workload,
}

impl TargetNode {
    /// Connects to a node and sets up the workload.
    pub(crate) async fn prepare(
        endpoint: &Endpoint,
        key: Option<B256>,
        kind: WorkloadKind,
        senders: u32,
    ) -> anyhow::Result<Self> {
        let mut rpc = Rpc::open(endpoint).await?;
        let version = rpc.call("web3_clientVersion", json!([])).await?;
        let version = version.as_str().unwrap_or("unknown").to_string();
        let start = Instant::now();
        let ready = setup(&mut rpc, &funder(key)?, kind, senders).await?;
        let workload = Workload::new(kind, ready.context.clone());
        let setup_seconds = start.elapsed().as_secs_f64();
        Ok(Self { endpoint: endpoint.clone(), rpc, version, setup_seconds, ready, workload })
    }

    /// Whether it serves Turnpike's REST API.
    pub(crate) fn has_rest(&self) -> bool {
        self.version.starts_with("turnpike/")
    }

    /// Signs the next transactions.
    pub(crate) fn sign(&mut self, count: usize) -> anyhow::Result<SignedTransactions> {
        let PreparedChain { terms, senders, .. } = &mut self.ready;
        let workload = &mut self.workload;
        tokio::task::block_in_place(|| SignedTransactions::new(terms, workload, senders, count))
    }

    /// Returns the nonces of transactions that will not be sent.
    pub(crate) fn unsign(&mut self, signed: &SignedTransactions) {
        for sender in signed.senders() {
            self.ready.senders[*sender as usize].nonce -= 1;
        }
    }

    /// Reads the nonces from the chain, because some signed transactions were not sent.
    pub(crate) async fn refresh_nonces(&mut self) -> anyhow::Result<()> {
        let nonces = self.rpc.nonces(&self.ready.context.senders).await?;
        for (sender, nonce) in self.ready.senders.iter_mut().zip(nonces) {
            sender.nonce = nonce;
        }
        Ok(())
    }
}
