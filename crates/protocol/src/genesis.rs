//! The genesis file: rules, initial state and L1 contracts of a chain.

use alloc::collections::BTreeMap;

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::{
    CHUNK_BYTES_MAX, ChainConfig, ConfigError, Header, Load, extra_data,
    predeploys::{L2_STANDARD_BRIDGE, SEQUENCER_FEE_VAULT},
};

/// Storage slot of the L2 bridge that holds the L1 bridge's address.
const OTHER_BRIDGE_SLOT: U256 = U256::ONE;

/// A chain's genesis: rules, initial state and, once deployed, contracts on L1.
///
/// A verifier needs only this file and an L1 endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Genesis {
    /// The rules.
    pub config: ChainConfig,
    /// Timestamp of block 0, in seconds.
    pub timestamp: u64,
    /// The contracts on L1; `None` until they are deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1: Option<L1Deployment>,
    /// Account that signs preconfirmations, if the chain names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<Address>,
    /// Accounts of block 0.
    pub alloc: BTreeMap<Address, GenesisAccount>,
}

/// A chain's contracts on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct L1Deployment {
    /// Chain id of the L1.
    pub chain_id: u64,
    /// L1 block to start reading from. The contracts are not older.
    pub block_number: u64,
    /// The inbox of batches.
    pub inbox: Address,
    /// The portal: deposits and withdrawals.
    pub portal: Address,
    /// The rollup contract: outputs.
    pub rollup: Address,
    /// Challenges of outputs and their games.
    pub dispute: Address,
    /// The preimage oracle: preimages for one-step proofs.
    pub preimage_oracle: Address,
    /// The bridge for ether and tokens. Its L2 side is a predeploy.
    pub bridge: Address,
}

/// An account of block 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisAccount {
    /// Balance, in wei.
    #[serde(default)]
    pub balance: U256,
    /// Nonce.
    #[serde(default)]
    pub nonce: u64,
    /// Code.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub code: Bytes,
    /// Storage slots that are not zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<U256, U256>,
}

fn is_empty(code: &Bytes) -> bool {
    code.is_empty()
}

impl Genesis {
    /// The development chain before its deployment: ten funded accounts with public keys, and the
    /// predeploys.
    pub fn dev() -> Self {
        serde_json::from_str(include_str!("../genesis/dev.json"))
            .expect("invariant: the shipped genesis file is valid")
    }

    /// Checks that the chain is valid and provable.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.config.validate()?;
        let max = CHUNK_BYTES_MAX;
        match self.alloc.iter().find(|(_, account)| account.code.len() > max) {
            Some((&address, account)) => {
                Err(ConfigError::Code { address, found: account.code.len(), max })
            }
            None => Ok(()),
        }
    }

    /// Writes the L1 bridge's address into the L2 bridge. This changes the genesis block, so call
    /// it before anything that depends on the genesis hash.
    ///
    /// A chain without an L2 bridge is left unchanged.
    pub fn connect_bridge(&mut self, l1_bridge: Address) {
        if let Some(bridge) = self.alloc.get_mut(&L2_STANDARD_BRIDGE) {
            bridge.storage.insert(OTHER_BRIDGE_SLOT, U256::from_be_slice(l1_bridge.as_slice()));
        }
    }

    /// Time of block 0, in milliseconds.
    pub const fn timestamp_ms(&self) -> u64 {
        self.timestamp.saturating_mul(1_000)
    }

    /// Header of block 0, from the root of its state.
    pub fn header(&self, state_root: B256) -> Header {
        Header {
            parent_hash: B256::ZERO,
            beneficiary: SEQUENCER_FEE_VAULT,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            number: 0,
            gas_limit: self.config.block_gas_limit,
            timestamp: self.timestamp,
            extra_data: extra_data(Load::default(), self.timestamp_ms()),
            base_fee_per_gas: Some(self.config.base_fee_min),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_bridge_stores_the_l1_bridges_address() {
        let mut genesis = Genesis::dev();
        assert!(genesis.alloc[&L2_STANDARD_BRIDGE].storage.is_empty());
        genesis.connect_bridge(Address::repeat_byte(0x21));
        let expected = U256::from_be_slice(Address::repeat_byte(0x21).as_slice());
        assert_eq!(genesis.alloc[&L2_STANDARD_BRIDGE].storage[&U256::ONE], expected);
    }

    #[test]
    fn code_beyond_the_proofs_limit_is_rejected() {
        let mut genesis = Genesis::dev();
        assert_eq!(genesis.validate(), Ok(()));
        let address = Address::repeat_byte(0xc0);
        let code = Bytes::from(alloc::vec![0; CHUNK_BYTES_MAX + 1]);
        genesis.alloc.insert(address, GenesisAccount { code, ..GenesisAccount::default() });
        let (found, max) = (CHUNK_BYTES_MAX + 1, CHUNK_BYTES_MAX);
        assert_eq!(genesis.validate(), Err(ConfigError::Code { address, found, max }));
    }

    #[test]
    fn connect_bridge_leaves_a_chain_without_a_bridge_unchanged() {
        let mut genesis = Genesis::dev();
        genesis.alloc.remove(&L2_STANDARD_BRIDGE);
        let before = genesis.clone();
        genesis.connect_bridge(Address::repeat_byte(0x21));
        assert_eq!(genesis, before);
    }
}
