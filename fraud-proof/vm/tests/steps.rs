//! The step function: each instruction's edge cases, and how the machine stops.

mod support;

use support::{ECALL, ENTRY, EXIT, immediate, machine, no_oracle, pair, register, step_to_exit};
use turnpike_vm::{MEMORY_BYTES, Op};

const MIN: u64 = 1 << 63;
const MIN32: u64 = 0xffff_ffff_8000_0000;
const ONES: u64 = u64::MAX;

/// The result of `op x3, x1, x2`.
fn registers(op: Op, a: u64, b: u64) -> u64 {
    let mut machine = machine(&[register(op, 3, 1, 2)]);
    machine.set_register(1, a);
    machine.set_register(2, b);
    machine.step(&mut no_oracle()).expect("no oracle is read");
    assert_eq!((machine.exit(), machine.pc()), (None, ENTRY + 4));
    machine.register(3)
}

/// The result of `op x3, x1, imm`.
fn immediates(op: Op, a: u64, imm: i32) -> u64 {
    let mut machine = machine(&[immediate(op, 3, 1, imm)]);
    machine.set_register(1, a);
    machine.step(&mut no_oracle()).expect("no oracle is read");
    assert_eq!((machine.exit(), machine.pc()), (None, ENTRY + 4));
    machine.register(3)
}

#[test]
fn register_instructions_compute() {
    let cases = [
        (Op::Add, ONES, 1, 0),
        (Op::Add, MIN, MIN, 0),
        (Op::Sub, 0, 1, ONES),
        (Op::Sub, MIN, 1, MIN - 1),
        (Op::Sll, 1, 63, MIN),
        (Op::Sll, 1, 64, 1),
        (Op::Sll, 3, ONES, MIN),
        (Op::Slt, MIN, 0, 1),
        (Op::Slt, 0, MIN, 0),
        (Op::Slt, 5, 5, 0),
        (Op::Sltu, MIN, 0, 0),
        (Op::Sltu, 0, MIN, 1),
        (Op::Sltu, 5, 5, 0),
        (Op::Xor, 0b1100, 0b1010, 0b0110),
        (Op::Srl, MIN, 63, 1),
        (Op::Srl, MIN, 64, MIN),
        (Op::Sra, MIN, 63, ONES),
        (Op::Sra, MIN, 64, MIN),
        (Op::Sra, MIN - 1, 62, 1),
        (Op::Or, 0b1100, 0b1010, 0b1110),
        (Op::And, 0b1100, 0b1010, 0b1000),
        (Op::Addw, 0x7fff_ffff, 1, MIN32),
        (Op::Addw, 0xffff_ffff_0000_0001, 0xffff_ffff_0000_0001, 2),
        (Op::Subw, 0x8000_0000, 1, 0x7fff_ffff),
        (Op::Subw, 0, 1, ONES),
        (Op::Sllw, 1, 31, MIN32),
        (Op::Sllw, 1, 32, 1),
        (Op::Sllw, 0xffff_ffff_0000_0001, 0, 1),
        (Op::Srlw, 0x8000_0000, 31, 1),
        (Op::Srlw, 0x8000_0000, 32, MIN32),
        (Op::Srlw, 0xffff_ffff_0000_0000, 1, 0),
        (Op::Sraw, 0x8000_0000, 31, ONES),
        (Op::Sraw, 0x8000_0000, 32, MIN32),
        (Op::Sraw, 0xffff_ffff_4000_0000, 30, 1),
    ];
    for (op, a, b, expected) in cases {
        assert_eq!(registers(op, a, b), expected, "{op:?} {a:#x} {b:#x}");
    }
}

#[test]
fn products() {
    let cases = [
        (Op::Mul, MIN, 2, 0),
        (Op::Mul, ONES, ONES, 1),
        (Op::Mulh, ONES, ONES, 0),
        (Op::Mulh, MIN, MIN, 1 << 62),
        (Op::Mulh, MIN, 2, ONES),
        (Op::Mulhsu, ONES, ONES, ONES),
        (Op::Mulhsu, MIN, ONES, MIN),
        (Op::Mulhsu, ONES, 1, ONES),
        (Op::Mulhsu, 1, ONES, 0),
        (Op::Mulhu, ONES, ONES, ONES - 1),
        (Op::Mulhu, MIN, 2, 1),
        (Op::Mulw, 0x8000_0000, 2, 0),
        (Op::Mulw, 0x4000_0000, 2, MIN32),
        (Op::Mulw, 0xffff_ffff_0000_0003, 5, 15),
    ];
    for (op, a, b, expected) in cases {
        assert_eq!(registers(op, a, b), expected, "{op:?} {a:#x} {b:#x}");
    }
}

