use alloy_primitives::B256;
use turnpike_game::{
    Trace, TraceFault,
    prove::{BlockPosition, PROGRAM, RecordingOracle},
};
use turnpike_protocol::{Header, OutputRoot};

use crate::{
    AdversaryError, Attack, FalseOracle, InboxCopy, false_header,
    false_inputs::{self, FalseInputs},
    inbox_copy::TargetBlock,
};

/// Register of the exit code at the program's end.
const EXIT_CODE: u8 = 10;

/// The first of the four registers that hold the output root at the end.
const ROOT: u8 = 11;

/// Register of an `ecall`'s number, and the number of the `ecall` that ends the program.
const CALL: u8 = 17;
const EXIT: u64 = 93;

/// A false block, and a run of the program that returns its output root.
#[derive(Debug)]
pub struct FalseBlock {
    /// The block's position.
    pub at: BlockPosition,
    /// The output root's preimage after the block.
    pub output: OutputRoot,
    /// Its header.
    pub header: Header,
    /// The run.
    pub trace: Trace,
}

impl FalseBlock {
    /// Falsifies a block. Fails with [`AdversaryError::Inapplicable`] if the block holds nothing to
    /// falsify.
    pub fn forge(
        attack: Attack,
        inbox: &InboxCopy,
        at: BlockPosition,
    ) -> Result<Self, AdversaryError> {
        let BlockPosition { entry, index } = at;
        let inapplicable = || AdversaryError::Inapplicable { attack, entry, index };
        let block = inbox.target(inbox.genesis(), at)?.ok_or_else(inapplicable)?;
        let inputs = match attack {
            Attack::State => false_inputs::state(&block)?,
            Attack::Deposit => false_inputs::deposit(&block)?,
            Attack::Signature => false_inputs::signature(&block)?,
            Attack::Decompression => false_inputs::decompression(&block)?,
            Attack::Precompile => false_inputs::precompile(&block)?,
            _ => return Self::from_fault(attack, block),
        };
        let inputs = inputs.ok_or_else(inapplicable)?;
        let config = &inbox.genesis().config;
        let outcome = inputs.transition(config)?;
        let truth = inbox.roots()?.after_block(at);
        if truth == Some(outcome.output.hash()) {
            return Err(AdversaryError::Harmless(attack));
        }
        let FalseInputs { witness, preimages, .. } = inputs;
        let mut oracle = FalseOracle::new(RecordingOracle::new(&witness), preimages.clone());
        let result = turnpike_program::run(&mut oracle);
        if result != Ok(outcome.output.hash()) {
            return Err(AdversaryError::Inconsistent(result));
        }
        let read = oracle.into_honest().into_read();
        let oracle = FalseOracle::new(read.clone(), preimages);
        let trace = Trace::forged(PROGRAM, oracle, read, None)?;
        Ok(Self { at, output: outcome.output, header: outcome.header, trace })
    }

    /// Falsifies a block by changing the machine's state instead of the oracle.
    fn from_fault(attack: Attack, mut block: TargetBlock<'_>) -> Result<Self, AdversaryError> {
        let at = block.at;
        let mut honest = block.inbox.trace(at)?.ok_or(AdversaryError::Harmless(attack))?;
        let outcome = block.chain.execute(&block.input)?;
        let (header, output) = match attack {
            Attack::Receipt => false_header::with_false_receipt(&outcome),
            // The root depends on the attack, so that several attacks can propose outputs on the
            // same parent.
            _ => false_header::with_false_state(&outcome, attack.name()),
        };
        let trace = match attack {
            Attack::Step => trace_jumping_to(&mut honest, output.hash())?,
            _ => trace_ending_with(&mut honest, output.hash())?,
        };
        Ok(Self { at, output, header, trace })
    }
}

/// The honest run with another root in its last state.
pub(crate) fn trace_ending_with(honest: &mut Trace, root: B256) -> Result<Trace, AdversaryError> {
    let end = honest.final_state()?.step;
    let fault = TraceFault::new(end - 1, move |machine| {
        for (register, word) in root_registers(root) {
            machine.set_register(register, word);
        }
    });
    Ok(Trace::forged(PROGRAM, honest.preimages().clone(), honest.preimages().clone(), Some(fault))?)
}

/// The honest run up to its middle, where it jumps to the program's end with another root.
fn trace_jumping_to(honest: &mut Trace, root: B256) -> Result<Trace, AdversaryError> {
    let end = honest.final_state()?.step;
    let exit = honest.state_at(end - 1)?.pc;
    let fault = TraceFault::new(end / 2, move |machine| {
        machine.set_pc(exit);
        machine.set_register(CALL, EXIT);
        machine.set_register(EXIT_CODE, 0);
        for (register, word) in root_registers(root) {
            machine.set_register(register, word);
        }
    });
    Ok(Trace::forged(PROGRAM, honest.preimages().clone(), honest.preimages().clone(), Some(fault))?)
}

fn root_registers(root: B256) -> [(u8, u64); 4] {
    let (words, _) = root.as_chunks::<8>();
    [0_u8, 1, 2, 3].map(|at| (ROOT + at, u64::from_le_bytes(words[usize::from(at)])))
}
