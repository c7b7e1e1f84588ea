//! The fast interpreter reaches the same states as the step function, on random programs.

mod support;

use proptest::{
    prelude::*,
    sample::{Index, select},
};
use support::{ENTRY, EXIT, bytes, immediate, machine, no_oracle, pair, register};
use turnpike_vm::{Class, Counts, Image, Instruction, MEMORY_BYTES, Machine, Op, Snapshot};

/// Code crosses a page boundary.
const CODE: u64 = 0x2_0000 - 4 * 64;
const DATA: u64 = 0x8_0000;
const INSTRUCTIONS: usize = 160;
const STEPS_MAX: u64 = 600;

/// Registers that hold addresses of code, data and the end of memory. Programs never write them.
const POINTERS: [(u8, u64); 4] =
    [(28, CODE), (29, CODE + 4 * 80), (30, DATA), (31, MEMORY_BYTES - 2048)];
/// Registers that hold two instructions each, for stores over code.
const PATCHES: [u8; 4] = [8, 9, 18, 19];

fn any_register() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0..8_u8, 1 => select(&PATCHES), 1 => 28..32_u8]
}

/// Mostly aligned, so that programs run for a while.
fn offset(bytes: i32, max: i32) -> impl Strategy<Value = i32> {
    prop_oneof![60 => (-max / bytes..max / bytes).prop_map(move |index| index * bytes), 1 => -max..max]
}

fn instruction() -> impl Strategy<Value = u32> {
    let plain: Vec<Op> = Op::ALL
        .into_iter()
        .filter(|op| {
            !matches!(
                op.class(),
                Class::Branch | Class::Jump | Class::Load | Class::Store | Class::Ecall
            )
        })
        .collect();
    let of =
        |class: Class| Op::ALL.into_iter().filter(|op| op.class() == class).collect::<Vec<_>>();
    let pointer = || prop_oneof![20 => 28..32_u8, 1 => 0..8_u8];
    let computation = (select(plain), 0..8_u8, any_register(), any_register(), any::<i32>())
        .prop_map(|(op, rd, rs1, rs2, imm)| Instruction { op, rd, rs1, rs2, imm }.encode());
    let load = (select(of(Class::Load)), 0..8_u8, pointer()).prop_flat_map(|(op, rd, rs1)| {
        let bytes = i32::try_from(op.access_bytes()).expect("few");
        offset(bytes, 2048).prop_map(move |imm| immediate(op, rd, rs1, imm))
    });
    let store =
        (select(of(Class::Store)), pointer(), any_register()).prop_flat_map(|(op, rs1, rs2)| {
            let bytes = i32::try_from(op.access_bytes()).expect("few");
            offset(bytes, 600).prop_map(move |imm| pair(op, rs1, rs2, imm))
        });
    let patch = (28..30_u8, select(&PATCHES), offset(8, 300))
        .prop_map(|(rs1, rs2, imm)| pair(Op::Sd, rs1, rs2, imm));
    let branch = (select(of(Class::Branch)), any_register(), any_register(), offset(4, 300))
        .prop_map(|(op, rs1, rs2, imm)| pair(op, rs1, rs2, imm));
    let jump = (0..8_u8, offset(4, 300)).prop_map(|(rd, imm)| immediate(Op::Jal, rd, 0, imm));
    let indirect = (0..8_u8, 28..30_u8, offset(4, 300))
        .prop_map(|(rd, rs1, imm)| immediate(Op::Jalr, rd, rs1, imm));
    prop_oneof![
        400 => computation,
        100 => load,
        80 => store,
        30 => patch,
        80 => branch,
        20 => jump,
        20 => indirect,
        1 => any::<u32>(),
        1 => Just(support::ECALL),
    ]
}

#[derive(Clone, Debug)]
struct Program {
    code: Vec<u32>,
    patches: Vec<u32>,
    registers: Vec<u64>,
    entry: usize,
}

