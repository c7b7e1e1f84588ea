use std::{array, thread};

use turnpike_random::Rng;

use crate::{
    arena::{Arena, KEYS, Pages, Start, l1},
    encode::random_word,
    memory::PAGE_BYTES,
};

/// Number of steps per memory: one for each code word.
const STEPS: usize = CODE.len() * WORDS;
const WORDS: usize = PAGE_BYTES as usize / 4;

/// Pages of instructions: the first, two in the middle, where signs change, and the last.
const CODE: [u64; 4] = [0, 0x7fff_f000, 0x8000_0000, 0xffff_f000];
const DATA: [u64; 2] = [0x1000, 0x1234_5000];

const MEMORIES: u64 = 250;
const THREADS: usize = 2;

/// Edge-case values.
#[rustfmt::skip]
pub(crate) const OPERANDS: [u64; 25] = [
    0, 1, 2, 3, 7, 31, 32, 63, 64, 0x7f, 0x80, 0x7fff, 0x8000,
    0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000,
    0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0x8000_0000_0000_0001,
    0xffff_ffff_8000_0000, 0xffff_ffff_7fff_ffff, 0xffff_ffff_0000_0000, u64::MAX - 1, u64::MAX,
];

/// A memory and its steps.
pub(crate) struct Steps {
    pub(crate) arena: Arena,
    words: Vec<(u64, u32)>,
    rng: Rng,
}

impl Steps {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut pages = Pages::new();
        let mut words = Vec::new();
        for address in CODE {
            let mut page = [0; PAGE_BYTES as usize];
            for (at, bytes) in (address..).step_by(4).zip(page.as_chunks_mut().0) {
                let word = random_word(&mut rng);
                *bytes = word.to_le_bytes();
                words.push((at, word));
            }
            pages.insert(address, Box::new(page));
        }
        for address in DATA {
            let mut page = [0; PAGE_BYTES as usize];
            page.as_chunks_mut()
                .0
                .iter_mut()
                .for_each(|bytes| *bytes = operand(&mut rng).to_le_bytes());
            pages.insert(address, Box::new(page));
        }
        Self { arena: Arena::new(&pages), words, rng }
    }

    pub(crate) fn next(&mut self) -> Option<Start> {
        let (pc, word) = self.words.pop()?;
        Some(start(&mut self.rng, pc, word))
    }
}

fn operand(rng: &mut Rng) -> u64 {
    match rng.below(10) {
        0..5 => rng.pick(&OPERANDS),
        5 | 6 => location(rng),
        7 => u64::from(rng.word()),
        _ => rng.next_u64(),
    }
}

/// Addresses of data, code and the ends of memory.
fn location(rng: &mut Rng) -> u64 {
    let pages = [0, 0x1000, 0x1234_5000, 0x7fff_f000, 0x8000_0000, 0xffff_f000];
    let aligned = rng.pick(&pages) + 8 * (rng.next_u64() % (PAGE_BYTES / 8));
    match rng.below(20) {
        0..10 => aligned,
        10..16 => aligned + rng.pick(&[1, 2, 4, 6]),
        16 => 0xffff_fff0 + rng.next_u64() % 32,
        17 => (rng.next_u64() % 16).wrapping_sub(8),
        18 => u64::from(rng.word()),
        _ => rng.next_u64(),
    }
}

/// Register values that matter to the instruction.
fn start(rng: &mut Rng, pc: u64, word: u32) -> Start {
    let mut registers: [u64; 32] = std::array::from_fn(|_| operand(rng));
    let [rs1, rs2] = [15, 20].map(|at| ((word >> at) & 31) as usize);
    match word & 0x7f {
        0x03 => registers[rs1] = location(rng).wrapping_sub(extend(word.cast_signed() >> 20)),
        0x23 => {
            let high = (word.cast_signed() >> 25) << 5;
            let imm = high | ((word >> 7) & 31).cast_signed();
            registers[rs1] = location(rng).wrapping_sub(extend(imm));
        }
        0x63 if rng.percent(30) => registers[rs1] = registers[rs2],
        0x73 => set_call(rng, &mut registers),
        _ => {}
    }
    registers[0] = 0;
    let pc = match rng.below(200) {
        0 => pc + 1 + rng.next_u64() % 3,
        1 => location(rng),
        2 => (rng.next_u64() | 1 << 32) & !3,
        _ => pc,
    };
    Start { pc, registers }
}

fn extend(imm: i32) -> u64 {
    i64::from(imm).cast_unsigned()
}

fn set_call(rng: &mut Rng, registers: &mut [u64; 32]) {
    let other = operand(rng);
    registers[17] =
        rng.pick(&[93, 1000, 1000, 1000, 1000, 0, 94, 1 << 32 | 93, 1 << 32 | 1000, other]);
    let mut key = rng.pick(&KEYS);
    if rng.percent(20) {
        key[rng.below(32)] ^= 1 << rng.below(8);
    }
    for (register, bytes) in registers[10..14].iter_mut().zip(key.as_chunks().0) {
        *register = u64::from_le_bytes(*bytes);
    }
    if registers[17] == 93 {
        registers[10] = operand(rng);
    }
    registers[14] = match rng.below(10) {
        0 => operand(rng),
        1 => operand(rng) & !31,
        _ => 32 * (rng.next_u64() % 5),
    };
}

/// Takes the steps of one thread's memories. Returns the number of steps that did not lack a
/// preimage.
fn take_steps(thread: usize) -> usize {
    let mut l1 = l1();
    let mut taken = 0;
    for seed in (thread as u64..MEMORIES).step_by(THREADS) {
        let mut steps = Steps::new(seed);
        while let Some(start) = steps.next() {
            taken += usize::from(steps.arena.step_on_l1(&start, &mut l1).is_some());
        }
    }
    taken
}

#[test]
fn random_steps_agree_on_all_machines() {
    let taken: usize = thread::scope(|scope| {
        let threads =
            array::from_fn::<_, THREADS, _>(|thread| scope.spawn(move || take_steps(thread)));
        threads.map(|thread| thread.join().expect("all machines agree")).iter().sum()
    });
    assert!(taken > 1_000_000, "{taken} of {} steps came to an end", MEMORIES as usize * STEPS);
}