#[test]
fn quotients_and_remainders() {
    let minus = |value: u64| value.wrapping_neg();
    let cases = [
        (Op::Div, 7, minus(2), minus(3)),
        (Op::Div, minus(7), 2, minus(3)),
        (Op::Div, 7, 0, ONES),
        (Op::Div, MIN, ONES, MIN),
        (Op::Divu, 7, 0, ONES),
        (Op::Divu, MIN, ONES, 0),
        (Op::Divu, minus(7), 2, MIN - 4),
        (Op::Rem, 7, minus(2), 1),
        (Op::Rem, minus(7), 2, minus(1)),
        (Op::Rem, minus(7), 0, minus(7)),
        (Op::Rem, MIN, ONES, 0),
        (Op::Remu, minus(7), 0, minus(7)),
        (Op::Remu, MIN, ONES, MIN),
        (Op::Divw, minus(7), 2, minus(3)),
        (Op::Divw, 7, 0xffff_ffff_0000_0000, ONES),
        (Op::Divw, MIN32, ONES, MIN32),
        (Op::Divw, 0x8000_0000, 0xffff_ffff, MIN32),
        (Op::Divuw, 0xffff_ffff, 1, ONES),
        (Op::Divuw, 7, 0, ONES),
        (Op::Divuw, 0xffff_ffff_0000_0006, 3, 2),
        (Op::Remw, minus(7), 2, minus(1)),
        (Op::Remw, MIN32, ONES, 0),
        (Op::Remw, 0x8000_0000, 0, MIN32),
        (Op::Remuw, 0xffff_ffff, 0, ONES),
        (Op::Remuw, 0x8000_0000, 0x8000_0001, MIN32),
        (Op::Remuw, 0xffff_ffff_0000_0007, 4, 3),
    ];
    for (op, a, b, expected) in cases {
        assert_eq!(registers(op, a, b), expected, "{op:?} {a:#x} {b:#x}");
    }
}

#[test]
fn immediate_instructions_compute() {
    let cases = [
        (Op::Addi, 0, -2048, ONES - 2047),
        (Op::Addi, ONES, 2047, 2046),
        (Op::Slti, ONES, 0, 1),
        (Op::Slti, 0, -1, 0),
        (Op::Sltiu, 5, -1, 1),
        (Op::Sltiu, ONES, -1, 0),
        (Op::Xori, 5, -1, !5),
        (Op::Ori, 0, -2048, ONES - 2047),
        (Op::Andi, ONES, -2, ONES - 1),
        (Op::Slli, 1, 63, MIN),
        (Op::Srli, MIN, 63, 1),
        (Op::Srai, MIN, 63, ONES),
        (Op::Srai, MIN, 32, MIN32),
        (Op::Addiw, 0x7fff_ffff, 1, MIN32),
        (Op::Addiw, 0xffff_ffff_ffff_ffff, 1, 0),
        (Op::Addiw, 0x1_8000_0000, 0, MIN32),
        (Op::Slliw, 1, 31, MIN32),
        (Op::Srliw, 0x1_8000_0000, 31, 1),
        (Op::Srliw, 0x8000_0000, 0, MIN32),
        (Op::Sraiw, 0x8000_0000, 31, ONES),
        (Op::Sraiw, 0x1_4000_0000, 30, 1),
    ];
    for (op, a, imm, expected) in cases {
        assert_eq!(immediates(op, a, imm), expected, "{op:?} {a:#x} {imm}");
    }
    let upper = |op, imm: u32| immediates(op, 0, imm.cast_signed());
    assert_eq!(upper(Op::Lui, 0x8000_0000), MIN32);
    assert_eq!(upper(Op::Lui, 0x7fff_f000), 0x7fff_f000);
    assert_eq!(upper(Op::Auipc, 0x1000), ENTRY + 0x1000);
    assert_eq!(upper(Op::Auipc, 0x8000_0000), MIN32.wrapping_add(ENTRY));
}