fn program() -> impl Strategy<Value = Program> {
    let value =
        prop_oneof![any::<u64>(), 0..9_u64, (0..9_u64).prop_map(u64::wrapping_neg), Just(1 << 63)];
    (
        prop::collection::vec(instruction(), INSTRUCTIONS),
        prop::collection::vec(instruction(), 2 * PATCHES.len()),
        prop::collection::vec(value, 7),
        0..INSTRUCTIONS,
    )
        .prop_map(|(code, patches, registers, entry)| Program {
            code,
            patches,
            registers,
            entry,
        })
}

impl Program {
    fn machine(&self) -> Machine {
        let code = bytes(&self.code);
        let image = Image::new(CODE + 4 * self.entry as u64)
            .and_then(|image| image.with_segment(CODE, &code, code.len() as u64));
        let mut machine = Machine::new(&image.expect("a program"));
        for (number, value) in POINTERS {
            machine.set_register(number, value);
        }
        for (number, words) in PATCHES.into_iter().zip(self.patches.as_chunks::<2>().0) {
            machine.set_register(number, u64::from(words[0]) | u64::from(words[1]) << 32);
        }
        for (number, value) in (1..).zip(&self.registers) {
            machine.set_register(number, *value);
        }
        machine
    }
}

fn step_until(machine: &mut Machine, step: u64) {
    while machine.exit().is_none() && machine.steps() < step {
        machine.step(&mut no_oracle()).expect("zeros are no key");
    }
}

fn run_until(machine: &mut Machine, step: u64) {
    machine.run(&mut no_oracle(), step).expect("zeros are no key");
}

proptest! {
    #![proptest_config(config(cases()))]

    #[test]
    fn runs_equal_steps(program in program(), stops in prop::collection::btree_set(1..STEPS_MAX, 1..8)) {
        let (mut fast, mut reference) = (program.machine(), program.machine());
        for stop in stops.into_iter().chain([STEPS_MAX]) {
            run_until(&mut fast, stop);
            step_until(&mut reference, stop);
            prop_assert_eq!(fast.state(), reference.state(), "at {}", stop);
            prop_assert!(fast.exit().is_some() || fast.steps() == stop);
        }
        prop_assert_eq!(fast.usage(), reference.usage());
    }

}

proptest! {
    #![proptest_config(config(cases() / 5))]

    #[test]
    fn restored_machines_repeat_themselves(
        program in program(),
        visits in prop::collection::vec((any::<Index>(), 1..100_u64, any::<bool>()), 1..12),
    ) {
        let mut reference = program.machine();
        let mut states = vec![reference.state()];
        while reference.exit().is_none() && reference.steps() < STEPS_MAX / 3 {
            let steps = reference.steps();
            step_until(&mut reference, steps + 1);
            states.push(reference.state());
        }
        let mut machine = program.machine();
        let mut snapshots: Vec<Snapshot> = vec![machine.snapshot()];
        for (which, steps, another) in visits {
            let snapshot = which.get(&snapshots);
            if another {
                machine = snapshot.to_machine();
            } else {
                machine.restore(snapshot);
            }
            prop_assert_eq!(machine.state(), states[usize::try_from(snapshot.steps()).expect("few")]);
            let until = (machine.steps() + steps).min(reference.steps());
            run_until(&mut machine, until);
            snapshots.push(machine.snapshot());
            prop_assert_eq!(machine.state(), states[usize::try_from(until).expect("few")]);
        }
        // Later stores have not changed any snapshot.
        for snapshot in &snapshots {
            let state = snapshot.to_machine().state();
            prop_assert_eq!(state, states[usize::try_from(snapshot.steps()).expect("few")]);
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn cases() -> u32 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 50_000 } else { 1_000 }
}

/// Checks that the random programs cover long runs, rewritten code and every kind of exit.
#[test]
fn random_programs_run_long_and_rewrite_themselves() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let (mut steps, mut rewritten, mut exits) = (0, 0, std::collections::BTreeMap::new());
    const PROGRAMS: u64 = 60;
    for _ in 0..PROGRAMS {
        let program = program().new_tree(&mut runner).expect("a program").current();
        let mut machine = program.machine();
        run_until(&mut machine, STEPS_MAX);
        steps += machine.steps();
        let code = bytes(&program.code);
        rewritten += u64::from((CODE..).zip(&code).any(|(at, byte)| machine.byte(at) != *byte));
        *exits.entry(machine.exit()).or_insert(0) += 1;
    }
    assert!(steps / PROGRAMS > 60, "{} steps on average", steps / PROGRAMS);
    assert!(rewritten > PROGRAMS / 3, "{rewritten} of {PROGRAMS} rewrite themselves");
    assert!(exits.len() >= 4, "{exits:?}");
}

