//! Decoded code pages for the fast interpreter.
//!
//! # State
//!
//! The decoded pages equal the memory at all times: their memory pages are watched, and a store to
//! one refreshes its instructions.
//!
//! # Limits
//!
//! At most `PAGES_MAX` pages. When one more is decoded, all others are dropped.

use std::fmt;

use crate::{
    bits::{low, page_of, slot_of},
    cpu::SINK,
    decode::decode,
    instruction::{Instruction, Op},
    memory::{MEMORY_BYTES, Memory, PAGE_BYTES, PAGES, boxed},
};

/// Instructions of a page.
pub(crate) const SLOTS: usize = PAGE_BYTES / 4;

/// Maximum number of decoded pages: 32 MiB.
const PAGES_MAX: usize = 4096;

/// A decoded page. The destination `x0` is [`SINK`]. Every word that the fast interpreter does not
/// execute, illegal words included, is [`LEAVE`].
pub(crate) type CodePage = [Instruction; SLOTS];

/// Leaves the instruction to the step function.
const LEAVE: Instruction = Instruction { op: Op::Ebreak, rd: 0, rs1: 0, rs2: 0, imm: 0 };

/// The decoded pages of a memory. [`refresh`](Self::refresh) has to follow every store to one of
/// them.
pub(crate) struct Code {
    /// By page number: 0, or the page's index in `pages` plus 1.
    slots: Box<[u32; PAGES]>,
    pages: Vec<(usize, Box<CodePage>)>,
}

impl Code {
    pub(crate) fn new() -> Self {
        Self { slots: boxed(vec![0; PAGES]), pages: Vec::new() }
    }

    /// The decoded page of an address; `None` if the address faults or its page was never written.
    #[inline(always)]
    pub(crate) fn page(&mut self, pc: u64, memory: &mut Memory) -> Option<&CodePage> {
        if pc & 3 != 0 || pc >= MEMORY_BYTES {
            return None;
        }
        let slot = self.slots[page_of(pc)];
        if slot == 0 {
            return self.decode(pc, memory);
        }
        Some(&self.pages[slot as usize - 1].1)
    }

    #[cold]
    fn decode(&mut self, pc: u64, memory: &mut Memory) -> Option<&CodePage> {
        if !memory.has_page(pc) {
            return None;
        }
        if self.pages.len() == PAGES_MAX {
            self.clear(memory);
        }
        let start = pc - pc % PAGE_BYTES as u64;
        let mut page = Box::new([LEAVE; SLOTS]);
        for (instruction, address) in page.iter_mut().zip((start..).step_by(4)) {
            *instruction = translate(low(memory.load(address, 4)));
        }
        memory.watch(pc);
        self.pages.push((page_of(pc), page));
        self.slots[page_of(pc)] = u32::try_from(self.pages.len()).expect("invariant: bounded");
        self.pages.last().map(|(_, page)| &**page)
    }

    fn clear(&mut self, memory: &mut Memory) {
        for (index, _) in self.pages.drain(..) {
            self.slots[index] = 0;
            memory.unwatch(index);
        }
    }

    /// Decodes the instructions at a store's address again.
    pub(crate) fn refresh(&mut self, address: u64, memory: &Memory) {
        let Some(slot) = self.slots[page_of(address)].checked_sub(1) else { return };
        let page = &mut self.pages[slot as usize].1;
        let start = address & !7;
        for address in [start, start + 4] {
            page[slot_of(address)] = translate(low(memory.load(address, 4)));
        }
    }

    /// Drops a page whose memory page was replaced.
    pub(crate) fn forget(&mut self, index: usize, memory: &mut Memory) {
        let Some(slot) = self.slots[index].checked_sub(1) else { return };
        self.slots[index] = 0;
        memory.unwatch(index);
        self.pages.swap_remove(slot as usize);
        if let Some((moved, _)) = self.pages.get(slot as usize) {
            self.slots[*moved] = slot + 1;
        }
    }
}

fn translate(word: u32) -> Instruction {
    match decode(word) {
        Some(instruction) if instruction.rd == 0 => Instruction { rd: SINK, ..instruction },
        Some(instruction) => instruction,
        None => LEAVE,
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("pages", &self.pages.len()).finish_non_exhaustive()
    }
}
