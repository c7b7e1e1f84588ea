use crate::{
    arena::{Arena, Pages, Start, l1},
    encode::{Fields, Format, TEMPLATES, Template},
    memory::PAGE_BYTES,
    random::OPERANDS,
};

const CODE: u64 = 0x8000_0000;
const DATA: u64 = 0x7fff_f000;

const IMMEDIATES: [i32; 12] = [0, 1, -1, 2, 4, 8, 31, 32, 63, 2047, -2048, -4096];

/// The registers of an instruction that are the same.
#[rustfmt::skip]
const REGISTERS: [[u32; 3]; 6] = [[5, 6, 7], [5, 5, 7], [5, 6, 5], [5, 6, 6], [0, 6, 7], [5, 0, 7]];

/// Addresses of loads and stores: start and end of the data and of the memory, and beyond.
#[rustfmt::skip]
const LOCATIONS: [u64; 24] = [
    DATA, DATA + 1, DATA + 2, DATA + 3, DATA + 4, DATA + 6, DATA + 8, DATA + 15, DATA + 16, DATA + 24, DATA + 28,
    DATA + 31, DATA + 4088, DATA + 4094, DATA + 4095, 0, 1, 0xffff_fff8, 0xffff_fffc, 0xffff_ffff,
    0x1_0000_0000, 0x1_0000_0002, u64::MAX, u64::MAX - 7,
];

/// Writes the words to memory and takes steps at each word.
fn for_each_word(words: &[u32], mut take: impl FnMut(&mut Arena, u64, u32)) {
    let mut pages = Pages::new();
    // Reverse the operands: signed loads come first, where `LOCATIONS` has most addresses.
    let data = OPERANDS.iter().rev().flat_map(|value| value.to_le_bytes());
    let data: Vec<u8> = data.cycle().take(4096).collect();
    pages.insert(DATA, Box::new(data.try_into().expect("the data fills a page")));
    for (address, words) in (CODE..).step_by(4096).zip(words.chunks(PAGE_BYTES as usize / 4)) {
        let mut page = [0; PAGE_BYTES as usize];
        page.as_chunks_mut()
            .0
            .iter_mut()
            .zip(words)
            .for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        pages.insert(address, Box::new(page));
    }
    let mut arena = Arena::new(&pages);
    for (pc, word) in (CODE..).step_by(4).zip(words) {
        take(&mut arena, pc, *word);
    }
}

fn templates(is_right: impl Fn(&Template) -> bool) -> impl Iterator<Item = Template> {
    TEMPLATES.into_iter().filter(move |template| is_right(template))
}

fn is_access(template: &Template) -> bool {
    matches!(template.bits & 0x7f, 0x03 | 0x23)
}

/// Registers with two operands where `word` takes them from.
fn with_operands(pc: u64, word: u32, a: u64, b: u64) -> Start {
    let mut registers = [0x5555_5555_5555_5555; 32];
    registers[(word >> 20) as usize & 31] = b;
    registers[(word >> 15) as usize & 31] = a;
    registers[0] = 0;
    Start { pc, registers }
}

#[test]
fn two_registers() {
    let templates = templates(|template| matches!(template.format, Format::R | Format::B));
    let words: Vec<_> = templates
        .flat_map(|template| {
            REGISTERS.map(|[rd, rs1, rs2]| template.encode(Fields { rd, rs1, rs2, imm: -2046 }))
        })
        .collect();
    let mut l1 = l1();
    let mut steps = 0_usize;
    for_each_word(&words, |arena, pc, word| {
        for a in OPERANDS {
            for b in OPERANDS {
                let start = with_operands(pc, word, a, b);
                // L1 takes a part of the steps, a different part for every word.
                steps += 1;
                if steps.is_multiple_of(7) {
                    arena.step_on_l1(&start, &mut l1);
                } else {
                    arena.step(&start);
                }
            }
        }
    });
}

#[test]
fn register_and_immediate() {
    let templates = templates(|template| match template.format {
        Format::I | Format::Shift(_) => !is_access(template),
        Format::U | Format::J | Format::Fixed => true,
        Format::R | Format::B | Format::S => false,
    });
    let words: Vec<_> = templates
        .flat_map(|template| IMMEDIATES.map(|imm| (template, imm)))
        .flat_map(|(template, imm)| {
            [[5, 6], [5, 5], [0, 6]].map(|[rd, rs1]| {
                // Set the upper bits too if the immediate has them.
                let imm = if template.format == Format::U { imm << 12 | imm } else { imm };
                template.encode(Fields { rd, rs1, rs2: 0, imm })
            })
        })
        .collect();
    let mut l1 = l1();
    for_each_word(&words, |arena, pc, word| {
        for a in OPERANDS {
            arena.step_on_l1(&with_operands(pc, word, a, 0), &mut l1);
        }
    });
}

#[test]
fn loads_and_stores() {
    let immediates = [0, 1, -1, 8, 2047, -2048];
    let words: Vec<_> = templates(is_access)
        .flat_map(|template| immediates.map(|imm| (template, imm)))
        .flat_map(|(template, imm)| {
            REGISTERS.map(|[rd, rs1, rs2]| template.encode(Fields { rd, rs1, rs2, imm }))
        })
        .collect();
    let mut l1 = l1();
    let mut steps = 0;
    for_each_word(&words, |arena, pc, word| {
        let is_store = word & 0x7f == 0x23;
        let imm = if is_store { (word >> 7) & 31 | word >> 25 << 5 } else { word >> 20 };
        let imm = i64::from((imm << 20).cast_signed() >> 20).cast_unsigned();
        for location in LOCATIONS {
            let value = OPERANDS[steps % OPERANDS.len()];
            steps += 1;
            let start = with_operands(pc, word, location.wrapping_sub(imm), value);
            arena.step_on_l1(&start, &mut l1);
        }
    });
}

/// All machines agree on every word that differs from an instruction in one bit, legal or illegal.
#[test]
fn words_one_bit_off_instructions() {
    let fields = [
        Fields { rd: 5, rs1: 6, rs2: 7, imm: 0x155 },
        Fields { rd: 26, rs1: 25, rs2: 24, imm: -0x556 },
    ];
    let words: Vec<_> = TEMPLATES
        .iter()
        .flat_map(|template| fields.map(|fields| template.encode(fields)))
        .flat_map(|word| (0..32).map(move |bit| word ^ 1 << bit))
        .collect();
    let mut l1 = l1();
    for_each_word(&words, |arena, pc, word| {
        let start = with_operands(pc, word, DATA + 0x800, 93);
        arena.step_on_l1(&start, &mut l1);
    });
}

/// Every opcode, funct3 and funct7: no instruction is missing, and none is extra.
#[test]
fn every_operation_code() {
    let words: Vec<_> = (0..128)
        .flat_map(|opcode| (0..8).map(move |funct3| opcode | funct3 << 12))
        .flat_map(|word| [0, 1, 2, 0x10, 0x20, 0x21, 0x40, 0x7f].map(|funct7| word | funct7 << 25))
        .map(|word| word | 5 << 7 | 6 << 15 | 7 << 20)
        .collect();
    for_each_word(&words, |arena, pc, word| {
        arena.step(&with_operands(pc, word, DATA + 0x800, 0x1_2345_6789));
    });
}
