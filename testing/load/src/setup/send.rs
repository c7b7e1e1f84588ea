//! Sends the setup transactions.

use std::time::{Duration, Instant};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{B256, hex};
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::SetupStep;
use crate::{
    rpc::{BATCH_CALLS, Rpc},
    sign::TransactionTerms,
};

/// Transactions in flight at the same time. Nodes limit the pending transactions of one sender.
const GROUP: usize = 500;

/// Time limit for a group to be included.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Pause between polls of receipts.
const POLL: Duration = Duration::from_millis(50);

/// A signed transaction of the setup.
#[derive(Debug)]
pub(super) struct SignedStep {
    raw: Vec<u8>,
    hash: B256,
}

/// The status of a receipt.
#[derive(Deserialize)]
struct Receipt {
    status: String,
}

impl SignedStep {
    pub(super) fn sign(
        terms: &TransactionTerms,
        signer: &PrivateKeySigner,
        nonce: u64,
        step: &SetupStep,
    ) -> anyhow::Result<Self> {
        let SetupStep { to, value, data, gas_limit } = step;
        let data = data.clone().into();
        let (raw, hash) = terms.sign(signer, nonce, *to, *value, data, *gas_limit)?;
        Ok(Self { raw, hash })
    }
}

/// Sends transactions in order and waits until all succeeded.
pub(super) async fn send_all(rpc: &mut Rpc, sendings: &[SignedStep]) -> anyhow::Result<()> {
    for group in sendings.chunks(GROUP) {
        for calls in group.chunks(BATCH_CALLS) {
            let params: Vec<_> =
                calls.iter().map(|sending| json!([hex::encode_prefixed(&sending.raw)])).collect();
            for result in rpc.batch("eth_sendRawTransaction", &params).await? {
                result?;
            }
        }
        wait(rpc, group).await?;
    }
    Ok(())
}

async fn wait(rpc: &mut Rpc, group: &[SignedStep]) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut missing: Vec<_> = group.iter().map(|sending| sending.hash).collect();
    while !missing.is_empty() {
        if start.elapsed() > TIMEOUT {
            bail!("{} transactions are not included after {TIMEOUT:?}", missing.len());
        }
        let params: Vec<_> = missing.iter().map(|hash| json!([hash])).collect();
        let receipts =
            rpc.batch_as::<Option<Receipt>>("eth_getTransactionReceipt", &params).await?;
        let mut still = Vec::new();
        for (hash, receipt) in missing.into_iter().zip(receipts) {
            match receipt.context("a receipt")? {
                Some(Receipt { status }) => ensure!(status == "0x1", "transaction {hash} failed"),
                None => still.push(hash),
            }
        }
        missing = still;
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