#[test]
fn store_to_the_next_instruction_takes_effect() {
    // x5 becomes 1 in the first round, and 2 in the second.
    let words = [
        register(Op::Add, 5, 0, 0),
        immediate(Op::Addi, 5, 0, 1),
        pair(Op::Bne, 6, 0, 16),
        immediate(Op::Addi, 6, 0, 1),
        pair(Op::Sw, 1, 7, 4),
        immediate(Op::Jal, 0, 0, -16),
        EXIT[0],
        EXIT[1],
    ];
    let mut machine = machine(&words);
    machine.set_register(1, ENTRY);
    machine.set_register(7, immediate(Op::Addi, 5, 0, 2).into());
    run_until(&mut machine, 5);
    assert_eq!(machine.register(5), 1);
    run_until(&mut machine, u64::MAX);
    assert_eq!((machine.register(5), machine.exit(), machine.steps()), (2, Some(0), 10));
}

#[test]
fn run_with_unbounded_step_limit_counts_steps() {
    // The page index exceeds the number of steps.
    const AHEAD: usize = 500;
    let mut words = vec![immediate(Op::Jal, 0, 0, 4 * AHEAD as i32)];
    words.resize(AHEAD, 0);
    words.extend(EXIT);
    let (mut fast, mut reference) = (machine(&words), machine(&words));
    run_until(&mut fast, u64::MAX);
    while reference.exit().is_none() {
        reference.step(&mut no_oracle()).expect("no oracle is read");
    }
    assert_eq!((fast.steps(), fast.state()), (3, reference.state()));
}

#[test]
fn counted_run_equals_plain_run() {
    let words = [
        immediate(Op::Addi, 5, 0, 100),
        // loop:
        register(Op::Mul, 6, 5, 5),
        register(Op::Divu, 7, 6, 5),
        pair(Op::Sd, 2, 6, -8),
        immediate(Op::Ld, 8, 2, -8),
        immediate(Op::Auipc, 9, 0, 0x1000),
        0x0ff0_000f,
        immediate(Op::Addi, 5, 5, -1),
        pair(Op::Bne, 5, 0, -28),
        immediate(Op::Jal, 0, 0, 4),
        EXIT[0],
        EXIT[1],
    ];
    let (mut counted, mut plain) = (machine(&words), machine(&words));
    let mut counts = Counts::default();
    counted.run_counted(&mut no_oracle(), u64::MAX, &mut counts).expect("no oracle is read");
    run_until(&mut plain, u64::MAX);
    assert_eq!(counted.state(), plain.state());
    assert_eq!(counts.total(), plain.steps());
    let by_class: Vec<_> = counts.iter().map(|(class, count)| (class.name(), count)).collect();
    let expected = [
        ("alu", 102),
        ("mul", 100),
        ("div", 100),
        ("load", 100),
        ("store", 100),
        ("branch", 100),
        ("jump", 1),
        ("upper", 100),
        ("ecall", 1),
        ("fence", 100),
    ];
    assert_eq!(by_class, expected);
}

#[test]
fn code_may_span_more_pages_than_stay_decoded() {
    const PAGES: u64 = 4100;
    let jump = bytes(&[immediate(Op::Jal, 0, 0, 4096)]);
    let mut image = Image::new(ENTRY).expect("an entry");
    for page in 0..PAGES {
        image = image.with_segment(ENTRY + page * 4096, &jump, 4).expect("it fits");
    }
    let back = bytes(&[immediate(Op::Lui, 5, 0, 0x1_0000), immediate(Op::Jalr, 0, 5, 0)]);
    let image = image.with_segment(ENTRY + PAGES * 4096, &back, 8).expect("it fits");
    let mut machine = Machine::new(&image);
    run_until(&mut machine, 2 * (PAGES + 2) + 7);
    assert_eq!((machine.exit(), machine.pc()), (None, ENTRY + 7 * 4096));
}
