//! Compares code and parameters of the deployed contracts with this build and the genesis file.
//!
//! Every parameter is an immutable, which runtime code holds as words at positions that the
//! compiler names (`immutables.json`). All other bytes must equal this build's code, and every one
//! of these words the value that follows from the genesis file. So the contracts do what this build
//! expects, with these parameters. Storage that a contract's creation wrote is not compared.

use std::collections::BTreeMap;

use alloy::{
    eips::BlockNumberOrTag,
    providers::{DynProvider, Provider as _},
    rpc::client::BatchRequest,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{ChainConfig, L1Deployment};

use crate::{
    Dispute, Inbox, L1Error, L1StandardBridge, Portal, PreimageOracle, RiscvStep, Rollup,
    deploy::dispute_seconds_max,
};

/// For each contract, the offsets of each immutable in its runtime code.
type Immutables = BTreeMap<String, BTreeMap<String, Vec<usize>>>;

const WORD_BYTES: usize = 32;

fn immutables() -> Immutables {
    serde_json::from_str(include_str!("../../../contracts/artifacts/immutables.json"))
        .expect("invariant: the committed file is valid")
}

/// A parameter of a contract.
#[derive(Clone, Copy, Debug)]
enum Value {
    Number(U256),
    Address(Address),
    Hash(B256),
}

impl Value {
    fn number(value: impl Into<u64>) -> Self {
        Self::Number(U256::from(value.into()))
    }

    fn word(self) -> B256 {
        match self {
            Self::Number(value) => value.into(),
            Self::Address(value) => value.into_word(),
            Self::Hash(value) => value,
        }
    }

    /// This word as a value of the same kind.
    fn show(self, word: B256) -> String {
        match self {
            Self::Number(_) => U256::from_be_bytes(word.0).to_string(),
            Self::Address(_) if word[..12] == [0; 12] => Address::from_word(word).to_string(),
            Self::Address(_) | Self::Hash(_) => word.to_string(),
        }
    }
}

/// A contract as it should be on L1.
#[derive(Debug)]
struct Contract {
    name: &'static str,
    address: Address,
    code: &'static Bytes,
    /// Every immutable, in the order of the comparison.
    parameters: Vec<(&'static str, Value)>,
}

/// Checks code and parameters of all contracts of a chain.
pub(crate) async fn check_contracts(
    provider: &DynProvider,
    deployment: &L1Deployment,
    config: &ChainConfig,
    config_hash: B256,
) -> Result<(), L1Error> {
    let immutables = immutables();
    let dispute_code = &codes(provider, &[deployment.dispute]).await?[0];
    let riscv_step = riscv_step(dispute_code, &immutables["Dispute"]["riscvStep"]);
    let contracts = contracts(deployment, riscv_step, config, config_hash);
    let addresses: Vec<_> = contracts.iter().map(|contract| contract.address).collect();
    let codes = codes(provider, &addresses).await?;
    contracts
        .iter()
        .zip(&codes)
        .try_for_each(|(contract, found)| contract.check(found, &immutables[contract.name]))
}

/// Reads the runtime code of contracts, in one batch.
async fn codes(provider: &DynProvider, addresses: &[Address]) -> Result<Vec<Bytes>, L1Error> {
    let mut batch = BatchRequest::new(provider.client());
    let mut answers = Vec::with_capacity(addresses.len());
    for address in addresses {
        answers.push(batch.add_call("eth_getCode", &(address, BlockNumberOrTag::Latest))?);
    }
    batch.send().await?;
    let mut codes = Vec::with_capacity(addresses.len());
    for answer in answers {
        codes.push(answer.await?);
    }
    Ok(codes)
}

/// The address in the code of `Dispute`, which no genesis file names.
fn riscv_step(dispute_code: &[u8], offsets: &[usize]) -> Address {
    let word = offsets.first().and_then(|&offset| word_at(dispute_code, offset));
    Address::from_word(word.unwrap_or_default())
}

fn word_at(code: &[u8], offset: usize) -> Option<B256> {
    Some(B256::from_slice(code.get(offset..offset + WORD_BYTES)?))
}

impl Contract {
    /// Compares the code on L1 with the expected code, byte by byte.
    fn check(&self, found: &[u8], offsets: &BTreeMap<String, Vec<usize>>) -> Result<(), L1Error> {
        if found.is_empty() {
            return Err(L1Error::NoContract { contract: self.name, address: self.address });
        }
        self.check_code(found, offsets)?;
        self.parameters
            .iter()
            .try_for_each(|&(name, value)| self.check_parameter(name, value, found, &offsets[name]))
    }

    /// Compares all bytes that hold no immutable.
    fn check_code(
        &self,
        found: &[u8],
        offsets: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(), L1Error> {
        let mut code = found.to_vec();
        for &offset in offsets.values().flatten() {
            if let Some(word) = code.get_mut(offset..offset + WORD_BYTES) {
                word.fill(0);
            }
        }
        let end = code.len().max(self.code.len());
        let Some(at) = (0..end).find(|&at| code.get(at) != self.code.get(at)) else {
            return Ok(());
        };
        let byte =
            |code: &[u8]| code.get(at).map_or_else(|| "the end".into(), |it| format!("0x{it:02x}"));
        let (expected, found) = (byte(self.code), byte(&code));
        Err(L1Error::OtherCode { contract: self.name, address: self.address, at, expected, found })
    }

    fn check_parameter(
        &self,
        name: &'static str,
        value: Value,
        code: &[u8],
        offsets: &[usize],
    ) -> Result<(), L1Error> {
        let expected = value.word();
        let mut words = offsets.iter().filter_map(|&offset| word_at(code, offset));
        let Some(found) = words.find(|&word| word != expected) else { return Ok(()) };
        Err(L1Error::OtherChain {
            contract: self.name,
            what: name,
            expected: value.show(expected),
            found: value.show(found),
        })
    }
}

/// The contracts of a chain as they should be. `Dispute` comes before `RiscvStep`, whose address it
/// holds, and the hash of all parameters last, so that an error names the parameter that differs.
fn contracts(
    deployment: &L1Deployment,
    riscv_step: Address,
    config: &ChainConfig,
    config_hash: B256,
) -> [Contract; 7] {
    let L1Deployment { inbox, portal, rollup, dispute, preimage_oracle, bridge, .. } = *deployment;
    let contract = |name, address, code, parameters| Contract { name, address, code, parameters };
    let oracle = vec![("oracle", Value::Address(preimage_oracle))];
    let of_dispute = dispute_parameters(deployment, riscv_step, config);
    let of_inbox = inbox_parameters(deployment, config, config_hash);
    [
        contract("Portal", portal, &Portal::DEPLOYED_BYTECODE, portal_parameters(rollup, config)),
        contract("Dispute", dispute, &Dispute::DEPLOYED_BYTECODE, of_dispute),
        contract("PreimageOracle", preimage_oracle, &PreimageOracle::DEPLOYED_BYTECODE, vec![]),
        contract("RiscvStep", riscv_step, &RiscvStep::DEPLOYED_BYTECODE, oracle),
        contract(
            "L1StandardBridge",
            bridge,
            &L1StandardBridge::DEPLOYED_BYTECODE,
            vec![("portal", Value::Address(portal))],
        ),
        contract(
            "Rollup",
            rollup,
            &Rollup::DEPLOYED_BYTECODE,
            rollup_parameters(inbox, dispute, config),
        ),
        contract("Inbox", inbox, &Inbox::DEPLOYED_BYTECODE, of_inbox),
    ]
}

fn portal_parameters(rollup: Address, config: &ChainConfig) -> Vec<(&'static str, Value)> {
    vec![
        ("_rollup", Value::Address(rollup)),
        ("guardian", Value::Address(config.guardian)),
        ("pauseMax", Value::number(config.pause_max)),
    ]
}

fn dispute_parameters(
    deployment: &L1Deployment,
    riscv_step: Address,
    config: &ChainConfig,
) -> Vec<(&'static str, Value)> {
    vec![
        ("rollup", Value::Address(deployment.rollup)),
        ("inbox", Value::Address(deployment.inbox)),
        ("riscvStep", Value::Address(riscv_step)),
        ("blocksPerEntryMax", Value::number(config.blocks_per_entry_max())),
        ("gameBond", Value::Number(config.game_bond)),
        ("gameClock", Value::number(config.game_clock)),
        ("gameIncrement", Value::number(config.game_increment)),
        ("disputeSecondsMax", Value::number(dispute_seconds_max(config).unwrap_or(u64::MAX))),
    ]
}

fn rollup_parameters(
    inbox: Address,
    dispute: Address,
    config: &ChainConfig,
) -> Vec<(&'static str, Value)> {
    vec![
        ("inbox", Value::Address(inbox)),
        ("dispute", Value::Address(dispute)),
        ("challengeWindow", Value::number(config.challenge_window)),
        ("entriesPerOutputMax", Value::number(config.output_entries_max)),
        ("proposerBond", Value::Number(config.proposer_bond)),
    ]
}

fn inbox_parameters(
    deployment: &L1Deployment,
    config: &ChainConfig,
    config_hash: B256,
) -> Vec<(&'static str, Value)> {
    vec![
        ("portal", Value::Address(deployment.portal)),
        ("forceWindow", Value::number(config.force_window)),
        ("depositsPerEntryMax", Value::number(config.entry_deposits_max)),
        ("originAgeMax", Value::number(config.origin_age_max)),
        ("entryBytesMax", Value::number(config.entry_bytes_max)),
        ("entryBlobsMax", Value::number(config.entry_blobs_max)),
        ("entriesPerL1BlockMax", Value::number(config.entries_per_l1_block_max)),
        ("keyAdmin", Value::Address(config.key_admin)),
        ("keyDelay", Value::number(config.key_delay)),
        ("chainConfigHash", Value::Hash(config_hash)),
    ]
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::Genesis;

    use super::*;

    fn expected() -> [Contract; 7] {
        let address = Address::repeat_byte(1);
        let deployment = L1Deployment {
            chain_id: 1,
            block_number: 0,
            inbox: address,
            portal: address,
            rollup: address,
            dispute: address,
            preimage_oracle: address,
            bridge: address,
        };
        contracts(&deployment, address, &Genesis::dev().config, B256::ZERO)
    }

    #[test]
    fn every_immutable_of_every_contract_is_compared() {
        let immutables = immutables();
        let contracts = expected();
        assert_eq!(contracts.len(), immutables.len());
        for contract in contracts {
            let mut names: Vec<_> = contract.parameters.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            assert_eq!(names, immutables[contract.name].keys().collect::<Vec<_>>());
        }
    }

    /// The code that the contract's creation leaves on L1.
    fn deployed(contract: &Contract, offsets: &BTreeMap<String, Vec<usize>>) -> Vec<u8> {
        let mut code = contract.code.to_vec();
        for (name, value) in &contract.parameters {
            for &offset in &offsets[*name] {
                code[offset..offset + WORD_BYTES].copy_from_slice(value.word().as_slice());
            }
        }
        code
    }

    #[test]
    fn every_changed_byte_is_found() {
        let immutables = immutables();
        for contract in expected() {
            let offsets = &immutables[contract.name];
            let code = deployed(&contract, offsets);
            contract.check(&code, offsets).expect("the expected code");
            let in_parameters: Vec<_> =
                offsets.values().flatten().flat_map(|&at| at..at + 32).collect();
            let positions =
                (0..code.len()).step_by(997).chain([code.len() - 1]).chain(in_parameters);
            for at in positions {
                let mut changed = code.clone();
                changed[at] ^= 1;
                assert!(contract.check(&changed, offsets).is_err(), "{} at {at}", contract.name);
            }
            let longer = [&code[..], &[0]].concat();
            assert!(contract.check(&longer, offsets).is_err(), "a longer code");
            assert!(contract.check(&code[..code.len() - 1], offsets).is_err(), "a shorter code");
        }
    }
}
