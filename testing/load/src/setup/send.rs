use std::time::{Duration, Instant};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{B256, hex};
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::Step;
use crate::{
    rpc::{BATCH_CALLS, Rpc},
    sign::Terms,
};

/// Transactions that are on the way at a time: nodes bound how many of one sender wait.
const GROUP: usize = 500;

/// How long a group may take to be included.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Pause between looks at receipts.
const POLL: Duration = Duration::from_millis(50);

/// A transaction of the setup's, signed.
#[derive(Debug)]
pub(super) struct Sending {
    raw: Vec<u8>,
    hash: B256,
}

/// As much of a receipt as says whether it went well.
#[derive(Deserialize)]
struct Receipt {
    status: String,
}

impl Sending {
    pub(super) fn sign(
        terms: &Terms,
        signer: &PrivateKeySigner,
        nonce: u64,
        step: &Step,
    ) -> anyhow::Result<Self> {
        let Step { to, value, data, gas_limit } = step;
        let data = data.clone().into();
        let (raw, hash) = terms.sign(signer, nonce, *to, *value, data, *gas_limit)?;
        Ok(Self { raw, hash })
    }
}

/// Sends transactions in order and waits until all have succeeded.
pub(super) async fn send_all(rpc: &mut Rpc, sendings: &[Sending]) -> anyhow::Result<()> {
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

async fn wait(rpc: &mut Rpc, group: &[Sending]) -> anyhow::Result<()> {
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
