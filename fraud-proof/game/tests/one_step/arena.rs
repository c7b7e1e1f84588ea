use std::{collections::HashMap, fmt, fs, sync::LazyLock};

use alloy_primitives::{B256, Bytes, hex, keccak256};
use serde_json::Value;
use turnpike_game::{L1Gas, L1Step};
use turnpike_protocol::{LocalInputs, Preimage, Preimages, keccak_key};
use turnpike_vm::{Image, Machine, Snapshot, State, StepWitness};

use crate::{
    ckb::CkbMachine,
    memory::{CkbMemory, PAGE_BYTES},
};

/// Pages of memory by address.
pub(crate) type Pages = HashMap<u64, Box<[u8; PAGE_BYTES as usize]>>;

pub(crate) const LOCAL: LocalInputs = LocalInputs {
    chain_config: B256::repeat_byte(0xc0),
    output_root: B256::repeat_byte(0x0e),
    inbox_acc: B256::repeat_byte(0xac),
    block_index: 0x0102_0304_0506_0708,
    data_missing: true,
};

/// Keccak preimages in the oracle, with lengths around a word's.
pub(crate) const PREIMAGE_BYTES: [usize; 6] = [0, 1, 31, 32, 33, 100];

/// All keys with a preimage. Local inputs come first.
pub(crate) static KEYS: LazyLock<Vec<B256>> = LazyLock::new(|| {
    let local = (0..5).map(|number| {
        let mut key = B256::with_last_byte(number);
        key[0] = 1;
        key
    });
    local.chain(PREIMAGE_BYTES.map(|length| keccak_key(keccak256(preimage(length))))).collect()
});

fn preimage(length: usize) -> Vec<u8> {
    (1..).take(length).collect()
}

/// The state before a step, without its memory.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) pc: u64,
    pub(crate) registers: [u64; 32],
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pc {:#x}, registers {:x?}", self.pc, self.registers)
    }
}

/// A step on which all machines agree.
pub(crate) struct Taken {
    pub(crate) witness: StepWitness,
    pub(crate) after: State,
    pub(crate) gas: L1Gas,
}

/// One memory on which all machines take single steps.
pub(crate) struct Arena {
    machine: Machine,
    base: Snapshot,
    ckb: CkbMachine,
    pub(crate) preimages: Preimages,
}

impl Arena {
    pub(crate) fn new(pages: &Pages) -> Self {
        let mut image = Image::new(0).expect("valid entry point");
        for (address, page) in pages {
            image = image.with_segment(*address, &page[..], PAGE_BYTES).expect("the segment fits");
        }
        let mut machine = Machine::new(&image);
        let mut preimages = Preimages::new(LOCAL);
        for length in PREIMAGE_BYTES {
            preimages.add(Preimage::Keccak { bytes: Bytes::from(preimage(length)) });
        }
        let ckb = CkbMachine::new(CkbMemory::of(pages), behind_keys());
        assert_eq!(CkbMemory::of(pages).root(), machine.state().memory_root);
        Self { base: machine.snapshot(), machine, ckb, preimages }
    }

    /// Takes the step by the machine's definition, by its fast path and in ckb-vm, and checks that
    /// they agree. Returns `None` if all of them lack a preimage.
    pub(crate) fn step(&mut self, start: &Start) -> Option<State> {
        self.set(start);
        let stepped = self.machine.step(&mut self.preimages).is_ok();
        let after = self.machine.state();

        self.set(start);
        let ran = self.machine.run(&mut self.preimages, 1).is_ok();
        assert_eq!(
            (ran, self.machine.state()),
            (stepped, after),
            "the fast path differs, {}",
            self.explain(start)
        );

        self.ckb.memory.undo();
        (self.ckb.pc, self.ckb.registers) = (start.pc, start.registers);
        (self.ckb.exit, self.ckb.step) = (None, 0);
        let ckb = (self.ckb.step(), self.ckb.state());
        assert_eq!(ckb, (stepped, after), "the step in ckb-vm differs, {}", self.explain(start));
        stepped.then_some(after)
    }

    /// Does what [`step`](Self::step) does, and compares with L1. After a jump or at the end it
    /// also compares the next step.
    pub(crate) fn step_on_l1(&mut self, start: &Start, l1: &mut L1Step) -> Option<Taken> {
        let after = self.step(start)?;
        self.set(start);
        let taken = self.prove(start, l1)?;
        assert_eq!(taken.after, after);
        let went_on = after.exit.is_none() && after.pc == start.pc.wrapping_add(4);
        if !went_on && self.ckb.step() {
            let next = self.prove(start, l1).expect("ckb-vm has the preimage");
            assert_eq!(
                self.ckb.state(),
                next.after,
                "the next step in ckb-vm differs, {}",
                self.explain(start)
            );
        }
        Some(taken)
    }

    /// Takes the machine's next step, and the same step on L1.
    fn prove(&mut self, start: &Start, l1: &mut L1Step) -> Option<Taken> {
        let witness = self.machine.witness();
        self.machine.step(&mut self.preimages).ok()?;
        let after = self.machine.state();
        let stepped = l1.prove(&witness, &self.preimages);
        let stepped =
            stepped.unwrap_or_else(|error| panic!("L1: {error}, {}", self.explain(start)));
        assert_eq!(
            stepped.state,
            after.hash(),
            "the step on L1 differs, {}, after {after:x?}",
            self.explain(start)
        );
        Some(Taken { witness, after, gas: stepped.gas })
    }

    pub(crate) fn witness(&mut self, start: &Start) -> StepWitness {
        self.set(start);
        self.machine.witness()
    }

    fn set(&mut self, start: &Start) {
        self.machine.restore(&self.base);
        self.machine.set_pc(start.pc);
        for (number, value) in (1..).zip(&start.registers[1..]) {
            self.machine.set_register(number, *value);
        }
    }

    fn explain(&mut self, start: &Start) -> String {
        self.set(start);
        let word = self.machine.instruction_word().unwrap_or_default();
        format!("{word:#010x} {:?} from {start:?}", self.machine.instruction())
    }
}

fn behind_keys() -> HashMap<B256, Vec<u8>> {
    let block_index = B256::left_padding_from(&LOCAL.block_index.to_be_bytes());
    let data_missing = B256::with_last_byte(LOCAL.data_missing.into());
    let local = [LOCAL.chain_config, LOCAL.output_root, LOCAL.inbox_acc, block_index, data_missing];
    let local = local.map(|word| word.to_vec());
    KEYS.iter().copied().zip(local.into_iter().chain(PREIMAGE_BYTES.map(preimage))).collect()
}

/// L1 with the committed `RiscvStep`. `TURNPIKE_STEP_CONTRACT` may name a forge artefact of a
/// faulty one, to show that the tests detect it.
pub(crate) fn l1() -> L1Step {
    let Some(file) = std::env::var_os("TURNPIKE_STEP_CONTRACT") else { return L1Step::new() };
    let artifact = fs::read(file).expect("the artefact can be read");
    let artifact: Value = serde_json::from_slice(&artifact).expect("the artefact is JSON");
    let code = artifact["bytecode"]["object"].as_str().expect("the artefact has code");
    L1Step::with_contract(&hex::decode(code).expect("code is hexadecimal"))
        .expect("the contract deploys")
}
