//! The guest's side of the machine: entry point, memory and system calls. All `unsafe` code that
//! depends on the machine is here. Symbols that start with an underscore come from `program.ld`.

use core::{
    arch::{asm, global_asm},
    panic::PanicInfo,
    ptr,
};

use alloy_primitives::B256;
use turnpike_protocol::{Oracle, OracleWord};

use crate::heap::Heap;

/// Exit code of a panic, an exhausted heap included.
const PANICKED: u64 = 101;

/// Size of the machine's memory, where the heap ends. It is too far from the program for a linker
/// symbol.
const MEMORY_BYTES: usize = 1 << 32;

/// The system call that ends the program: Linux's `exit`.
const EXIT: u64 = 93;

/// The system call that reads the oracle.
const READ_ORACLE: u64 = 1000;

global_asm!(
    ".section .text.start, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, _stack_top",
    "call {main}",
    "unimp",
    main = sym main,
);

unsafe extern "C" {
    static _heap_start: u8;
}

#[global_allocator]
static HEAP: Heap = Heap::new(&raw const _heap_start, ptr::without_provenance(MEMORY_BYTES));

extern "C" fn main() -> ! {
    match turnpike_program::run(&mut MachineOracle) {
        Ok(output_root) => exit(0, output_root),
        Err(fault) => exit(fault.exit_code(), B256::ZERO),
    }
}

/// The preimage oracle, read by system call. If a preimage is missing, the machine stops at the
/// call.
#[derive(Debug)]
struct MachineOracle;

impl Oracle for MachineOracle {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        let [mut a0, mut a1, mut a2, mut a3] = to_registers(key);
        let mut a4 = offset;
        // SAFETY: the call changes these registers and touches no memory.
        unsafe {
            asm!(
                "ecall",
                in("a7") READ_ORACLE,
                inlateout("a0") a0,
                inlateout("a1") a1,
                inlateout("a2") a2,
                inlateout("a3") a3,
                inlateout("a4") a4,
                options(nostack, nomem),
            );
        }
        let mut word = B256::ZERO;
        let (bytes, _) = word.as_chunks_mut::<8>();
        for (bytes, register) in bytes.iter_mut().zip([a0, a1, a2, a3]) {
            *bytes = register.to_le_bytes();
        }
        Some(OracleWord { word, len: a4 })
    }
}

/// 32 bytes as four little-endian registers.
fn to_registers(bytes: &B256) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    [0, 1, 2, 3].map(|i: usize| u64::from_le_bytes(words[i]))
}

/// Stops the machine with a code in `a0` and the output root in `a1..a4`.
fn exit(code: u64, output_root: B256) -> ! {
    let [a1, a2, a3, a4] = to_registers(&output_root);
    // SAFETY: the call does not return and touches no memory.
    unsafe {
        asm!(
            "ecall",
            "unimp",
            in("a7") EXIT,
            in("a0") code,
            in("a1") a1,
            in("a2") a2,
            in("a3") a3,
            in("a4") a4,
            options(noreturn, nostack),
        )
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(PANICKED, B256::ZERO)
}
