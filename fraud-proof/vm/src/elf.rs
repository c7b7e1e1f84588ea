//! Reads programs: static RV64IM executables, or images put together by hand.

use object::{
    LittleEndian,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, ProgramHeader as _},
};
use thiserror::Error;

use crate::memory::MEMORY_BYTES;

/// Why a file is not a program for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ElfError {
    /// Not an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// A 32-bit file.
    #[error("not a 64-bit ELF file (class {0}, expected 2)")]
    Class(u8),
    /// A big-endian file.
    #[error("not a little-endian ELF file (data encoding {0}, expected 1)")]
    Endianness(u8),
    /// A file for another architecture.
    #[error("not for RISC-V (machine {0}, expected 243)")]
    Machine(u16),
    /// An object, a library or a relocatable executable.
    #[error(
        "not an executable at fixed addresses (type {0}, expected 2): link it statically, without PIE"
    )]
    Type(u16),
    /// A dynamically linked executable.
    #[error("dynamically linked: link it statically, without PIE")]
    Dynamic,
    /// A file for extensions that the machine lacks.
    #[error(
        "flags {0:#x}: compiled for compressed instructions, floats or RV32E registers; the machine is RV64IM"
    )]
    Flags(u32),
    /// Headers or segments beyond the end of the file.
    #[error("broken or cut off: {0}")]
    Broken(&'static str),
    /// A segment outside the memory.
    #[error("segment of {bytes} bytes at {address:#x} is not within the memory of 2^32 bytes")]
    Segment {
        /// Start address.
        address: u64,
        /// Size in memory in bytes.
        bytes: u64,
    },
    /// An entry point where no instruction can be.
    #[error(
        "entry {0:#x} is not an address of an instruction: expected a multiple of 4 below 2^32"
    )]
    Entry(u64),
}

/// A program: the memory before the first step, and the entry point.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    entry: u64,
    segments: Vec<Segment<'a>>,
}

/// Bytes at an address, followed by zeros up to `length`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) address: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) length: u64,
}

impl<'a> Image<'a> {
    /// A program without segments.
    ///
    /// # Errors
    ///
    /// If no instruction can be at the entry.
    pub const fn new(entry: u64) -> Result<Self, ElfError> {
        if !entry.is_multiple_of(4) || entry >= MEMORY_BYTES {
            return Err(ElfError::Entry(entry));
        }
        Ok(Self { entry, segments: Vec::new() })
    }

    /// Adds a segment: `bytes` at `address`, followed by zeros up to `length`. Later segments
    /// overwrite earlier ones.
    ///
    /// # Errors
    ///
    /// If the segment is outside the memory, or `length` is less than the length of `bytes`.
    pub fn with_segment(
        mut self,
        address: u64,
        bytes: &'a [u8],
        length: u64,
    ) -> Result<Self, ElfError> {
        if length < bytes.len() as u64 {
            return Err(ElfError::Broken("a segment is longer in the file than in memory"));
        }
        if address.checked_add(length).is_none_or(|end| end > MEMORY_BYTES) {
            return Err(ElfError::Segment { address, bytes: length });
        }
        self.segments.push(Segment { address, bytes, length });
        Ok(self)
    }

    /// Reads a static RV64IM executable. `entry` replaces the file's entry point.
    ///
    /// # Errors
    ///
    /// If the file is not a static RV64IM executable. Its instructions are not checked.
    pub fn parse(file: &'a [u8], entry: Option<u64>) -> Result<Self, ElfError> {
        check_ident(file)?;
        let header = FileHeader64::<LittleEndian>::parse(file)
            .map_err(|_| ElfError::Broken("file header"))?;
        let endian = LittleEndian;
        if header.e_machine(endian) != elf::EM_RISCV {
            return Err(ElfError::Machine(header.e_machine(endian)));
        }
        if header.e_type(endian) != elf::ET_EXEC {
            return Err(ElfError::Type(header.e_type(endian)));
        }
        let flags = header.e_flags(endian);
        if flags & (elf::EF_RISCV_RVC | elf::EF_RISCV_FLOAT_ABI | elf::EF_RISCV_RVE) != 0 {
            return Err(ElfError::Flags(flags));
        }
        let headers = header
            .program_headers(endian, file)
            .map_err(|_| ElfError::Broken("program headers"))?;
        let mut image = Self::new(entry.unwrap_or_else(|| header.e_entry(endian)))?;
        for header in headers {
            match header.p_type(endian) {
                elf::PT_DYNAMIC | elf::PT_INTERP => return Err(ElfError::Dynamic),
                elf::PT_LOAD => {
                    let bytes =
                        header.data(endian, file).map_err(|()| ElfError::Broken("a segment"))?;
                    image = image.with_segment(
                        header.p_vaddr(endian),
                        bytes,
                        header.p_memsz(endian),
                    )?;
                }
                _ => {}
            }
        }
        Ok(image)
    }

    /// Address of the first instruction.
    pub const fn entry(&self) -> u64 {
        self.entry
    }

    pub(crate) fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }
}

fn check_ident(file: &[u8]) -> Result<(), ElfError> {
    if !file.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    let ident = |at: usize| file.get(at).copied().ok_or(ElfError::Broken("file header"));
    match (ident(4)?, ident(5)?) {
        (elf::ELFCLASS64, elf::ELFDATA2LSB) => Ok(()),
        (elf::ELFCLASS64, endianness) => Err(ElfError::Endianness(endianness)),
        (class, _) => Err(ElfError::Class(class)),
    }
}
