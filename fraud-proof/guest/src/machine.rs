//! The machine underneath: where it starts, what memory it has, and how it stops. All of the program's `unsafe` that
//! depends on the machine is here; symbols that start with an underscore come from `program.ld`.

use core::{
    arch::{asm, global_asm},
    panic::PanicInfo,
    ptr,
};

use alloy_primitives::B256;
use turnpike_program::transition;

use crate::heap::Bump;

/// Exit code of a panic, an exhausted heap included.
const PANICKED: u64 = 101;

/// The machine's memory: the heap's end. Too far from the program for a symbol of the linker script.
const MEMORY_BYTES: usize = 1 << 32;

/// The system call that ends the program: Linux's `exit`.
const EXIT: u64 = 93;

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
    static _input_start: u8;
    static _input_end: u8;
    static _heap_start: u8;
}

#[global_allocator]
static HEAP: Bump = Bump::new(&raw const _heap_start, ptr::without_provenance(MEMORY_BYTES));

extern "C" fn main() -> ! {
    match transition(input()) {
        Ok(output_root) => exit(0, output_root),
        Err(fault) => exit(fault as u64, B256::ZERO),
    }
}

fn input() -> &'static [u8] {
    let (start, end) = (&raw const _input_start, &raw const _input_end);
    // SAFETY: the linker script puts both symbols around one read-only section.
    unsafe { &*ptr::slice_from_raw_parts(start, end.addr() - start.addr()) }
}

/// Stops the machine with a code in `a0` and the output root's words, first bytes lowest, in `a1..a4`.
fn exit(code: u64, output_root: B256) -> ! {
    let (words, _) = output_root.as_chunks::<8>();
    let [a1, a2, a3, a4] = [0, 1, 2, 3].map(|i: usize| u64::from_le_bytes(words[i]));
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
