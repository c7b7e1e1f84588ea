//! Random blocks cover every case. A suite that only skips, or never destroys, proves nothing.

use std::collections::BTreeMap;

use turnpike_executor::{BlockExecutor, ChainSpec, Executed, SkipReason};
use turnpike_state::NodeState;

use crate::{
    random::{Rng, Tx},
    script::{Block, Family, Script},
};

/// How often each case occurred.
type Counts = BTreeMap<String, usize>;

/// Number of scripts counted.
const SCRIPTS: u64 = 150;

fn count(counts: &mut Counts, what: impl Into<String>, times: usize) {
    *counts.entry(what.into()).or_default() += times;
}

fn name_of(reason: &SkipReason) -> String {
    let text = format!("{reason:?}");
    let end = text.find([' ', '{', ')']).unwrap_or(text.len());
    text[..end].to_owned()
}

fn execute(spec: &ChainSpec, block: &Block, state: &NodeState) -> Executed<Tx> {
    let executor = BlockExecutor::open(spec, &block.context, state.flat());
    let mut executor = executor.expect("the fork is known");
    executor.execute_all(block.slices.iter().flatten().cloned()).expect("full state");
    executor.finish().expect("full state").0
}

/// Counts the transactions to which work makes a difference.
fn count_work(counts: &mut Counts, metered: &Executed<Tx>, unmetered: &Executed<Tx>) {
    for (metered, unmetered) in metered.transactions.iter().zip(unmetered.transactions.iter()) {
        if metered.tx.id != unmetered.tx.id {
            return;
        }
        let costs_more = metered.gas_used > unmetered.gas_used;
        count(counts, "work costs more gas", usize::from(costs_more));
        let ran_out = unmetered.is_success && !metered.is_success;
        count(counts, "out of work", usize::from(ran_out));
    }
}

fn counts(family: Family) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..SCRIPTS {
        let script = Script::random(&mut Rng::new(seed), family);
        let states = script.chains.iter();
        let mut states: Vec<_> =
            states.map(|chain| NodeState::from_genesis(&chain.genesis.to_diff()).0).collect();
        for block in &script.blocks {
            let (spec, state) = (&script.chains[block.chain].spec, &mut states[block.chain]);
            let mut executed = execute(spec, block, state);
            let unmetered = ChainSpec { meters_work: false, ..spec.clone() };
            count_work(&mut counts, &executed, &execute(&unmetered, block, state));
            count(&mut counts, "blocks", 1);
            for tx in executed.transactions.iter() {
                count(&mut counts, "included", 1);
                count(&mut counts, format!("success {}", tx.is_success), 1);
                count(&mut counts, format!("type {}", tx.tx.env.tx_type), 1);
                count(&mut counts, "logs", tx.logs.len());
                if tx.tx.mint.is_some() {
                    count(&mut counts, format!("deposit {}", tx.is_success), 1);
                }
            }
            for skipped in &executed.skipped {
                count(&mut counts, format!("skipped {}", name_of(&skipped.reason)), 1);
            }
            for change in &executed.diff().accounts {
                count(&mut counts, "changed", 1);
                count(&mut counts, "slots", change.storage.len());
                count(&mut counts, "gone", usize::from(change.account.is_none()));
                let is_back = change.storage_cleared && change.account.is_some();
                count(&mut counts, "back", usize::from(is_back));
            }
            for (_, code) in &executed.diff().codes {
                let is_delegation = code.starts_with(&[0xef, 0x01]);
                count(&mut counts, if is_delegation { "delegations" } else { "codes" }, 1);
            }
            state.apply(executed.diff());
        }
    }
    counts
}

const EVERYWHERE: [&str; 20] = [
    "back",
    "codes",
    "delegations",
    "gone",
    "logs",
    "skipped BlockGas",
    "skipped Invalid(CallGasCostMoreThanGasLimit",
    "skipped Invalid(EmptyAuthorizationList",
    "skipped Invalid(GasPriceLessThanBasefee",
    "skipped Invalid(InvalidChainId",
    "skipped Invalid(LackOfFundForMaxFee",
    "skipped Invalid(NonceTooHigh",
    "skipped Invalid(NonceTooLow",
    "skipped Invalid(TxGasLimitGreaterThanCap",
    "slots",
    "success false",
    "type 0",
    "type 1",
    "type 2",
    "type 4",
];

fn check(family: Family, also: &[&str]) {
    let counts = counts(family);
    for what in EVERYWHERE.iter().chain(also) {
        assert!(counts.get(*what).is_some_and(|count| *count > 0), "no {what}: {counts:#?}");
    }
    let skipped: usize =
        counts.iter().filter(|(what, _)| what.starts_with("skipped")).map(|(_, count)| count).sum();
    assert!(counts["included"] > 2 * skipped, "too much is skipped: {counts:#?}");
    assert!(counts["success true"] > counts["included"] / 2, "too much fails: {counts:#?}");
}

#[test]
fn random_ethereum_blocks_cover_every_case() {
    check(Family::Ethereum, &["type 3", "skipped Invalid(Eip2930NotSupported"]);
}

#[test]
fn random_turnpike_blocks_cover_every_case() {
    check(
        Family::Turnpike,
        &[
            "deposit true",
            "deposit false",
            "work costs more gas",
            "out of work",
            "skipped BlockWork",
        ],
    );
}
