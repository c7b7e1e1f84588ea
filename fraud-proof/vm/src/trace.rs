//! What one step of the machine changed, for people who follow a program.

use std::fmt;

use turnpike_protocol::Oracle;

use crate::{Class, Machine, MissingPreimage, REGISTER_NAMES};

/// One executed step. Prints as a line of `turnpike vm trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedStep {
    /// Number of steps before it.
    pub step: u64,
    /// Address of the instruction.
    pub pc: u64,
    /// The instruction's word; `None` if the address has none.
    pub word: Option<u32>,
    /// The instruction's text; `None` if the word is not an instruction.
    pub instruction: Option<String>,
    /// Number and new value of each register that changed.
    pub registers: Vec<(u8, u64)>,
    /// The memory that a store wrote.
    pub store: Option<Store>,
    /// The exit code, if the machine exited.
    pub exit: Option<u64>,
}

/// A store to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Address of the first byte.
    pub address: u64,
    /// How many bytes: 1, 2, 4 or 8.
    pub bytes: u64,
    /// The bytes, zero-extended.
    pub value: u64,
}

impl ExecutedStep {
    /// Takes the machine's next step.
    ///
    /// # Errors
    ///
    /// If the oracle lacks what the step reads. The machine has not moved then.
    pub fn take(machine: &mut Machine, oracle: &mut impl Oracle) -> Result<Self, MissingPreimage> {
        let before: Vec<u64> = (0..32).map(|number| machine.register(number)).collect();
        let instruction = machine.instruction().ok();
        let stores = instruction.filter(|instruction| instruction.op.class() == Class::Store);
        let store = stores.and_then(|instruction| {
            let bytes = instruction.op.access_bytes();
            let value = machine.register(instruction.rs2) & (u64::MAX >> (64 - 8 * bytes));
            Some(Store { address: machine.next_access()?, bytes, value })
        });
        let mut executed = Self {
            step: machine.steps(),
            pc: machine.pc(),
            word: machine.instruction_word(),
            instruction: instruction.map(|instruction| instruction.to_string()),
            registers: Vec::new(),
            store,
            exit: None,
        };
        machine.step(oracle)?;
        let after = (0..32).map(|number| (number, machine.register(number)));
        executed.registers = after
            .zip(before)
            .filter_map(|((number, new), old)| (new != old).then_some((number, new)))
            .collect();
        executed.exit = machine.exit();
        Ok(executed)
    }
}

impl fmt::Display for ExecutedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.map_or_else(|| "-".into(), |word| format!("{word:08x}"));
        let mut changes = String::new();
        for (number, value) in &self.registers {
            changes += &format!("  {}={value:#x}", REGISTER_NAMES[usize::from(*number)]);
        }
        if let Some(Store { address, bytes, value }) = self.store {
            changes += &format!("  [{address:#x}]={value:#x} ({bytes} bytes)");
        }
        if let Some(code) = self.exit {
            changes += &format!("  exit={code}");
        }
        let instruction = self.instruction.as_deref().unwrap_or("-");
        let line = format!("{:>10}  {:08x}  {word:<8}  {instruction:<28}", self.step, self.pc);
        f.write_str((line + &changes).trim_end())
    }
}
