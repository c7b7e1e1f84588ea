//! The fast interpreter: executes decoded pages and leaves exceptional instructions to the step
//! function. Both compute results with the same functions.
//!
//! Exceptional are `ecall` and `ebreak`, illegal words, all faults, and stores to pages that have
//! to be copied or decoded first. Each is detected before anything has changed.

use crate::{
    bits::slot_of,
    code::{Code, CodePage, SLOTS},
    compute::{compute, extend, is_taken},
    cpu::{Cpu, Registers},
    instruction::{Class, Op},
    memory::{MEMORY_BYTES, Memory, PAGE_BYTES},
    observe::Observer,
};

/// Runs until `until_step` or until an instruction that the step function has to execute.
pub(crate) fn run(
    cpu: &mut Cpu,
    memory: &mut Memory,
    code: &mut Code,
    until_step: u64,
    observer: &mut impl Observer,
) {
    debug_assert!(cpu.exit.is_none());
    // Keeps sums of steps and indexes from overflowing. No run gets that far; the step function
    // would take the rest.
    let until_step = until_step.min(u64::MAX - SLOTS as u64);
    while cpu.step < until_step {
        let Some(page) = code.page(cpu.pc, memory) else { return };
        let mut at = PagePosition::new(cpu.pc, until_step - cpu.step);
        let left = run_page(page, &mut at, &mut cpu.registers, memory, observer);
        cpu.step = until_step - at.steps_left();
        cpu.pc = match left {
            PageExit::Page { target } => target,
            PageExit::Slow => at.pc(),
        };
        if matches!(left, PageExit::Slow) {
            return;
        }
    }
}

/// Why the interpreter left a page.
enum PageExit {
    /// The next instruction is in another page, or there are no steps left.
    Page { target: u64 },
    /// The step function has to execute this one.
    Slow,
}

/// The interpreter's position in a page.
struct PagePosition {
    /// Address of the page.
    start: u64,
    /// Index of the next instruction.
    index: usize,
    /// Index at which the steps are used up if nothing jumps before. May be far beyond the page.
    limit: u64,
}

impl PagePosition {
    #[inline(always)]
    fn new(pc: u64, steps_left: u64) -> Self {
        let index = slot_of(pc);
        let start = pc & !(PAGE_BYTES as u64 - 1);
        Self { start, index, limit: steps_left.saturating_add(index as u64) }
    }

    #[inline(always)]
    const fn pc(&self) -> u64 {
        self.start + 4 * self.index as u64
    }

    #[inline(always)]
    const fn steps_left(&self) -> u64 {
        self.limit - self.index as u64
    }

    /// Index at which straight-line execution has to stop.
    #[inline(always)]
    fn end(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(SLOTS).min(SLOTS)
    }

    /// Counts the instruction as executed and continues at `target`. Returns whether it is in this
    /// page.
    #[inline(always)]
    fn jump(&mut self, target: u64) -> bool {
        let offset = target.wrapping_sub(self.start);
        let steps_left = self.steps_left() - 1;
        let is_here = offset < PAGE_BYTES as u64 && offset & 3 == 0;
        self.index = if is_here { slot_of(target) } else { 0 };
        self.limit = steps_left + self.index as u64;
        is_here
    }
}

#[inline(always)]
fn run_page(
    page: &CodePage,
    at: &mut PagePosition,
    x: &mut Registers,
    memory: &mut Memory,
    observer: &mut impl Observer,
) -> PageExit {
    let mut end = at.end();
    loop {
        if at.index >= end {
            return PageExit::Page { target: at.pc() };
        }
        let instruction = page[at.index];
        let (a, b) = (x.get(instruction.rs1), x.get(instruction.rs2));
        let (rd, imm) = (instruction.rd, instruction.imm64());

        macro_rules! jump {
            ($op:expr, $target:expr) => {{
                let target = $target;
                observer.executed($op.class());
                if !at.jump(target) {
                    return PageExit::Page { target };
                }
                end = at.end();
                continue;
            }};
        }
        macro_rules! execute {
            (
                immediates: $($immediate:ident)*; registers: $($register:ident)*; branches: $($branch:ident)*;
                loads: $($load:ident)*; stores: $($store:ident)*; others: $($other:pat => $do:expr,)*
            ) => {
                match instruction.op {
                    $(Op::$immediate => if let Some(value) = compute(Op::$immediate, a, imm) {
                        observer.executed(const { Op::$immediate.class() });
                        x.set_unchecked(rd, value);
                    })*
                    $(Op::$register => if let Some(value) = compute(Op::$register, a, b) {
                        observer.executed(const { Op::$register.class() });
                        x.set_unchecked(rd, value);
                    })*
                    $(Op::$branch => {
                        if is_taken(Op::$branch, a, b) == Some(true) {
                            jump!(Op::$branch, at.pc().wrapping_add(imm));
                        }
                        observer.executed(Class::Branch);
                    })*
                    $(Op::$load => {
                        let address = a.wrapping_add(imm);
                        if !is_usable(address, const { Op::$load.access_bytes() }) {
                            return PageExit::Slow;
                        }
                        let value = memory.load(address, const { Op::$load.access_bytes() });
                        if let Some(value) = extend(Op::$load, value) {
                            x.set_unchecked(rd, value);
                        }
                        observer.executed(Class::Load);
                    })*
                    $(Op::$store => {
                        let address = a.wrapping_add(imm);
                        let bytes = const { Op::$store.access_bytes() };
                        if !is_usable(address, bytes) || !memory.try_store(address, bytes, b) {
                            return PageExit::Slow;
                        }
                        observer.executed(Class::Store);
                    })*
                    $($other => $do,)*
                }
            };
        }
        execute! {
            immediates: Lui Addi Slti Sltiu Xori Ori Andi Slli Srli Srai Addiw Slliw Srliw Sraiw;
            registers:
                Add Sub Sll Slt Sltu Xor Srl Sra Or And Addw Subw Sllw Srlw Sraw
                Mul Mulh Mulhsu Mulhu Div Divu Rem Remu Mulw Divw Divuw Remw Remuw;
            branches: Beq Bne Blt Bge Bltu Bgeu;
            loads: Lb Lh Lw Ld Lbu Lhu Lwu;
            stores: Sb Sh Sw Sd;
            others:
                Op::Auipc => {
                    observer.executed(Class::Upper);
                    x.set_unchecked(rd, at.pc().wrapping_add(imm));
                },
                Op::Jal => {
                    x.set_unchecked(rd, at.pc() + 4);
                    jump!(Op::Jal, at.pc().wrapping_add(imm))
                },
                Op::Jalr => {
                    x.set_unchecked(rd, at.pc() + 4);
                    jump!(Op::Jalr, a.wrapping_add(imm) & !1)
                },
                Op::Fence => observer.executed(Class::Fence),
                Op::Ecall | Op::Ebreak => return PageExit::Slow,
        }
        at.index += 1;
    }
}

/// Whether an access is aligned and within memory.
#[inline(always)]
const fn is_usable(address: u64, bytes: u64) -> bool {
    address & !((MEMORY_BYTES - 1) & !(bytes - 1)) == 0
}
