//! Calls to contracts, and the calls that a proposer sends to the rollup contract.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::OutputRoot;

use crate::{ProposedOutput, Rollup};

/// A call to a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub to: Address,
    /// Wei that the call carries.
    pub value: U256,
    /// Function and arguments.
    pub input: Bytes,
}

impl Call {
    /// A call to a contract's function without ether.
    pub fn of(to: Address, call: &impl SolCall) -> Self {
        Self { to, value: U256::ZERO, input: call.abi_encode().into() }
    }

    /// The same call with this amount of ether.
    #[must_use]
    pub fn with_value(self, value: U256) -> Self {
        Self { value, ..self }
    }
}

/// The calls of a proposer.
impl Call {
    /// Proposes `output`, whose header is `header`, after entry `entry` with the parent `parent`.
    pub fn propose(
        rollup: Address,
        parent: &ProposedOutput,
        (entry, acc): (u64, B256),
        output: &OutputRoot,
        header: Bytes,
        bond: U256,
    ) -> Self {
        let proof = Rollup::OutputRootProof {
            version: B256::ZERO,
            stateRoot: output.state_root,
            messagePasserStorageRoot: output.message_passer_storage_root,
            latestBlockhash: output.block_hash,
        };
        let call = Rollup::proposeCall {
            parentIndex: U256::from(parent.index),
            parentClaim: parent.claim,
            entry,
            expectedAcc: acc,
            proof,
            header,
        };
        Self::of(rollup, &call).with_value(bond)
    }

    /// Finalizes an output.
    pub fn finalize(rollup: Address, output: u64) -> Self {
        Self::of(rollup, &Rollup::finalizeCall { index: U256::from(output) })
    }

    /// Returns the bond of an output whose parent or earlier ancestor was rejected.
    pub fn void_output(rollup: Address, output: u64) -> Self {
        Self::of(rollup, &Rollup::voidOutputCall { index: U256::from(output) })
    }

    /// Withdraws the caller's credited bonds from the rollup contract.
    pub fn withdraw_bond(rollup: Address) -> Self {
        Self::of(rollup, &Rollup::withdrawBondCall {})
    }
}