#[test]
fn loads_extend_and_stores_cut() {
    const AT: i32 = 0x100;
    let base = ENTRY;
    let value = 0x8899_aabb_ccdd_eeff_u64;
    let load = |op: Op, offset: i32| {
        let mut machine = machine(&[pair(Op::Sd, 1, 2, AT), immediate(op, 3, 1, AT + offset)]);
        machine.set_register(1, base);
        machine.set_register(2, value);
        step_to_exit(&mut machine, 2);
        machine.register(3)
    };
    assert_eq!(load(Op::Lb, 0), ONES);
    assert_eq!(load(Op::Lb, 7), 0xffff_ffff_ffff_ff88);
    assert_eq!(load(Op::Lbu, 1), 0xee);
    assert_eq!(load(Op::Lh, 2), 0xffff_ffff_ffff_ccdd);
    assert_eq!(load(Op::Lhu, 6), 0x8899);
    assert_eq!(load(Op::Lw, 4), 0xffff_ffff_8899_aabb);
    assert_eq!(load(Op::Lwu, 0), 0xccdd_eeff);
    assert_eq!(load(Op::Ld, 0), value);
    assert_eq!(load(Op::Ld, 8), 0, "nothing is stored past the value");
    let store = |op: Op, offset: i32| {
        let words =
            [pair(Op::Sd, 1, 2, AT), pair(op, 1, 4, AT + offset), immediate(Op::Ld, 3, 1, AT)];
        let mut machine = machine(&words);
        machine.set_register(1, base);
        machine.set_register(2, value);
        machine.set_register(4, 0x0102_0304_0506_0708);
        step_to_exit(&mut machine, 3);
        machine.register(3)
    };
    assert_eq!(store(Op::Sb, 3), 0x8899_aabb_08dd_eeff);
    assert_eq!(store(Op::Sh, 6), 0x0708_aabb_ccdd_eeff);
    assert_eq!(store(Op::Sw, 4), 0x0506_0708_ccdd_eeff);
    assert_eq!(store(Op::Sd, 0), 0x0102_0304_0506_0708);
}

#[test]
fn branches_compare() {
    let cases = [
        (Op::Beq, 5, 5, true),
        (Op::Beq, 5, 5 | MIN, false),
        (Op::Bne, 5, 5, false),
        (Op::Bne, 5, 5 | MIN, true),
        (Op::Blt, MIN, 0, true),
        (Op::Blt, 0, MIN, false),
        (Op::Blt, 3, 3, false),
        (Op::Bge, MIN, 0, false),
        (Op::Bge, 0, MIN, true),
        (Op::Bge, 3, 3, true),
        (Op::Bltu, MIN, 0, false),
        (Op::Bltu, 0, MIN, true),
        (Op::Bltu, 3, 3, false),
        (Op::Bgeu, MIN, 0, true),
        (Op::Bgeu, 0, MIN, false),
        (Op::Bgeu, 3, 3, true),
    ];
    for (op, a, b, taken) in cases {
        for distance in [-4096, 4094, 8] {
            let mut machine = machine(&[pair(op, 1, 2, distance)]);
            machine.set_register(1, a);
            machine.set_register(2, b);
            machine.step(&mut no_oracle()).expect("no oracle is read");
            let target = ENTRY.wrapping_add_signed(if taken { distance.into() } else { 4 });
            assert_eq!((machine.exit(), machine.pc()), (None, target), "{op:?} {a:#x} {b:#x}");
        }
    }
}

#[test]
fn jumps_link_before_their_target_faults() {
    let jump = |word: u32, x1: u64| {
        let mut machine = machine(&[word]);
        machine.set_register(1, x1);
        machine.step(&mut no_oracle()).expect("no oracle is read");
        assert_eq!(machine.exit(), None);
        let (pc, link) = (machine.pc(), machine.register(1));
        machine.step(&mut no_oracle()).expect("no oracle is read");
        assert_eq!((machine.pc(), machine.steps()), (pc, 2));
        (pc, link, machine.exit())
    };
    let link = ENTRY + 4;
    assert_eq!(jump(immediate(Op::Jal, 1, 0, 8), 0), (ENTRY + 8, link, Some(132)));
    assert_eq!(jump(immediate(Op::Jal, 1, 0, 2), 0), (ENTRY + 2, link, Some(135)));
    assert_eq!(jump(immediate(Op::Jal, 1, 0, -0x10_0000), 0).0, ENTRY.wrapping_sub(0x10_0000));
    assert_eq!(jump(immediate(Op::Jal, 1, 0, 0xf_fffe), 0), (ENTRY + 0xf_fffe, link, Some(135)));
    // The register is read before it is written; bit 0 is cleared.
    assert_eq!(jump(immediate(Op::Jalr, 1, 1, 4), 0x2001), (0x2004, link, Some(132)));
    assert_eq!(jump(immediate(Op::Jalr, 1, 1, -1), 0x2003), (0x2002, link, Some(135)));
    assert_eq!(jump(immediate(Op::Jalr, 1, 1, 0), MEMORY_BYTES), (MEMORY_BYTES, link, Some(139)));
    assert_eq!(jump(immediate(Op::Jalr, 1, 1, 0), ONES), (ONES - 1, link, Some(135)));
    let mut to_zero = machine(&[immediate(Op::Jal, 0, 0, 8)]);
    to_zero.step(&mut no_oracle()).expect("no oracle is read");
    assert_eq!(to_zero.register(0), 0);
}

