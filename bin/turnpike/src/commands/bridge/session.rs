use std::{fmt, time::Duration};

use alloy_primitives::B256;
use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use turnpike_bridge::{
    BridgeError, Call, L2Source, Layer, Node, Receipt, Replay, Settlement, Wallet, WithdrawalFacts,
    Withdrawn,
};
use turnpike_l1::{L1Client, L1Endpoints};
use turnpike_protocol::{Genesis, Withdrawal};

use super::{
    args::{EndpointArgs, WithdrawalArgs},
    report::withdrawal_event,
};
use crate::common::{Key, genesis_output, read_genesis};

/// Connections to both layers, and how to print.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) l1: Settlement,
    genesis: Genesis,
    l2: Option<Node>,
    poll: Duration,
    json: bool,
}

impl Session {
    pub(super) async fn open(args: &EndpointArgs) -> anyhow::Result<Self> {
        let genesis = read_genesis(&args.genesis)?;
        let endpoints =
            L1Endpoints { beacon: args.l1_beacon_url.clone(), ..args.l1_url.as_str().into() };
        let client = L1Client::connect(endpoints, &genesis).await.context("--l1-url")?;
        let genesis_output = block_in_place(|| genesis_output(&genesis));
        client.check_genesis(&genesis, &genesis_output).await?;
        let node = Node::new(Layer::L1, &args.l1_url)?;
        let l1 = Settlement::new(client, node, genesis.config.clone());
        let chain_id = genesis.config.chain_id;
        let l2 = match &args.l2_url {
            Some(url) => Some(Node::connect_l2(url, chain_id).await.context("--l2-url")?),
            None => None,
        };
        let poll = Duration::from_millis(args.poll_ms.max(1));
        Ok(Self { l1, genesis, l2, poll, json: args.json })
    }

    pub(super) fn l2(&self) -> Result<&Node, BridgeError> {
        self.l2.as_ref().ok_or(BridgeError::NoL2)
    }

    pub(super) const fn l2_if_named(&self) -> Option<&Node> {
        self.l2.as_ref()
    }

    pub(super) fn l1_wallet(&self, key: &Key) -> anyhow::Result<Wallet> {
        let key = key.signer().context("--key")?;
        Ok(Wallet::new(self.l1.node().clone(), key, self.poll))
    }

    pub(super) fn l2_wallet(&self, key: &Key) -> anyhow::Result<Wallet> {
        let key = key.signer().context("--key")?;
        Ok(Wallet::new(self.l2()?.clone(), key, self.poll))
    }

    /// The source of L2 that the arguments choose.
    pub(super) async fn source(&self, args: &WithdrawalArgs) -> anyhow::Result<L2Source> {
        if args.from_l1 {
            self.note("deriving the chain from L1 alone");
            let client = self.l1.client().clone();
            let replay = Replay::new(client, &self.genesis, args.l1_confirmations).await?;
            return Ok(L2Source::Replay(Box::new(replay)));
        }
        let node = self.l2.clone().ok_or(BridgeError::NoSource)?;
        Ok(L2Source::Node(node))
    }

    /// Finds a withdrawal's L2 transaction, and prints how far a replay is.
    pub(super) async fn find(
        &self,
        source: &mut L2Source,
        transaction: B256,
    ) -> Result<Withdrawn, BridgeError> {
        source.find(&self.l1, transaction, |entry, entries| self.note_entry(entry, entries)).await
    }

    /// Sends a call, prints its transaction and waits for its inclusion. The receipt may be that of
    /// a replacement, which pays more.
    pub(super) async fn send(&self, wallet: &Wallet, call: Call) -> Result<Receipt, BridgeError> {
        let transaction = wallet.send(call).await?;
        let layer = wallet.layer();
        let event = match layer {
            Layer::L1 => json!({ "event": "sent", "l1Transaction": transaction }),
            Layer::L2 => json!({ "event": "sent", "l2Transaction": transaction }),
        };
        self.say(&event, format_args!("sent: {layer} transaction {transaction}"));
        wallet.included(transaction).await
    }

    /// The withdrawal's facts once `check` accepts them. With `wait`, it waits while only time is
    /// missing.
    pub(super) async fn facts(
        &self,
        found: &Withdrawn,
        withdrawal: &Withdrawal,
        wait: bool,
        check: impl Fn(&WithdrawalFacts) -> Result<(), BridgeError>,
    ) -> Result<WithdrawalFacts, BridgeError> {
        let mut is_said = false;
        loop {
            let facts = match self.l1.withdrawal_facts(withdrawal.hash(), found.block).await {
                Err(error) if wait && error.may_pass() => {
                    self.pause().await;
                    continue;
                }
                facts => facts?,
            };
            let Err(error) = check(&facts) else { return Ok(facts) };
            if !wait || !error.is_early() {
                return Err(error);
            }
            if !is_said {
                self.say(&withdrawal_event("waiting", &facts), format_args!("{error}: waiting"));
                is_said = true;
            }
            self.pause().await;
        }
    }

    /// Prints an event: a JSON line with --json, else the text.
    pub(super) fn say(&self, event: &Value, text: impl fmt::Display) {
        if self.json {
            println!("{event}");
        } else {
            println!("{text}");
        }
    }

    /// Prints text, unless --json is given.
    pub(super) fn note(&self, text: impl fmt::Display) {
        if !self.json {
            println!("{text}");
        }
    }

    /// Prints how far a replay is.
    pub(super) fn note_entry(&self, entry: u64, entries: u64) {
        const ENTRIES_PER_NOTE: u64 = 256;
        if entry.is_multiple_of(ENTRIES_PER_NOTE) || entry == entries {
            self.note(format_args!("  entry {entry} of {entries}"));
        }
    }

    pub(super) async fn pause(&self) {
        tokio::time::sleep(self.poll).await;
    }
}
