//! One step of the machine as L1 makes it: [`RiscvStep`] and [`PreimageOracle`] in an EVM of their
//! own, in this process.
//!
//! Every call is a transaction under L1's rules (Osaka), so what it costs there is known too.

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

/// Where the oracle is. Its code is put there without its constructor, which has nothing to set and
/// costs seconds: it tries all precompiles.
const ORACLE: Address = Address::repeat_byte(0x0c);

/// The contracts that L1 has for proofs, deployed.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct L1Step {
    evm: Evm,
    step: Address,
    /// What the oracle holds, by key and offset.
    loaded: HashSet<(B256, u64)>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepResult {
    /// Hash of the state after it.
    pub state: B256,
    /// What it costs.
    pub gas: L1Gas,
}

/// Gas of a transaction that does just one thing, all that it pays for being a transaction
/// included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Gas {
    /// What its sender pays for.
    pub used: u64,
    /// The same without the floor for its data (EIP-7623).
    pub without_floor: u64,
}

/// Why there is no state after a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum L1StepError {
    /// A contract refused, for this reason.
    #[error("L1 refuses: {}", reason(.0))]
    Refused(Bytes),
    /// What the step reads cannot be loaded.
    #[error(transparent)]
    NotABlob(#[from] NotABlob),
    /// A contract broke, which it must not.
    #[error("L1 broke: {0}")]
    Broke(String),
}

impl L1Step {
    /// Deploys the contracts.
    pub fn new() -> Self {
        Self::with_contract(&RiscvStep::BYTECODE)
            .expect("invariant: the contracts that this was built with can be deployed")
    }

    /// Deploys the contracts, but `creation_code` for [`RiscvStep`].
    ///
    /// # Errors
    ///
    /// If it cannot be deployed.
    pub fn with_contract(creation_code: &[u8]) -> Result<Self, L1StepError> {
        let mut evm = Evm::with_contract(ORACLE, PreimageOracle::DEPLOYED_BYTECODE.clone());
        let step = evm.create([creation_code, &ORACLE.abi_encode()].concat().into())?;
        Ok(Self { evm, step, loaded: HashSet::new() })
    }

    /// The state after `state`, both encoded as [`State::encode`] does; `proof` is its witness's.
    ///
    /// # Errors
    ///
    /// As L1 refuses them: if they do not belong together, or the oracle does not have what the
    /// step reads.
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

    /// Loads the 32 bytes at an offset behind the key of a preimage into the oracle.
    ///
    /// # Errors
    ///
    /// If the preimage is not what it says that it is.
    pub fn load(&mut self, preimage: &Preimage, offset: u64) -> Result<L1Gas, L1StepError> {
        let Some(call) = load_call(preimage, offset)? else { return Ok(L1Gas::default()) };
        let outcome = self.evm.transact(TxKind::Call(ORACLE), call);
        outcome.result?;
        Ok(outcome.gas)
    }

    /// The step that a witness is for. What it reads, if these preimages have it, is loaded before.
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

    /// The state of which [`step`](Self::step) gives the hash, as the contract has it.
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
    };
    let (state, proof) = (Bytes::copy_from_slice(state), Bytes::copy_from_slice(proof));
    stepCall { state, proof, local }.abi_encode().into()
}

/// A revert's reason: by name if it is one of the contracts' own.
fn reason(data: &Bytes) -> String {
    let step = RiscvStepErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let oracle = || PreimageOracleErrors::abi_decode(data).map(|error| format!("{error:?}"));
    step.or_else(|_| oracle()).unwrap_or_else(|_| data.to_string())
}
