//! A rollup on anvil with a batcher, a proposer and a challenger that can be restarted.

use std::path::PathBuf;

use alloy::{providers::Provider as _, signers::local::PrivateKeySigner};
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use serde_json::json;
use tempfile::TempDir;
use turnpike_challenger::{
    Challenger, ChallengerConfig, Event, FeePolicy, ProposeConfig, Verifier,
};
use turnpike_executor::{Chain, EngineConfig};
use turnpike_game::Calls;
use turnpike_l1::{
    Append, AppendCall, Call, Dispute, L1Client, L1View, ProofTables, ProposedOutput, Rollup,
};
use turnpike_protocol::{ChainConfig, DataKind, Genesis, OutputRoot};
use turnpike_test_anvil::Anvil;
use turnpike_tx_manager::{AccountClient, OneShot, TxManagerConfig};

/// Keys of anvil's accounts 1 and 6 to 9: a griefer, the deployer, the batcher, the proposer, the
/// challenger.
const KEYS: [(u32, B256); 5] = [
    (1, b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")),
    (6, b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e")),
    (7, b256!("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356")),
    (8, b256!("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97")),
    (9, b256!("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6")),
];

/// Maximum number of L1 blocks to wait for an event.
const BLOCKS_MAX: usize = 40;

pub(crate) struct TestRollup {
    pub(crate) anvil: Anvil,
    pub(crate) genesis: Genesis,
    pub(crate) fees: FeePolicy,
    pub(crate) propose: Option<ProposeConfig>,
    pub(crate) events: Vec<Event>,
    folder: TempDir,
}

/// One of anvil's accounts.
pub(crate) fn account(index: u32) -> PrivateKeySigner {
    let (_, key) =
        KEYS.into_iter().find(|(known, _)| *known == index).expect("the index is one of `KEYS`");
    PrivateKeySigner::from_bytes(&key).expect("valid key")
}

pub(crate) fn challenger() -> PrivateKeySigner {
    account(9)
}

pub(crate) fn own() -> Address {
    challenger().address()
}

fn genesis_output(genesis: &Genesis) -> OutputRoot {
    Chain::from_genesis(genesis).head().output
}

impl TestRollup {
    /// A rollup with one entry, whose batch is invalid.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A rollup with other parameters.
    pub(crate) async fn with(change: impl FnOnce(&mut ChainConfig)) -> Self {
        let anvil = Anvil::start();
        let mut genesis = Genesis::dev();
        genesis.config.challenge_window = 1_000;
        change(&mut genesis.config);
        let (deployer, batcher) = (account(6), account(7).address());
        let deployed =
            turnpike_l1::deploy(anvil.url(), deployer, batcher, genesis, genesis_output).await;
        let genesis = deployed.expect("deploys");
        anvil.disable_automine().await;
        // The test controls time as well.
        anvil.request("anvil_setBlockTimestampInterval", json!([1])).await;
        let folder = tempfile::tempdir().expect("temporary directory");
        let fees = FeePolicy { bump_blocks: 2, urgent_blocks: 2, ..FeePolicy::default() };
        let world = Self { anvil, genesis, fees, propose: None, events: Vec::new(), folder };
        world.post().await;
        world
    }

    pub(crate) async fn client(&self) -> L1Client {
        L1Client::connect(self.anvil.url(), &self.genesis).await.expect("connects")
    }

    pub(crate) async fn sender(&self, index: u32) -> AccountClient {
        AccountClient::new(&self.client().await, account(index))
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls::new(&self.genesis.l1.expect("deployed"), &self.genesis.config)
    }

    /// An independent view of L1.
    pub(crate) async fn view(&self) -> L1View {
        let mut view = L1View::new(self.client().await, 0, genesis_output(&self.genesis));
        view.advance().await.expect("reads");
        view
    }

    /// Posts an entry whose batch is invalid.
    pub(crate) async fn post(&self) {
        let view = self.view().await;
        let last = view.entries().last().expect("L1 has entry 0");
        let append = Append {
            deposit_count: last.entry.deposit_count,
            deposit_acc: last.entry.deposit_acc,
            origin: last.entry.index,
            origin_acc: last.acc,
            kind: DataKind::Calldata,
            data: Bytes::from_static(b"garbage"),
        };
        let sender = self.sender(7).await;
        let item = append.item(ProofTables::None).await.expect("calldata");
        let call = AppendCall::new(last.content, &[item]);
        let call = call.to(self.genesis.l1.expect("deployed").inbox);
        let gas = sender.estimate(&call, None, None).await.expect("the call succeeds");
        let nonce = sender.account().await.expect("L1 answers").nonce;
        let fees = turnpike_tx_manager::Fees {
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1,
            max_fee_per_blob_gas: 0,
        };
        let signed = sender.sign(call, None, nonce, gas * 2, fees).expect("signs");
        sender.broadcast(&signed, None).await.expect("L1 accepts the transaction");
        self.anvil.mine().await;
    }

    /// A verifier that has derived every entry.
    pub(crate) async fn verifier(&self) -> Verifier {
        let view = self.view().await;
        let mut verifier = Verifier::new(&self.genesis);
        for posted in &view.entries()[1..] {
            let source =
                view.source(posted.entry.index).await.expect("reads").expect("L1 has the entry");
            verifier.feed(posted, &source.as_data()).expect("derives");
        }
        verifier
    }

    /// Proposes a right or wrong output of the newest entry on the newest output. Returns its
    /// index.
    pub(crate) async fn output(&self, is_right: bool) -> u64 {
        let newest = self.view().await.outputs().len() - 1;
        self.output_on(newest, is_right).await
    }

    /// Proposes a right or wrong output of the newest entry on `parent`. Returns its index.
    pub(crate) async fn output_on(&self, parent: usize, is_right: bool) -> u64 {
        let (view, verifier) = (self.view().await, self.verifier().await);
        let entry = view.entries().last().expect("L1 has entry 0");
        let derived = verifier.entry(entry.entry.index).expect("derived");
        let mut header = derived.header.clone();
        if !is_right {
            header.state_root = B256::repeat_byte(0x66);
        }
        let output = OutputRoot {
            state_root: header.state_root,
            block_hash: header.hash_slow(),
            ..derived.output
        };
        let parent = view.outputs()[parent].clone();
        let bond = self.genesis.config.proposer_bond;
        let header = alloy_rlp::encode(&header).into();
        let rollup = self.genesis.l1.expect("deployed").rollup;
        let place = (entry.entry.index, entry.acc);
        self.send(8, Call::propose(rollup, &parent, place, &output, header, bond)).await;
        view.outputs().len() as u64
    }

    /// Sends a call from an account and mines it.
    pub(crate) async fn send(&self, index: u32, call: Call) {
        let poll = std::time::Duration::from_millis(10);
        let sender = self.sender(index).await;
        let mut sender = OneShot::new(sender, TxManagerConfig::default(), poll);
        sender.send(call).await.expect("L1 accepts the transaction");
        self.anvil.mine().await;
        assert!(sender.confirm().await.expect("mined").status(), "the transaction reverted");
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("challenger.db")
    }

    /// A challenger with the previous challenger's database.
    pub(crate) async fn challenger(&self) -> Challenger {
        let config = ChallengerConfig {
            l1: self.anvil.url().into(),
            l1_confirmations: 0,
            poll: std::time::Duration::from_millis(1),
            execution: EngineConfig::default(),
            run_threads: None,
            key: Some(challenger()),
            database: Some(self.database().into()),
            fees: self.fees,
            propose: self.propose,
            peer: None,
            once: false,
        };
        Challenger::connect(&self.genesis, &config).await.expect("connects")
    }

    pub(crate) async fn step(&mut self, challenger: &mut Challenger) {
        let events = &mut self.events;
        challenger.step(&mut |event| events.push(event)).await.expect("steps");
        // No block is mined while the proof program runs.
        while challenger.is_running() {
            challenger.run_finished().await;
            challenger.step(&mut |event| events.push(event)).await.expect("steps");
        }
    }

    /// Steps and mines until an event is reported.
    pub(crate) async fn play_until(
        &mut self,
        challenger: &mut Challenger,
        is_it: impl Fn(&Event) -> bool,
    ) {
        for _ in 0..BLOCKS_MAX {
            let told = self.events.len();
            self.step(challenger).await;
            if self.events[told..].iter().any(&is_it) {
                return;
            }
            self.anvil.mine().await;
        }
        panic!("not reported after {BLOCKS_MAX} blocks: {:#?}", self.events);
    }

    /// Mines a block this many seconds later.
    pub(crate) async fn wait(&self, seconds: u64) {
        let time = self.view().await.head().expect("the view has advanced").time;
        self.anvil.request("evm_setNextBlockTimestamp", json!([time + seconds])).await;
        self.anvil.mine().await;
    }

    pub(crate) async fn output_at(&self, index: usize) -> ProposedOutput {
        self.view().await.outputs()[index].clone()
    }

    pub(crate) async fn balance(&self, account: Address) -> U256 {
        self.client().await.provider().get_balance(account).await.expect("L1 answers")
    }

    /// An account's bond credit in both contracts.
    pub(crate) async fn credit(&self, account: Address) -> U256 {
        let client = self.client().await;
        let deployment = *client.deployment();
        let dispute = Dispute::new(deployment.dispute, client.provider());
        let rollup = Rollup::new(deployment.rollup, client.provider());
        dispute.bondCredit(account).call().await.expect("L1 answers")
            + rollup.bondCredit(account).call().await.expect("L1 answers")
    }
}
