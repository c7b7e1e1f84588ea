use std::{fmt, time::Duration};

use alloy_primitives::B256;
use anyhow::Context as _;
use serde_json::Value;
use turnpike_bridge::{BridgeError, Layer, Node, Replay, SentDeposit, Settlement, Wallet};
use turnpike_l1::{L1Client, L1Endpoints};
use turnpike_protocol::{Genesis, Withdrawal};

use super::args::{EndpointArgs, WithdrawalArgs};
use crate::common::{Key, read_genesis};

/// Connections to both layers, and how to print.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) genesis: Genesis,
    pub(super) l1: Settlement,
    l2: Option<Node>,
    pub(super) poll: Duration,
    json: bool,
}

/// An L2 transaction with its messages to L1.
#[derive(Debug)]
pub(super) struct Withdrawn {
    pub(super) transaction: B256,
    pub(super) block: u64,
    pub(super) withdrawals: Vec<Withdrawal>,
}

/// Where L2 is read.
#[derive(Debug)]
pub(super) enum Source {
    /// From a node.
    Node(Node),
    /// Derived from L1 alone.
    Replay(Box<Replay>),
}

impl Session {
    pub(super) async fn open(args: &EndpointArgs) -> anyhow::Result<Self> {
        let genesis = read_genesis(&args.genesis)?;
        let endpoints =
            L1Endpoints { beacon: args.l1_beacon_url.clone(), ..args.l1_url.as_str().into() };
        let client = L1Client::connect(endpoints, &genesis).await.context("--l1-url")?;
        let node = Node::new(Layer::L1, &args.l1_url)?;
        let l1 = Settlement::new(client, node, genesis.config.clone());
        let chain_id = genesis.config.chain_id;
        let l2 = match &args.l2_url {
            Some(url) => Some(Node::connect_l2(url, chain_id).await.context("--l2-url")?),
            None => None,
        };
        let poll = Duration::from_millis(args.poll_ms.max(1));
        Ok(Self { genesis, l1, l2, poll, json: args.json })
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

    pub(super) async fn pause(&self) {
        tokio::time::sleep(self.poll).await;
    }

    /// The source of L2 that the arguments choose.
    pub(super) async fn source(&self, args: &WithdrawalArgs) -> anyhow::Result<Source> {
        if args.from_l1 {
            self.note("deriving the chain from L1 alone");
            let client = self.l1.client().clone();
            let replay = Replay::new(client, &self.genesis, args.l1_confirmations).await?;
            return Ok(Source::Replay(Box::new(replay)));
        }
        let node = self.l2.clone().ok_or(BridgeError::NoSource)?;
        Ok(Source::Node(node))
    }

    /// The deposits of an L1 transaction; none if L1 does not hold it.
    pub(super) async fn deposits(
        &self,
        transaction: B256,
    ) -> Result<Vec<SentDeposit>, BridgeError> {
        let receipt = self.l1.node().receipt(transaction).await?;
        let logs = receipt.map(|receipt| receipt.logs).unwrap_or_default();
        SentDeposit::all_in(self.l1.client().deployment().portal, &logs)
    }

    /// Finds a withdrawal's L2 transaction, by its own hash or by that of the L1 transaction that forced it.
    pub(super) async fn find(
        &self,
        source: &mut Source,
        transaction: B256,
    ) -> Result<Withdrawn, BridgeError> {
        let found = match source {
            Source::Node(node) => self.find_at(node, transaction).await?,
            Source::Replay(replay) => self.find_in(replay, transaction).await?,
        };
        if found.withdrawals.is_empty() {
            return Err(BridgeError::NotAWithdrawal(found.transaction));
        }
        Ok(found)
    }

    async fn find_at(&self, node: &Node, transaction: B256) -> Result<Withdrawn, BridgeError> {
        let mut receipt = node.receipt(transaction).await?;
        let mut deposits = Vec::new();
        if receipt.is_none() {
            deposits = self.deposits(transaction).await?;
            for deposit in &deposits {
                let forced = deposit.forced_l2_hash(self.l1.queue_index(deposit).await?)?;
                for name in [deposit.l2_hash()?, forced] {
                    if receipt.is_none() {
                        receipt = node.receipt(name).await?;
                    }
                }
            }
        }
        match receipt {
            Some(receipt) if receipt.is_success() => Ok(Withdrawn {
                transaction: receipt.transaction_hash,
                block: receipt.block(),
                withdrawals: receipt.withdrawals()?,
            }),
            Some(receipt) => Err(BridgeError::WithdrawalFailed(receipt.transaction_hash)),
            None if !deposits.is_empty() => Err(BridgeError::NotOnL2(transaction)),
            None if node.knows(transaction).await? => Err(BridgeError::NotIncluded(transaction)),
            None => Err(BridgeError::Unknown(transaction)),
        }
    }

    async fn find_in(
        &self,
        replay: &mut Replay,
        transaction: B256,
    ) -> Result<Withdrawn, BridgeError> {
        let deposits = self.deposits(transaction).await?;
        let mut names = vec![transaction];
        for deposit in &deposits {
            names.extend(replay.names(deposit)?);
        }
        let found = replay.find(&names, |entry, entries| self.note_entry(entry, entries)).await?;
        match found {
            Some(found) if found.is_success => Ok(Withdrawn {
                transaction: found.l2_transaction,
                block: found.block,
                withdrawals: found.withdrawals,
            }),
            Some(found) => Err(BridgeError::WithdrawalFailed(found.l2_transaction)),
            None if deposits.is_empty() => Err(BridgeError::Unknown(transaction)),
            None => Err(BridgeError::NotOnL2(transaction)),
        }
    }

    pub(super) fn note_entry(&self, entry: u64, entries: u64) {
        const ENTRIES_PER_NOTE: u64 = 256;
        if entry.is_multiple_of(ENTRIES_PER_NOTE) || entry == entries {
            self.note(format_args!("  entry {entry} of {entries}"));
        }
    }
}

impl Withdrawn {
    /// The message at `index`; without an index, the only one.
    pub(super) fn choose(&self, index: Option<usize>) -> Result<&Withdrawal, BridgeError> {
        let count = self.withdrawals.len();
        match index {
            Some(index) => self.withdrawals.get(index),
            None if count == 1 => self.withdrawals.first(),
            None => None,
        }
        .ok_or(BridgeError::ChooseMessage { count })
    }
}

/// Formats a duration for people: `45 s`, `12 min`, `3 h 20 min`, `6 d 23 h`.
pub(super) fn about(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{minutes} min"),
        7_200..=172_799 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Formats an estimate: ` in about 45 s`, ` any moment`, or nothing if there is none.
pub(super) fn when(seconds: Option<u64>) -> String {
    match seconds {
        None => String::new(),
        Some(0) => " any moment".to_owned(),
        Some(seconds) => format!(" in about {}", about(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_with_two_units_at_most() {
        let said = [45, 119, 120, 7_199, 7_200, 90_000, 604_800].map(about);
        assert_eq!(
            said,
            ["45 s", "119 s", "2 min", "119 min", "2 h 0 min", "25 h 0 min", "7 d 0 h"]
        );
        assert_eq!(when(None), "");
        assert_eq!(when(Some(0)), " any moment");
        assert_eq!(when(Some(5)), " in about 5 s");
    }
}
