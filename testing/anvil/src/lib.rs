//! An L1 for tests: an anvil process whose blocks, time and faults the test controls.
//!
//! [`Anvil::start`] runs anvil on a free port with 20 funded accounts and the Osaka rules. It mines
//! a block for each transaction until [`Anvil::disable_automine`]. Dropping the value kills the
//! process.
//!
//! Every method panics if anvil does not answer: a test without its L1 has nothing to show.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use alloy::{
    eips::BlockNumberOrTag,
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::types::TransactionReceipt,
};
use alloy_primitives::{Address, B256, U256};
use serde_json::{Value, json};

/// Where npm installs anvil.
const ANVIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../node_modules/.bin/anvil");

/// Funded accounts, derived from anvil's test mnemonic.
const ACCOUNTS: &str = "20";

/// A running anvil. Dropping it ends the process.
#[derive(Debug)]
pub struct Anvil {
    process: Child,
    url: String,
    provider: DynProvider,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Anvil {
    /// Starts anvil and waits until it listens. `TURNPIKE_ANVIL` names the executable; without it,
    /// npm's is used.
    pub fn start() -> Self {
        let anvil = std::env::var("TURNPIKE_ANVIL").unwrap_or_else(|_| ANVIL.to_owned());
        assert!(Path::new(&anvil).exists(), "anvil is not installed: run `npm ci`");
        let mut process = Command::new(anvil)
            .args(["--port", "0", "--hardfork", "osaka", "--slots-in-an-epoch", "1"])
            .args(["--accounts", ACCOUNTS])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("anvil starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let url = lines.find_map(|line| {
            let line = line.expect("anvil prints text");
            line.strip_prefix("Listening on ").map(|address| format!("http://{address}"))
        });
        // A full pipe would block anvil.
        std::thread::spawn(move || lines.for_each(drop));
        let url = url.expect("anvil listens");
        let endpoint = url.parse().expect("anvil prints a valid address");
        let provider = DynProvider::new(ProviderBuilder::default().connect_http(endpoint));
        Self { process, url, provider }
    }

    /// Its HTTP endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A provider without a signer.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// Sends a JSON-RPC request and returns its result.
    pub async fn request(&self, method: &'static str, params: Value) -> Value {
        self.provider.raw_request(method.into(), params).await.expect(method)
    }

    /// Stops the process: requests hang until [`Self::resume`].
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets the process go on after [`Self::pause`].
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Mines a block only when the test asks for one.
    pub async fn disable_automine(&self) {
        self.request("evm_setAutomine", json!([false])).await;
    }

    /// Mines one block with the pending transactions that pay its base fee.
    pub async fn mine(&self) {
        self.request("evm_mine", json!([])).await;
    }

    /// Mines one block with this timestamp.
    pub async fn mine_at(&self, timestamp: u64) {
        self.request("evm_setNextBlockTimestamp", json!([timestamp])).await;
        self.mine().await;
    }

    /// Mines one block whose timestamp is one second after the newest block's.
    pub async fn mine_next_second(&self) {
        let (_, time) = self.head().await;
        self.mine_at(time + 1).await;
    }

    /// Replaces this many of the newest blocks by as many empty ones.
    pub async fn reorg(&self, blocks: u64) {
        self.request("anvil_reorg", json!([blocks, []])).await;
    }

    /// Sets the base fee of the next block.
    pub async fn set_base_fee(&self, wei: u64) {
        self.request("anvil_setNextBlockBaseFeePerGas", json!([U256::from(wei)])).await;
    }

    /// Sets an account's balance.
    pub async fn set_balance(&self, account: Address, wei: U256) {
        self.request("anvil_setBalance", json!([account, wei])).await;
    }

    /// Drops every pending transaction.
    pub async fn empty_pool(&self) {
        self.request("anvil_dropAllTransactions", json!([])).await;
    }

    /// Sends one wei from an unlocked or impersonated account.
    pub async fn send(&self, from: Address, to: Address, nonce: u64) -> Value {
        let tx = json!({ "from": from, "to": to, "value": "0x1", "nonce": U256::from(nonce) });
        self.request("eth_sendTransaction", json!([tx])).await
    }

    /// Number and timestamp of the newest block.
    pub async fn head(&self) -> (u64, u64) {
        let block = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await;
        let header = block.expect("anvil answers").expect("there is a newest block").header;
        (header.number, header.timestamp)
    }

    /// An account's nonce at the newest block.
    pub async fn nonce(&self, account: Address) -> u64 {
        self.provider.get_transaction_count(account).await.expect("anvil answers")
    }

    /// An account's balance at the newest block, in wei.
    pub async fn balance(&self, account: Address) -> U256 {
        self.provider.get_balance(account).await.expect("anvil answers")
    }

    /// Whether a block or the pool holds this transaction.
    pub async fn has(&self, transaction: B256) -> bool {
        self.provider.get_transaction_by_hash(transaction).await.expect("anvil answers").is_some()
    }

    /// Whether the pool holds any transaction.
    pub async fn has_pending(&self) -> bool {
        let status = self.request("txpool_status", json!([])).await;
        status["pending"] != "0x0" || status["queued"] != "0x0"
    }

    /// Receipts of all blocks after this one.
    pub async fn receipts_after(&self, block: u64) -> Vec<TransactionReceipt> {
        let mut receipts = Vec::new();
        for number in block + 1..=self.head().await.0 {
            let of_block = self.provider.get_block_receipts(number.into()).await;
            receipts.extend(of_block.expect("anvil answers").unwrap_or_default());
        }
        receipts
    }
}
