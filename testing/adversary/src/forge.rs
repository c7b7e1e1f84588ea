use alloy_primitives::{B256, Bytes};
use turnpike_executor::{BlockOutcome, ChainHead, execute_next_block};
use turnpike_game::{
    Trace, TraceFault,
    prove::{BlockPosition, PROGRAM, RecordingOracle},
};
use turnpike_protocol::{
    BlockInput, ChainConfig, Header, OutputRoot, Preimage, Preimages, keccak_key, precompile_key,
};
use turnpike_state::{PartialState, PrecompileOutcome, PreimageSource};

use crate::{
    Chronicle, Kind, LiarError, LyingOracle,
    chronicle::Block,
    falsify::{falsified_receipt, falsified_state},
    lies,
    oracle::Lies,
};

/// Register of the call's number at the program's end.
const EXIT_CODE: u8 = 10;

/// The first of the four registers that hold the output root at the end.
const ROOT: u8 = 11;

/// Register of an `ecall`'s number, and the number of the one that ends the program.
const CALL: u8 = 17;
const EXIT: u64 = 93;

/// A false block, and a run of the program that comes to it.
#[derive(Debug)]
pub struct Forgery {
    /// Where.
    pub at: BlockPosition,
    /// The output root's preimage after it.
    pub output: OutputRoot,
    /// Its header.
    pub header: Header,
    /// The run.
    pub trace: Trace,
}

/// What a lie says that L1 holds, and what follows from that.
#[derive(Debug)]
pub(crate) struct Lie {
    /// All that the program may read, the truth.
    pub(crate) witness: Preimages,
    /// What is said instead.
    pub(crate) lies: Lies,
    /// The head that the block is built on, and the block.
    pub(crate) head: ChainHead,
    pub(crate) input: BlockInput,
}

/// Tells a lie about a block.
pub fn forge(kind: Kind, chronicle: &Chronicle, at: BlockPosition) -> Result<Forgery, LiarError> {
    let BlockPosition { entry, index } = at;
    let nothing = || LiarError::Nothing { kind, entry, index };
    let block = chronicle.before(chronicle.genesis(), at)?.ok_or_else(nothing)?;
    let lie = match kind {
        Kind::State => lies::state(&block)?,
        Kind::Deposit => lies::deposit(&block)?,
        Kind::Signature => lies::signature(&block)?,
        Kind::Decompression => lies::decompression(&block)?,
        Kind::Precompile => lies::precompile(&block)?,
        _ => return fault(kind, block),
    };
    let lie = lie.ok_or_else(nothing)?;
    let config = &chronicle.genesis().config;
    let outcome = lie.transition(config)?;
    let truth = chronicle.roots()?.after_block(at);
    if truth == Some(outcome.output.hash()) {
        return Err(LiarError::Harmless(kind));
    }
    let Lie { witness, lies, .. } = lie;
    let mut oracle = LyingOracle::new(RecordingOracle::new(&witness), lies.clone());
    let result = turnpike_program::run(&mut oracle);
    if result != Ok(outcome.output.hash()) {
        return Err(LiarError::Incoherent(result));
    }
    let read = oracle.into_truth().into_read();
    let oracle = LyingOracle::new(read.clone(), lies);
    let trace = Trace::forged(PROGRAM, oracle, read, None)?;
    Ok(Forgery { at, output: outcome.output, header: outcome.header, trace })
}

/// A lie that no oracle tells: the machine's state is changed.
fn fault(kind: Kind, mut block: Block<'_>) -> Result<Forgery, LiarError> {
    let at = block.at;
    let mut honest = block.chronicle.trace(at)?.ok_or(LiarError::Harmless(kind))?;
    let outcome = block.chain.execute(&block.input)?;
    let (header, output) = match kind {
        Kind::Receipt => falsified_receipt(&outcome),
        // Each kind has a root of its own, so that their outputs can stand side by side.
        _ => falsified_state(&outcome, kind.name()),
    };
    let trace = match kind {
        Kind::Step => jumping(&mut honest, output.hash())?,
        _ => claiming(&mut honest, output.hash())?,
    };
    Ok(Forgery { at, output, header, trace })
}

/// A run like an honest one that ends with another root.
pub(crate) fn claiming(honest: &mut Trace, root: B256) -> Result<Trace, LiarError> {
    let end = honest.final_state()?.step;
    let fault = TraceFault::new(end - 1, move |machine| {
        for (register, word) in root_registers(root) {
            machine.set_register(register, word);
        }
    });
    Ok(Trace::forged(PROGRAM, honest.preimages().clone(), honest.preimages().clone(), Some(fault))?)
}

/// A run like an honest one that jumps to its end half way, with another root.
fn jumping(honest: &mut Trace, root: B256) -> Result<Trace, LiarError> {
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

impl Lie {
    /// The block, as it is on what the lie says.
    fn transition(&self, config: &ChainConfig) -> Result<BlockOutcome, LiarError> {
        let Self { head, input, .. } = self;
        let mut state = PartialState::new(head.output.state_root, self);
        Ok(execute_next_block(config, &head.header, head.hash(), input, &mut state)?)
    }
}

impl PreimageSource for &Lie {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        match self.witness.get(&keccak_key(*hash))? {
            Preimage::Keccak { bytes } => Some(bytes.clone()),
            _ => None,
        }
    }

    fn precompile(
        &mut self,
        address: &alloy_primitives::Address,
        input: &[u8],
    ) -> Option<PrecompileOutcome> {
        let answer = self.lies.get(&precompile_key(address, input))?;
        Some(match answer.split_first() {
            Some((1, _)) => PrecompileOutcome::Output(answer.slice(1..)),
            _ => PrecompileOutcome::Failure,
        })
    }
}
