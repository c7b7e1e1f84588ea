//! A proof: a statement with the native and the machine's run, and the size of its witness.

use serde::Serialize;
use turnpike_protocol::{Preimage, Preimages};
use turnpike_vm::ElfError;

use super::{MachineRun, NativeRun, Statement, run_machine, run_native};

/// A statement and both runs of the program on it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What there is to prove.
    pub statement: Statement,
    /// The native run.
    pub native: NativeRun,
    /// The machine's run.
    pub machine: MachineRun,
}

/// Number and bytes of each kind of preimage in a witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WitnessSize {
    /// Keccak preimages: entries, calldata, header, trie nodes, code.
    pub keccak: PreimagesSize,
    /// Blobs.
    pub blobs: PreimagesSize,
    /// Precompile calls: inputs and outputs.
    pub precompiles: PreimagesSize,
}

/// Number and bytes of preimages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreimagesSize {
    /// Number of preimages.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Proof {
    /// Runs the program natively, and then in the machine on what the native run read.
    pub fn run(elf: &[u8], statement: Statement) -> Result<Self, ElfError> {
        let native = run_native(&statement.witness);
        let machine = run_machine(elf, &native.read)?;
        Ok(Self { statement, native, machine })
    }

    /// Whether node, native program and machine have the same output root.
    pub fn agrees(&self) -> bool {
        let expected = self.statement.output_root;
        self.native.result == Ok(expected) && self.machine.result == Ok(expected)
    }

    /// The smallest witness for the machine's run.
    pub const fn witness(&self) -> &Preimages {
        &self.machine.read
    }
}

impl WitnessSize {
    /// The size of a witness.
    pub fn of(witness: &Preimages) -> Self {
        let mut size = Self::default();
        for (_, preimage) in witness.iter() {
            match preimage {
                Preimage::Keccak { bytes } => size.keccak.add(bytes.len()),
                Preimage::Blob { bytes, .. } => size.blobs.add(bytes.len()),
                Preimage::Precompile { input, output, .. } => {
                    size.precompiles.add(input.len() + output.as_ref().map_or(0, |it| it.len()));
                }
            }
        }
        size
    }

    /// The sum over all kinds.
    pub const fn total(&self) -> PreimagesSize {
        let Self { keccak, blobs, precompiles } = self;
        PreimagesSize {
            count: keccak.count + blobs.count + precompiles.count,
            bytes: keccak.bytes + blobs.bytes + precompiles.bytes,
        }
    }
}

impl PreimagesSize {
    const fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }
}
