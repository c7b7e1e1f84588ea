//! Prints a proof.

use std::{collections::BTreeMap, fmt, time::Duration};

use alloy_primitives::B256;
use serde::Serialize;
use turnpike_protocol::DataKind;
use turnpike_vm::MEMORY_BYTES;

use super::{BlockPosition, PreimagesSize, Proof, StatedBlock, WitnessSize};

/// A proof in figures, as text and as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofReport {
    /// The block's position.
    #[serde(flatten)]
    pub position: BlockPosition,
    /// Where L1 holds the entry's batch.
    pub data_kind: DataKind,
    /// Why the batch was skipped, if it was.
    pub fault: Option<String>,
    /// The block; `None` if the entry has no block at the index.
    pub block: Option<StatedBlock>,
    /// The output root before the block.
    pub output_root_before: B256,
    /// Whether the three output roots are equal.
    pub agrees: bool,
    /// The node's output root.
    pub node: B256,
    /// The native run's result.
    pub native: RunOutcome,
    /// The machine's result.
    pub machine: RunOutcome,
    /// Number of instructions.
    pub instructions: u64,
    /// Instructions per transaction, deposits included; `None` without transactions.
    pub instructions_per_transaction: Option<u64>,
    /// Instructions by kind.
    pub instructions_by_kind: BTreeMap<&'static str, u64>,
    /// Millions of instructions per second in the machine.
    pub mips: f64,
    /// Number of memory pages written.
    pub pages: usize,
    /// Bytes of these pages.
    pub memory_bytes: u64,
    /// End address of the highest page.
    pub memory_end: u64,
    /// Size of the smallest witness.
    pub witness: WitnessSize,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunOutcome {
    /// The output root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_root: Option<B256>,
    /// Why the run has no output root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Duration in seconds.
    pub seconds: f64,
}

impl RunOutcome {
    fn new<E: fmt::Display>(result: &Result<B256, E>, time: Duration) -> Self {
        let error = result.as_ref().err().map(ToString::to_string);
        Self { output_root: result.as_ref().ok().copied(), error, seconds: time.as_secs_f64() }
    }
}

impl From<&Proof> for ProofReport {
    fn from(proof: &Proof) -> Self {
        let Proof { statement, native, machine } = proof;
        let instructions = machine.counts.total();
        let transactions = statement.block.as_ref().map(|block| block.transactions as u64);
        let counted = machine.counts.iter().filter(|(_, count)| *count > 0);
        let seconds = machine.time.as_secs_f64();
        Self {
            position: statement.position,
            data_kind: statement.data_kind,
            fault: statement.fault.as_ref().map(ToString::to_string),
            block: statement.block.clone(),
            output_root_before: statement.witness.local.output_root,
            agrees: proof.agrees(),
            node: statement.output_root,
            native: RunOutcome::new(&native.result, native.time),
            machine: RunOutcome::new(&machine.result, machine.time),
            instructions,
            instructions_per_transaction: transactions.and_then(|it| instructions.checked_div(it)),
            instructions_by_kind: counted.map(|(class, count)| (class.name(), count)).collect(),
            mips: if seconds > 0.0 { instructions as f64 / seconds / 1e6 } else { 0.0 },
            pages: machine.memory.pages,
            memory_bytes: machine.memory.bytes(),
            memory_end: machine.memory.end,
            witness: WitnessSize::of(proof.witness()),
        }
    }
}

impl fmt::Display for ProofReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_block(f)?;
        self.write_roots(f)?;
        self.write_run(f)
    }
}

impl ProofReport {
    fn write_block(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlockPosition { entry, index } = self.position;
        let kind = match self.data_kind {
            DataKind::None => "forced",
            DataKind::Calldata => "calldata",
            DataKind::Blobs => "blobs",
        };
        match &self.block {
            Some(block) => writeln!(f, "block         {} {}", block.number, block.hash)?,
            None => writeln!(f, "block         none: the entry has no such block")?,
        }
        writeln!(f, "entry         {entry} ({kind}), block {index} of it, counted from 0")?;
        if let Some(fault) = &self.fault {
            writeln!(f, "              its batch is passed over: {fault}")?;
        }
        let Some(block) = &self.block else { return Ok(()) };
        let StatedBlock { transactions, deposits, skipped, gas_used, .. } = block;
        write!(f, "transactions  {transactions}, {deposits} of them deposits")?;
        if *skipped > 0 {
            write!(f, "; {skipped} more were skipped")?;
        }
        writeln!(f, "; {} gas", grouped(*gas_used))
    }

    fn write_roots(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.agrees {
            writeln!(f, "output root   {}", self.node)?;
            return writeln!(f, "              node, native program and machine AGREE");
        }
        writeln!(f, "output root   node, native program and machine DIFFER")?;
        writeln!(f, "  node        {}", self.node)?;
        for (name, outcome) in [("native", &self.native), ("machine", &self.machine)] {
            match (&outcome.output_root, &outcome.error) {
                (Some(root), _) => writeln!(f, "  {name:<10}  {root}")?,
                (None, error) => {
                    writeln!(f, "  {name:<10}  {}", error.as_deref().unwrap_or("no output root"))?;
                }
            }
        }
        Ok(())
    }

    fn write_run(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instructions  {}", grouped(self.instructions))?;
        match self.instructions_per_transaction {
            Some(each) => writeln!(f, ", {} per transaction", grouped(each))?,
            None => writeln!(f)?,
        }
        let mut kinds: Vec<_> = self.instructions_by_kind.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (kind, count) in kinds {
            let share = 100.0 * *count as f64 / self.instructions as f64;
            writeln!(f, "  {kind:<10}  {:>15} {share:>5.1} %", grouped(*count))?;
        }
        let share = 100.0 * self.memory_end as f64 / MEMORY_BYTES as f64;
        let (bytes, end) = (grouped(self.memory_bytes), self.memory_end);
        writeln!(
            f,
            "memory        {} pages written, {bytes} bytes; peak {end:#x}, {share:.1} % of what there is",
            self.pages
        )?;
        let (native, machine) = (self.native.seconds, self.machine.seconds);
        writeln!(
            f,
            "time          {machine:.3} s in the machine, {:.0} million instructions/s; natively {native:.3} s",
            self.mips
        )?;
        let WitnessSize { keccak, blobs, precompiles } = self.witness;
        let PreimagesSize { count, bytes } = self.witness.total();
        writeln!(f, "witness       {count} preimages, {} bytes", grouped(bytes as u64))?;
        let kinds = [("keccak", keccak), ("blobs", blobs), ("precompile", precompiles)];
        for (name, PreimagesSize { count, bytes }) in kinds {
            writeln!(f, "  {name:<10}  {count:>15} {:>15} bytes", grouped(bytes as u64))?;
        }
        Ok(())
    }
}

/// A number with commas between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
