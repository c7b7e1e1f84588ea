//! Single steps against an implementation of RV64IM that is not ours: ckb-vm's interpreter.

mod support;

use ckb_vm::{
    CoreMachine, DefaultCoreMachine, DefaultMachine, DefaultMachineBuilder, FlatMemory, ISA_IMC,
    Memory, SupportMachine,
    decoder::{Decoder, build_decoder},
    instructions::execute,
    machine::VERSION2,
};
use support::{bytes, no_oracle};
use turnpike_vm::{Class, Image, Instruction, Machine, Op, decode};

/// Both machines have memory up to here.
const END: u64 = 4 << 20;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x20_0000;
/// Instructions of one pair of machines.
const BATCH: usize = 20_000;
const OPCODE_FENCE: u32 = 0x0f;

type Theirs = DefaultMachine<DefaultCoreMachine<u64, FlatMemory<u64>>>;

/// `SplitMix64`: numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn word(&mut self) -> u32 {
        u32::try_from(self.below(1 << 32)).expect("below 2^32")
    }

    fn number(&mut self) -> u8 {
        u8::try_from(self.below(32)).expect("below 32")
    }

    /// Values at which instructions have their edges, and any others.
    fn value(&mut self) -> u64 {
        let edges =
            [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, 0xffff_ffff, 1 << 32];
        match self.below(4) {
            0 => edges[usize::try_from(self.below(9)).expect("few")],
            1 => self.below(130).wrapping_sub(65),
            2 => u64::from(self.word()),
            _ => self.next(),
        }
    }

    fn instruction(&mut self) -> u32 {
        let op = Op::ALL[usize::try_from(self.below(Op::ALL.len() as u64)).expect("few")];
        let [rd, rs1, rs2] = [(); 3].map(|()| self.number());
        Instruction { op, rd, rs1, rs2, imm: self.word().cast_signed() }.encode()
    }
}

fn theirs(code: &[u8]) -> Theirs {
    let core = DefaultCoreMachine::<u64, FlatMemory<u64>>::new_with_memory(
        ISA_IMC,
        VERSION2,
        u64::MAX,
        END as usize,
    );
    let mut machine = DefaultMachineBuilder::new(core).build();
    machine.memory_mut().store_bytes(CODE, code).expect("it fits");
    machine
}

/// The registers before a step; loads and stores are made to access the data.
fn registers(random: &mut Random, instruction: Option<Instruction>) -> [u64; 32] {
    let mut registers = [(); 32].map(|()| random.value());
    registers[0] = 0;
    if let Some(access) = instruction.filter(|access| access.op.access_bytes() != 0) {
        let bytes = access.op.access_bytes();
        let address = DATA + random.below(64) * bytes;
        registers[usize::from(access.rs1)] = address.wrapping_sub(access.imm64());
        registers[0] = 0;
    }
    registers
}

/// Takes one step in both, from the same registers.
fn step(
    at: u64,
    word: u32,
    random: &mut Random,
    ours: &mut Machine,
    theirs: &mut Theirs,
    decoder: &mut Decoder,
) {
    let instruction = decode(word);
    let registers = registers(random, instruction);
    let accessed = instruction.filter(|access| access.op.access_bytes() != 0 && access.rs1 == 0);
    let calls = instruction.is_some_and(|instruction| instruction.op.class() == Class::Ecall);
    if accessed.is_some() || calls || word & 0x7f == OPCODE_FENCE {
        return; // outside of the data, or not a matter of the instruction set
    }
    ours.set_pc(at);
    theirs.update_pc(at);
    theirs.commit_pc();
    for (number, value) in (0..32).zip(registers) {
        if number != 0 {
            ours.set_register(number, value);
            theirs.set_register(usize::from(number), value);
        }
    }
    let decoded = decoder.decode(theirs.memory_mut(), at);
    assert_eq!(decoded.is_ok(), instruction.is_some(), "{word:#010x}");
    let Ok(decoded) = decoded else { return };
    execute(decoded, theirs).expect("nothing faults");
    ours.step(&mut no_oracle()).expect("no oracle is read");
    let text = instruction.map(|instruction| instruction.to_string());
    assert_eq!((ours.exit(), ours.pc()), (None, *theirs.pc()), "{text:?} {registers:x?}");
    let after: Vec<u64> = (0..32).map(|number| ours.register(number)).collect();
    assert_eq!(after, theirs.registers(), "{text:?} {registers:x?}");
}

fn compare(instructions: usize, word: impl Fn(&mut Random) -> u32) {
    let mut random = Random(6);
    for _ in 0..instructions / BATCH {
        let words: Vec<u32> = (0..BATCH).map(|_| word(&mut random)).collect();
        let code = bytes(&words);
        let image =
            Image::new(CODE).and_then(|image| image.with_segment(CODE, &code, code.len() as u64));
        let (mut ours, mut theirs) = (Machine::new(&image.expect("it fits")), theirs(&code));
        let mut decoder = build_decoder::<u64>(ISA_IMC, VERSION2);
        for (at, word) in (CODE..).step_by(4).zip(words) {
            step(at, word, &mut random, &mut ours, &mut theirs, &mut decoder);
        }
        let data = theirs.memory_mut().load_bytes(DATA, 1024).expect("it is there");
        let ours: Vec<u8> = (DATA..DATA + 1024).map(|at| ours.byte(at)).collect();
        assert_eq!(ours, data);
        assert_ne!(ours, [0; 1024]);
    }
}

#[test]
fn a_million_instructions_do_the_same() {
    compare(1_000_000, Random::instruction);
}

/// Other words are either the same instruction for both, or for neither. Two low bits are set: nothing is compressed.
#[test]
fn words_at_random_are_the_same_instructions() {
    compare(500_000, |random| random.word() | 3);
}
