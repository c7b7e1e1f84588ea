//! Measures instructions per second of the fast interpreter and of the step function in the same
//! run, and the cost of a state per written page.
//!
//! ```text
//! cargo run --release --offline -p turnpike-vm --example speed
//! ```

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use turnpike_protocol::{LocalInputs, Preimages};
use turnpike_vm::{Image, Instruction, Machine, Op};

const ENTRY: u64 = 0x1_0000;
/// Number of runs of each measurement. The fastest counts.
const ROUNDS: u32 = 10;
const FAST_STEPS: u64 = 30_000_000;
const REFERENCE_STEPS: u64 = 3_000_000;

const fn r(op: Op, rd: u8, rs1: u8, rs2: u8) -> u32 {
    Instruction { op, rd, rs1, rs2, imm: 0 }.encode()
}

const fn i(op: Op, rd: u8, rs1: u8, imm: i32) -> u32 {
    Instruction { op, rd, rs1, rs2: 0, imm }.encode()
}

const fn s(op: Op, rs1: u8, rs2: u8, imm: i32) -> u32 {
    Instruction { op, rd: 0, rs1, rs2, imm }.encode()
}

/// Additions, logic and shifts, as in hashing.
const ARITHMETIC: &[u32] = &[
    r(Op::Xor, 5, 5, 6),
    i(Op::Slli, 7, 5, 13),
    i(Op::Srli, 8, 5, 51),
    r(Op::Or, 5, 7, 8),
    r(Op::Add, 6, 6, 5),
    r(Op::And, 9, 6, 7),
    r(Op::Xor, 10, 9, 8),
    i(Op::Addi, 11, 11, 1),
    r(Op::Mul, 12, 11, 10),
    i(Op::Jal, 0, 0, -36),
];

/// Copies 16 KiB word by word, repeatedly.
const COPY: &[u32] = &[
    i(Op::Lui, 5, 0, 0x10_0000),
    i(Op::Lui, 6, 0, 0x20_0000),
    i(Op::Lui, 7, 0, 0x4000),
    r(Op::Add, 7, 7, 5),
    i(Op::Ld, 8, 5, 0),
    i(Op::Ld, 9, 5, 8),
    s(Op::Sd, 6, 8, 0),
    s(Op::Sd, 6, 9, 8),
    i(Op::Addi, 5, 5, 16),
    i(Op::Addi, 6, 6, 16),
    s(Op::Bltu, 5, 7, -24),
    i(Op::Jal, 0, 0, -44),
];

/// Bytes, unpredictable branches, calls to a function in another page and a division.
const MIXED: &[u32] = &[
    i(Op::Lui, 20, 0, 0x10_0000),
    i(Op::Lui, 21, 0, 0x1_2000),
    i(Op::Addi, 5, 0, 1),
    // loop:
    i(Op::Slli, 6, 5, 13),
    r(Op::Xor, 5, 5, 6),
    i(Op::Srli, 6, 5, 7),
    r(Op::Xor, 5, 5, 6),
    i(Op::Slli, 6, 5, 17),
    r(Op::Xor, 5, 5, 6),
    i(Op::Andi, 7, 5, 2047),
    r(Op::Add, 8, 20, 7),
    i(Op::Lbu, 9, 8, 0),
    i(Op::Addi, 9, 9, 3),
    s(Op::Sb, 8, 9, 0),
    i(Op::Andi, 10, 5, 8),
    s(Op::Beq, 10, 0, 8),
    r(Op::Remu, 11, 5, 9),
    i(Op::Jalr, 1, 21, 0),
    i(Op::Jal, 0, 0, -60),
];

/// The function that [`MIXED`] calls, at 0x12000.
const FUNCTION: &[u32] = &[
    i(Op::Addi, 2, 2, -16),
    s(Op::Sd, 2, 1, 8),
    r(Op::Addw, 12, 12, 9),
    i(Op::Ld, 1, 2, 8),
    i(Op::Addi, 2, 2, 16),
    i(Op::Jalr, 0, 1, 0),
];

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn machine(words: &[u32]) -> Machine {
    let (program, function) = (bytes(words), bytes(FUNCTION));
    let image = Image::new(ENTRY)
        .and_then(|image| image.with_segment(ENTRY, &program, program.len() as u64))
        .and_then(|image| image.with_segment(0x1_2000, &function, function.len() as u64));
    Machine::new(&image.expect("the program fits"))
}

/// Processor time of `work`, which other load on the host does not change.
fn time(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let start = now();
    work();
    now().saturating_sub(start)
}

/// Million steps per second.
fn speed(steps: u64, run: impl FnOnce()) -> f64 {
    steps as f64 / time(run).as_secs_f64() / 1e6
}

fn main() {
    let mut oracle = Preimages::new(LocalInputs::default());
    println!(
        "{:<12}{:>10}{:>12}{:>8}   million instructions per second",
        "program", "fast", "reference", "ratio"
    );
    for (name, words) in [("arithmetic", ARITHMETIC), ("copy", COPY), ("mixed", MIXED)] {
        let (mut fast, mut reference) = (machine(words), machine(words));
        let (mut fast_speed, mut reference_speed) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            let until = fast.steps() + FAST_STEPS;
            fast_speed = fast_speed.max(speed(FAST_STEPS, || {
                fast.run(&mut oracle, until).expect("no oracle");
            }));
            reference_speed = reference_speed.max(speed(REFERENCE_STEPS, || {
                (0..REFERENCE_STEPS).for_each(|_| reference.step(&mut oracle).expect("no oracle"));
            }));
        }
        assert_eq!((fast.exit(), fast.steps()), (None, u64::from(ROUNDS) * FAST_STEPS));
        let ratio = fast_speed / reference_speed;
        println!("{name:<12}{fast_speed:>10.1}{reference_speed:>12.1}{ratio:>8.1}");
    }
    states(&mut oracle);
}

/// Writes one word to each of `pages` pages.
const TOUCH: &[u32] = &[
    i(Op::Lui, 5, 0, 0x10_0000),
    i(Op::Lui, 6, 0, 0x1000),
    s(Op::Sd, 5, 6, 0),
    r(Op::Add, 5, 5, 6),
    i(Op::Jal, 0, 0, -8),
];

fn states(oracle: &mut Preimages) {
    println!(
        "\n{:<12}{:>10}{:>12}{:>12}   of 65,536 pages in use",
        "pages dirty", "hashes", "state", "snapshot"
    );
    let mut machine = machine(TOUCH);
    machine.run(oracle, 2 + 3 * 65_536).expect("no oracle");
    for pages in [65_536_u64, 1, 16, 256, 4_096] {
        let mut again = machine.snapshot().to_machine();
        again.state();
        if pages != 65_536 {
            again.set_register(5, 0x10_0000);
            again.run(oracle, again.steps() + 3 * pages).expect("no oracle");
        } else {
            again = self::machine(TOUCH);
            again.run(oracle, 2 + 3 * pages).expect("no oracle");
        }
        let snapshot = time(|| drop(again.snapshot()));
        let before = again.hashes();
        let state = time(|| _ = again.state());
        println!("{pages:<12}{:>10}{state:>12.1?}{snapshot:>12.1?}", again.hashes() - before);
    }
}
