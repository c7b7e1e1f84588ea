use serde::Serialize;
use turnpike_protocol::{Preimage, Preimages};
use turnpike_vm::ElfError;

use super::{MachineRun, NativeRun, Statement, run_machine, run_native};

/// A statement, and what the program makes of it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What was to be proven.
    pub statement: Statement,
    /// The program, natively.
    pub native: NativeRun,
    /// The program, in the machine.
    pub machine: MachineRun,
}

/// What a witness is made of: number and bytes of each kind of preimage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WitnessSize {
    /// Preimages of keccak256: entries, calldata, header, trie nodes, codes.
    pub keccak: PreimagesSize,
    /// Blobs.
    pub blobs: PreimagesSize,
    /// Precompile calls: inputs and outputs.
    pub precompiles: PreimagesSize,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreimagesSize {
    /// How many.
    pub count: usize,
    /// Bytes together.
    pub bytes: usize,
}

impl Proof {
    /// Runs the program natively, and on what that read in the machine.
    pub fn run(elf: &[u8], statement: Statement) -> Result<Self, ElfError> {
        let native = run_native(&statement.witness);
        let machine = run_machine(elf, &native.read)?;
        Ok(Self { statement, native, machine })
    }

    /// Whether node, native program and machine come to the same output root.
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
    /// That of a witness.
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

    /// All kinds together.
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
