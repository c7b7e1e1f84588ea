use std::{fmt, time::Duration};

use alloy_primitives::{Address, B256};
use anyhow::{Context as _, bail};
use serde::Serialize;
use turnpike_game::{Call, prove::grouped};
use turnpike_l1::L1Client;
use turnpike_tx_manager::{AccountClient, FeePolicy, OneShot, TxManagerConfig};

use crate::common::{Format, Key};

/// Sends calls, one after the other.
#[derive(Debug)]
pub(super) struct Hand {
    sender: OneShot,
    format: Format,
}

/// A call that L1 has made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    call: String,
    l1_transaction: B256,
    gas: u64,
}

impl Hand {
    pub(super) fn new(
        client: &L1Client,
        key: &Key,
        poll_ms: u64,
        format: Format,
    ) -> anyhow::Result<Self> {
        let key = key.signer().context("--key")?;
        let poll = Duration::from_millis(poll_ms.max(1));
        let fees = FeePolicy { max_fee_per_gas: u128::MAX, ..FeePolicy::default() };
        let account = AccountClient::new(client, key);
        Ok(Self { sender: OneShot::new(account, TxManagerConfig::from(fees), poll), format })
    }

    pub(super) const fn address(&self) -> Address {
        self.sender.address()
    }

    /// Makes a call and waits until L1 holds it.
    pub(super) async fn send(
        &mut self,
        what: impl fmt::Display,
        call: &Call,
    ) -> anyhow::Result<()> {
        self.sender.send(call.clone()).await.context("L1 refuses")?;
        let receipt = self.sender.confirm().await?;
        let l1_transaction = receipt.transaction_hash;
        if !receipt.status() {
            bail!("L1 transaction {l1_transaction} failed: something else came before it");
        }
        let sent = Sent { call: what.to_string(), l1_transaction, gas: receipt.gas_used };
        match self.format {
            Format::Text => println!("{sent}"),
            Format::Json => println!("{}", serde_json::to_string(&sent)?),
        }
        Ok(())
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, l1_transaction, gas } = self;
        write!(f, "{call}: L1 transaction {l1_transaction}, {} gas", grouped(*gas))
    }
}
