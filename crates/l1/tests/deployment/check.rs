//! A node starts only on the contracts of its genesis file.

use alloy::providers::Provider as _;
use alloy_primitives::{Address, Bytes, U256};
use serde_json::json;
use turnpike_l1::{L1Client, L1Error, deploy};
use turnpike_protocol::{ChainConfig, Genesis, L1Deployment};
use turnpike_test_anvil::Anvil;

use crate::{account, genesis_output};

/// Contract, its parameter, and a change of the configuration that changes it.
type ConfigCase = (&'static str, &'static str, fn(&mut ChainConfig));

const CONFIG_CASES: [ConfigCase; 18] = [
    ("Portal", "guardian", |it| it.guardian = Address::ZERO),
    ("Portal", "pauseMax", |it| it.pause_max += 1),
    ("Dispute", "blocksPerEntryMax", |it| it.entry_blocks_max += 1),
    ("Dispute", "gameBond", |it| it.game_bond += U256::ONE),
    ("Dispute", "gameClock", |it| it.game_clock += 1),
    ("Dispute", "gameIncrement", |it| it.game_increment += 1),
    // The longest game depends on the blocks of an output.
    ("Dispute", "disputeSecondsMax", |it| it.output_entries_max *= 32),
    ("Rollup", "entriesPerOutputMax", |it| it.output_entries_max -= 1),
    ("Rollup", "challengeWindow", |it| it.challenge_window += 1),
    ("Rollup", "proposerBond", |it| it.proposer_bond += U256::ONE),
    ("Inbox", "forceWindow", |it| it.force_window += 1),
    ("Inbox", "depositsPerEntryMax", |it| it.entry_deposits_max -= 1),
    ("Inbox", "originAgeMax", |it| it.origin_age_max += 1),
    ("Inbox", "entryBytesMax", |it| it.entry_bytes_max += 1),
    ("Inbox", "entryBlobsMax", |it| it.entry_blobs_max -= 1),
    ("Inbox", "entriesPerL1BlockMax", |it| it.entries_per_l1_block_max += 1),
    ("Inbox", "keyAdmin", |it| it.key_admin = Address::ZERO),
    ("Inbox", "keyDelay", |it| it.key_delay += 1),
];

async fn deployed(anvil: &Anvil) -> Genesis {
    let (url, batcher) = (anvil.url(), account(7).address());
    deploy(url, account(6), batcher, Genesis::dev(), |_| genesis_output()).await.expect("deploys")
}

/// What a node with this genesis file finds at its start.
async fn check(anvil: &Anvil, genesis: &Genesis) -> Result<(), L1Error> {
    let client = L1Client::connect(anvil.url(), genesis).await?;
    client.check_genesis(genesis, &genesis_output()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_parameter_is_named() {
    let anvil = Anvil::start();
    let genesis = deployed(&anvil).await;
    check(&anvil, &genesis).await.expect("the right contracts");
    for (contract, parameter, change) in CONFIG_CASES {
        let mut other = genesis.clone();
        change(&mut other.config);
        let error = check(&anvil, &other).await.expect_err(parameter).to_string();
        let named = format!("the {contract} contract belongs to another chain: {parameter} is ");
        assert!(error.starts_with(&named), "{parameter}: {error}");
    }
    let mut other = genesis.clone();
    other.config.key_delay = 61;
    let error = check(&anvil, &other).await.expect_err("another delay").to_string();
    assert!(error.ends_with("keyDelay is 60, expected 61"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_that_no_contract_holds_changes_the_hash() {
    let anvil = Anvil::start();
    let mut genesis = deployed(&anvil).await;
    genesis.config.time_drift_max += 1;
    let error = check(&anvil, &genesis).await.expect_err("another hash").to_string();
    assert!(error.contains("Inbox") && error.contains("chainConfigHash is 0x"), "{error}");
}

/// A second deployment's contract in place of the chain's own has the right code.
#[tokio::test(flavor = "multi_thread")]
async fn contract_of_another_deployment_is_named() {
    let anvil = Anvil::start();
    let genesis = deployed(&anvil).await;
    let other = deployed(&anvil).await.l1.expect("is deployed");
    type Case = (fn(&mut L1Deployment) -> &mut Address, Address, &'static str);
    let cases: [Case; 6] = [
        (|it| &mut it.portal, other.portal, "Portal contract belongs to another chain: _rollup"),
        (
            |it| &mut it.preimage_oracle,
            other.preimage_oracle,
            "RiscvStep contract belongs to another chain: oracle",
        ),
        (|it| &mut it.dispute, other.dispute, "Dispute contract belongs to another chain: rollup"),
        (
            |it| &mut it.bridge,
            other.bridge,
            "L1StandardBridge contract belongs to another chain: portal",
        ),
        (|it| &mut it.rollup, other.rollup, "Portal contract belongs to another chain: _rollup"),
        (|it| &mut it.inbox, other.inbox, "Dispute contract belongs to another chain: inbox"),
    ];
    for (place, address, expected) in cases {
        let mut genesis = genesis.clone();
        *place(genesis.l1.as_mut().expect("is deployed")) = address;
        let error = check(&anvil, &genesis).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_byte_of_code_is_named() {
    let anvil = Anvil::start();
    let genesis = deployed(&anvil).await;
    let l1 = genesis.l1.expect("is deployed");
    let riscv_step = account(6).address().create(4);
    for (contract, address) in [
        ("Inbox", l1.inbox),
        ("Portal", l1.portal),
        ("Rollup", l1.rollup),
        ("Dispute", l1.dispute),
        ("PreimageOracle", l1.preimage_oracle),
        ("RiscvStep", riscv_step),
        ("L1StandardBridge", l1.bridge),
    ] {
        let code = anvil.provider().get_code_at(address).await.expect("answers");
        for at in [0, code.len() - 1] {
            let mut changed = code.to_vec();
            changed[at] ^= 1;
            anvil.request("anvil_setCode", json!([address, Bytes::from(changed)])).await;
            let error = check(&anvil, &genesis).await.expect_err(contract).to_string();
            let expected = format!("the code of the {contract} contract at {address} differs");
            assert!(error.starts_with(&expected), "{contract}: {error}");
            assert!(error.contains(&format!("at byte {at}: ")), "{error}");
        }
        anvil.request("anvil_setCode", json!([address, Bytes::new()])).await;
        let error = check(&anvil, &genesis).await.expect_err(contract).to_string();
        assert!(error.starts_with(&format!("no {contract} contract at {address}")), "{error}");
        anvil.request("anvil_setCode", json!([address, code])).await;
    }
    check(&anvil, &genesis).await.expect("the code is restored");
}
