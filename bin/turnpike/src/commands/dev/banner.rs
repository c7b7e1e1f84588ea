use serde_json::json;
use turnpike_adversary::Attack;
use turnpike_protocol::Genesis;

use super::{accounts::Accounts, args::DevArgs, data::DataDir};

/// Prints what a user needs to use the chain: endpoints, contracts, accounts.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    pub(crate) genesis: &'a Genesis,
    pub(crate) data: &'a DataDir,
    pub(crate) l1_url: &'a str,
    pub(crate) l2_url: &'a str,
    pub(crate) accounts: &'a Accounts,
    pub(crate) args: &'a DevArgs,
}

impl Banner<'_> {
    pub(crate) fn print(&self) {
        if self.args.json { self.print_json() } else { self.print_text() }
    }

    fn print_json(&self) {
        let l1 = self.genesis.l1;
        let accounts: Vec<_> = self
            .accounts
            .listed()
            .map(|(address, key)| json!({ "address": address, "privateKey": key }))
            .collect();
        let line = json!({
            "event": "ready",
            "l2Url": self.l2_url,
            "l1Url": self.l1_url,
            "chainId": self.genesis.config.chain_id,
            "l1ChainId": l1.map(|l1| l1.chain_id),
            "genesis": self.data.genesis_path(),
            "contracts": l1.map(|l1| json!({
                "inbox": l1.inbox,
                "portal": l1.portal,
                "rollup": l1.rollup,
                "dispute": l1.dispute,
                "preimageOracle": l1.preimage_oracle,
                "bridge": l1.bridge,
            })),
            "accounts": accounts,
        });
        println!("{line}");
    }

    fn print_text(&self) {
        println!("Turnpike is up.");
        println!();
        println!(
            "  L2    {}  (chain id {}; JSON-RPC and REST)",
            self.l2_url, self.genesis.config.chain_id
        );
        if let Some(l1) = self.genesis.l1 {
            println!("  L1    {}  (chain id {})", self.l1_url, l1.chain_id);
            println!("        inbox   {}", l1.inbox);
            println!("        portal  {}  (deposits and withdrawals)", l1.portal);
            println!("        rollup  {}  (outputs)", l1.rollup);
            println!("        dispute {}  (challenges of outputs)", l1.dispute);
            println!("        bridge  {}  (ether and tokens)", l1.bridge);
        }
        println!("  data  {}  (--fresh starts over)", self.data.path().display());
        println!();
        println!("  Accounts with 10,000 ETH on both layers. Their keys are public.");
        for (index, (address, key)) in self.accounts.listed().enumerate() {
            let role = match index {
                5 if self.args.liar.is_some() => "  adversary",
                6 => "  deployer",
                7 => "  batcher",
                8 if self.args.liar == Some(Attack::State) => "  proposer",
                9 if self.args.liar == Some(Attack::State) => "  challenger",
                9 => "  proposer and challenger",
                _ => "",
            };
            println!("  ({index}) {address}  {key}{role}");
        }
        println!();
        match self.args.liar {
            Some(Attack::State) => println!(
                "  Adversary: the sequencer falsifies the state of the first block with a transaction of yours."
            ),
            Some(attack) => println!("  Adversary: it will claim that {}.", attack.description()),
            None => {}
        }
        println!("  Ctrl-C stops everything.");
        println!();
    }
}
