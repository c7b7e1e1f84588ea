//! The genesis template for production can be deployed, and its README explains every value.

use std::collections::BTreeSet;

use serde_json::Value;
use turnpike_l1::{L1Client, deploy};
use turnpike_protocol::Genesis;
use turnpike_test_anvil::Anvil;

use crate::{account, genesis_output};

const TEMPLATE: &str = include_str!("../../../../deploy/genesis/production.json");
const README: &str = include_str!("../../../../deploy/genesis/README.md");

fn template() -> Genesis {
    serde_json::from_str(TEMPLATE).expect("a genesis file")
}

#[tokio::test(flavor = "multi_thread")]
async fn template_is_valid_and_deploys() {
    let genesis = template();
    genesis.validate().expect("is valid");
    let anvil = Anvil::start();
    let (url, batcher) = (anvil.url(), account(7).address());
    let deployed = deploy(url, account(6), batcher, genesis, |_| genesis_output()).await;
    let genesis = deployed.expect("deploys");
    let client = L1Client::connect(url, &genesis).await.expect("connects");
    client.check_genesis(&genesis, &genesis_output()).await.expect("the right contracts");
}

/// The keys of the development chain are public.
#[test]
fn template_names_no_development_account() {
    let dev = Genesis::dev();
    let text = TEMPLATE.to_lowercase();
    let funded: Vec<_> = dev.alloc.iter().filter(|(_, it)| !it.balance.is_zero()).collect();
    assert_eq!(funded.len(), 10);
    for (address, _) in funded {
        let digits = format!("{address:x}");
        assert!(!text.contains(digits.trim_start_matches("0x")), "{address}");
    }
    let predeploys: BTreeSet<_> =
        dev.alloc.iter().filter(|(_, it)| it.balance.is_zero()).map(|(it, _)| *it).collect();
    assert_eq!(template().alloc.into_keys().collect::<BTreeSet<_>>(), predeploys);
}

#[test]
fn readme_explains_every_value() {
    let genesis: Value = serde_json::from_str(TEMPLATE).expect("JSON");
    let config = genesis["config"].as_object().expect("an object");
    for (field, value) in config {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let start = format!("| `{field}` | {value} | ");
        let row = README.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row {start}"));
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(
            matches!(cells[..], [_, _, unit, why] if !unit.is_empty() && !why.is_empty()),
            "{row}"
        );
    }
    let is_value = |line: &&str| line.starts_with("| `") && line.matches('|').count() == 5;
    assert_eq!(README.lines().filter(is_value).count(), config.len(), "a row for no field");
}
