//! Runs the machine's steps as L1 does: [`RiscvStep`] and [`PreimageOracle`] in an EVM of this
//! process.
//!
//! Every call is a transaction under L1's rules (Osaka), so its gas is L1's gas.

mod difference;
mod evm;
mod hashed;
mod load;

use std::collections::HashSet;

use alloy::sol_types::{SolCall as _, SolInterface as _, SolValue as _};
use alloy_primitives::{Address, B256, Bytes, TxKind};
use turnpike_l1::{
    PreimageOracle::{self, PreimageOracleErrors},
    RiscvStep::{self, RiscvStepErrors, stepCall},
};
use turnpike_protocol::{LocalInputs, Preimage, Preimages};
use turnpike_vm::{STATE_BYTES, State, StepWitness};

use self::evm::{Evm, TxFailure};
pub use self::{
    difference::StepDifference,
    load::{NotABlob, load_call},
};

/// Address of the preimage oracle. Its code is placed there without running the constructor, which
/// sets nothing and takes seconds because it tries every precompile.
const ORACLE: Address = Address::repeat_byte(0x0c);

/// The deployed contracts that run steps on L1.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct L1Step {
    evm: Evm,
    step: Address,
    /// Keys and offsets that the preimage oracle holds.
    loaded: HashSet<(B256, u64)>,
}

/// The result of a step on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepResult {
    /// Hash of the state after the step.
    pub state: B256,
    /// Gas of its transaction.
    pub gas: L1Gas,
}

/// Gas of a transaction with a single call, intrinsic gas included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Gas {
    /// Gas that the sender pays.
    pub used: u64,
    /// Gas without the calldata floor (EIP-7623).
    pub without_floor: u64,
}

/// Why L1 did not take a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum L1StepError {
    /// A contract reverted with this reason.
    #[error("L1 refuses: {}", reason(.0))]
    Refused(Bytes),
    /// The preimage of the step's read is malformed.
    #[error(transparent)]
    NotABlob(#[from] NotABlob),
    /// A contract failed without a revert, which is a bug.
    #[error("L1 broke: {0}")]
    Broke(String),
}

impl L1Step {
    /// Deploys the contracts.
    pub fn new() -> Self {
        Self::with_contract(&RiscvStep::BYTECODE)
            .expect("invariant: the contracts that this was built with can be deployed")
    }

    /// Deploys the contracts, with `creation_code` in place of [`RiscvStep`]'s.
    ///
    /// # Errors
    ///
    /// If it cannot be deployed.
    pub fn with_contract(creation_code: &[u8]) -> Result<Self, L1StepError> {
        let mut evm = Evm::with_contract(ORACLE, PreimageOracle::DEPLOYED_BYTECODE.clone());
        let step = evm.create([creation_code, &ORACLE.abi_encode()].concat().into())?;
        Ok(Self { evm, step, loaded: HashSet::new() })
    }

    /// Takes the step after `state`, encoded by [`State::encode`], with its witness's `proof`.
    ///
    /// # Errors
    ///
    /// If L1 refuses: state and proof do not match, or the preimage oracle lacks what the step
    /// reads.
    pub fn step(
        &mut self,
        state: &[u8],
        proof: &[u8],
        local: &LocalInputs,
    ) -> Result<StepResult, L1StepError> {
        let outcome = self.evm.transact(TxKind::Call(self.step), call(state, proof, local));
        let output = outcome.result?.into_data();
        let state = stepCall::abi_decode_returns(&output)
            .map_err(|error| L1StepError::Broke(error.to_string()))?;
        Ok(StepResult { state, gas: outcome.gas })
    }

    /// Loads the 32 bytes of a preimage at an offset into the preimage oracle.
    ///
    /// # Errors
    ///
    /// If the preimage does not match its key.
    pub fn load(&mut self, preimage: &Preimage, offset: u64) -> Result<L1Gas, L1StepError> {
        let Some(call) = load_call(preimage, offset)? else { return Ok(L1Gas::default()) };
        let outcome = self.evm.transact(TxKind::Call(ORACLE), call);
        outcome.result?;
        Ok(outcome.gas)
    }

    /// Takes the step of a witness. Loads what it reads first, if `preimages` have it.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step) and [`load`](Self::load).
    pub fn prove(
        &mut self,
        witness: &StepWitness,
        preimages: &Preimages,
    ) -> Result<StepResult, L1StepError> {
        if let Some((key, offset)) = witness.read
            && let Some(preimage) = preimages.get(&key)
            && !self.loaded.contains(&(key, offset))
        {
            self.load(preimage, offset)?;
            self.loaded.insert((key, offset));
        }
        self.step(&witness.state.encode(), &witness.proof, &preimages.local)
    }

    /// The state whose hash [`step`](Self::step) returns, as the contract encoded it.
    fn after(&mut self, state: &[u8], proof: &[u8], local: &LocalInputs) -> Option<State> {
        let call = call(state, proof, local);
        let hashed = self.evm.last_hashed(TxKind::Call(self.step), call, STATE_BYTES)?;
        State::decode(hashed.as_array()?)
    }
}

impl Default for L1Step {
    fn default() -> Self {
        Self::new()
    }
}

impl From<TxFailure> for L1StepError {
    fn from(failure: TxFailure) -> Self {
        match failure {
            TxFailure::Reverted(reason) => Self::Refused(reason),
            TxFailure::Stopped(reason) => Self::Broke(reason),
        }
    }
}

fn call(state: &[u8], proof: &[u8], local: &LocalInputs) -> Bytes {
    let local = RiscvStep::LocalInputs {
        chainConfig: local.chain_config,
        outputRoot: local.output_root,
        inboxAcc: local.inbox_acc,
        blockIndex: local.block_index,
        dataMissing: local.data_missing,
    };
    let (state, proof) = (Bytes::copy_from_slice(state), Bytes::copy_from_slice(proof));
    stepCall { state, proof, local }.abi_encode().into()
}

/// A revert's reason, by name if it is one of the contracts' errors.
fn reason(data: &Bytes) -> String {
    let step = RiscvStepErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let oracle = || PreimageOracleErrors::abi_decode(data).map(|error| format!("{error:?}"));
    step.or_else(|_| oracle()).unwrap_or_else(|_| data.to_string())
}
