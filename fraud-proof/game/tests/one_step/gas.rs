use turnpike_game::{L1Gas, L1Step};

use crate::{
    arena::{Arena, KEYS, Pages, Start, Taken, l1},
    encode::{Fields, Format, TEMPLATES, Template},
    memory::PAGE_BYTES,
};

/// Maximum gas of a step on L1, without loads of the preimage oracle.
const GAS_MAX: u64 = 400_000;

const DATA: u64 = 0x8765_4000;
const CODE: u64 = 0x7654_3210;

/// A value without zero bytes, which makes calldata expensive.
const ODD: u64 = 0xa5a5_a5a5_a5a5_a5a5;

/// The gas of the template's instruction on L1 if no register and no byte of memory is zero.
fn take(template: &Template, registers: [u64; 32], l1: &mut L1Step) -> Taken {
    let word = template.encode(Fields { rd: 5, rs1: 6, rs2: 7, imm: 8 });
    let mut code = [0xa5; PAGE_BYTES as usize];
    code[(CODE % PAGE_BYTES) as usize..][..4].copy_from_slice(&word.to_le_bytes());
    let data = Box::new([0xa5; PAGE_BYTES as usize]);
    let pages = Pages::from([(CODE / PAGE_BYTES * PAGE_BYTES, Box::new(code)), (DATA, data)]);
    Arena::new(&pages).step_on_l1(&Start { pc: CODE, registers }, l1).expect("the preimage exists")
}

fn registers(template: &Template) -> [u64; 32] {
    let mut registers = [ODD; 32];
    registers[0] = 0;
    if matches!(template.bits & 0x7f, 0x03 | 0x23) {
        registers[6] = DATA;
    }
    registers
}

fn print(name: &str, gas: L1Gas) {
    println!("| {name:<12} | {:>7} | {:>7} |", gas.used, gas.without_floor);
}

#[test]
fn step_gas_stays_below_its_limit() {
    let mut l1 = l1();
    for template in TEMPLATES {
        let Taken { gas, witness, .. } = take(&template, registers(&template), &mut l1);
        print(template.name, gas);
        assert!(gas.used < GAS_MAX, "{}: {gas:?}", template.name);
        let accesses = matches!(template.format, Format::S) || template.bits & 0x7f == 0x03;
        assert_eq!(witness.proof.len(), if accesses { 1792 } else { 896 }, "{}", template.name);
    }
}

#[test]
fn load_gas_stays_below_its_limit() {
    let mut l1 = l1();
    let ecall =
        TEMPLATES.iter().find(|template| template.name == "ecall").expect("the template exists");
    let calls =
        [("exit", 93, KEYS[0]), ("read local", 1000, KEYS[3]), ("read keccak", 1000, KEYS[10])];
    for (name, call, key) in calls {
        let mut registers = registers(ecall);
        registers[17] = call;
        registers[14] = 0;
        for (register, bytes) in registers[10..14].iter_mut().zip(key.as_chunks().0) {
            *register = u64::from_le_bytes(*bytes);
        }
        let Taken { gas, after, .. } = take(ecall, registers, &mut l1);
        print(name, gas);
        assert!(gas.used < GAS_MAX, "{name}: {gas:?}");
        assert_eq!(after.exit.is_some(), call == 93, "{name}");
    }
}