/// Runs one word with these registers and returns the exit code. Checks that nothing else changes.
fn fault(word: u32, x1: u64, a7: u64) -> Option<u64> {
    let mut machine = machine(&[word]);
    machine.set_register(1, x1);
    machine.set_register(17, a7);
    let before = machine.state();
    machine.step(&mut no_oracle()).expect("no oracle is read");
    let after = machine.state();
    let expected = turnpike_vm::State { exit: after.exit, step: 1, ..before };
    assert_eq!(after, expected);
    machine.step(&mut no_oracle()).expect("no oracle is read");
    machine.run(&mut no_oracle(), 100).expect("no oracle is read");
    assert_eq!(machine.state(), after, "halted is halted");
    after.exit
}

#[test]
fn accesses_fault() {
    let cases = [
        (Op::Lb, MEMORY_BYTES, Some(139)),
        (Op::Lbu, ONES, Some(139)),
        (Op::Lh, MEMORY_BYTES - 1, Some(135)),
        (Op::Lhu, MEMORY_BYTES, Some(139)),
        (Op::Lw, MEMORY_BYTES + 2, Some(135)),
        (Op::Lwu, MEMORY_BYTES + 4, Some(139)),
        (Op::Ld, 4, Some(135)),
        (Op::Ld, 1 << 40, Some(139)),
        (Op::Ld, ONES - 7, Some(139)),
    ];
    for (op, address, exit) in cases {
        assert_eq!(fault(immediate(op, 5, 1, 0), address, 0), exit, "{op:?} {address:#x}");
        assert_eq!(fault(immediate(op, 0, 1, 0), address, 0), exit, "to x0: {op:?} {address:#x}");
    }
    for (op, address, exit) in [
        (Op::Sb, MEMORY_BYTES, Some(139)),
        (Op::Sh, 1, Some(135)),
        (Op::Sw, MEMORY_BYTES, Some(139)),
        (Op::Sd, ONES - 3, Some(135)),
        (Op::Sd, ONES - 7, Some(139)),
    ] {
        assert_eq!(fault(pair(op, 1, 2, 0), address, 0), exit, "{op:?} {address:#x}");
    }
    // The highest addresses are memory, and addresses wrap around.
    let mut last = machine(&[pair(Op::Sd, 2, 2, -8), immediate(Op::Ld, 3, 4, -1)]);
    last.set_register(4, MEMORY_BYTES - 7);
    assert_eq!(step_to_exit(&mut last, 2), None);
    assert_eq!(last.register(3), MEMORY_BYTES);
}

#[test]
fn illegal_words_fault() {
    let words = [
        0x0000_0000, // illegal by definition
        0xffff_ffff, // illegal by definition
        0xc000_1073, // unimp
        0x0001_0001, // c.nop c.nop
        0x0000_100f, // fence.i
        0xc000_2573, // rdcycle
        0x3020_0073, // mret
        0x1050_0073, // wfi
        0x0010_00f3, // ebreak with a destination
        0x0000_00f3, // ecall with a destination
        0x00b5_252f, // amoadd.w
        0x0005_3507, // fld
        0x02b5_7553, // fadd.d
        0x20b5_2533, // sh1add
        0x6005_1513, // clz
        0x02b5_153b, // no word form of mulh
        0x0200_151b, // slliw by 32
        0x4000_1513, // slli with bit 30
        0x0000_7003, // a load of width 7
        0x0000_4023, // a store of width 4
        0x0000_2063, // a branch of kind 2
        0x0000_1067, // jalr of kind 1
        0x0205_705b, // custom
    ];
    for word in words {
        assert_eq!(turnpike_vm::decode(word), None, "{word:#010x}");
        assert_eq!(fault(word, 0, 0), Some(132), "{word:#010x}");
    }
}

#[test]
fn calls_and_breakpoints_exit() {
    assert_eq!(fault(0x0010_0073, 0, 93), Some(133));
    assert_eq!(fault(ECALL, 0, 0), Some(159));
    assert_eq!(fault(ECALL, 0, 94), Some(159));
    assert_eq!(fault(ECALL, 0, 93 | 1 << 32), Some(159));
    // All 64 bits of a0 are the exit code.
    let mut exit = machine(&EXIT);
    exit.set_register(10, ONES - 5);
    assert_eq!(step_to_exit(&mut exit, 5), Some(ONES - 5));
    assert_eq!((exit.pc(), exit.steps()), (ENTRY + 4, 2));
    for fence in [0x0ff0_000f, 0x8330_000f, 0x0000_0f8f, 0xffff_8f8f] {
        let mut machine = machine(&[fence]);
        assert_eq!(step_to_exit(&mut machine, 1), None, "{fence:#x}");
        assert_eq!(machine.pc(), ENTRY + 4);
    }
}
