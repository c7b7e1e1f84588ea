//! The JSON format of state tests.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::Deserialize;
use turnpike_state::NodeState;

use super::template::{Indexes, TransactionTemplate};
use crate::{
    error::OutOfRange,
    execute::{PreAccount, state_of},
    quantity::Quantity,
};

/// A test of the `GeneralStateTests` of ethereum/tests, or a `state_test` of execution-spec-tests.
#[derive(Debug, Deserialize)]
pub(crate) struct StateTest {
    pub(crate) env: BlockEnvironment,
    pre: BTreeMap<Address, PreStateAccount>,
    pub(crate) transaction: TransactionTemplate,
    /// Expected outcomes, by name of the fork.
    pub(crate) post: BTreeMap<String, Vec<Post>>,
    config: Option<TestConfig>,
}

#[derive(Debug, Deserialize)]
struct TestConfig {
    chainid: Option<Quantity>,
}

/// Header fields of the block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockEnvironment {
    pub(crate) current_coinbase: Address,
    pub(crate) current_difficulty: Option<Quantity>,
    pub(crate) current_gas_limit: Quantity,
    pub(crate) current_number: Quantity,
    pub(crate) current_timestamp: Quantity,
    pub(crate) current_base_fee: Option<Quantity>,
    pub(crate) current_random: Option<Quantity>,
    pub(crate) current_excess_blob_gas: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
struct PreStateAccount {
    balance: U256,
    nonce: Quantity,
    code: Bytes,
    storage: BTreeMap<U256, U256>,
}

/// Expected outcome of one variant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    /// State root.
    pub(crate) hash: B256,
    /// `keccak256(rlp(logs))`.
    pub(crate) logs: B256,
    pub(crate) indexes: Indexes,
    /// The transaction must be refused with this exception.
    pub(crate) expect_exception: Option<String>,
    /// The signed transaction.
    pub(crate) txbytes: Option<Bytes>,
}

impl StateTest {
    /// The pre-state.
    pub(crate) fn pre_state(&self) -> Result<NodeState, OutOfRange> {
        Ok(state_of(self.accounts()?))
    }

    /// Accounts of the pre-state.
    pub(crate) fn accounts(&self) -> Result<BTreeMap<Address, PreAccount>, OutOfRange> {
        let account = |(address, account): (&Address, &PreStateAccount)| {
            let PreStateAccount { balance, nonce, code, storage } = account;
            let (nonce, code, storage) = (nonce.u64("nonce")?, code.clone(), storage.clone());
            Ok((*address, PreAccount { balance: *balance, nonce, code, storage }))
        };
        self.pre.iter().map(account).collect()
    }

    /// EIP-155 chain id; mainnet's by default.
    pub(crate) fn chain_id(&self) -> Result<u64, OutOfRange> {
        let given = self.config.as_ref().and_then(|config| config.chainid.as_ref());
        given.map_or(Ok(1), |id| id.u64("chainid"))
    }
}
