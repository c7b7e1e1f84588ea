//! A step that L1 and the machine take differently, as text and as JSON.

use std::fmt;

use alloy_primitives::hex;
use serde_json::{Value, json};
use turnpike_vm::{REGISTER_NAMES, State, decode};

use crate::StepDifference;

impl fmt::Display for StepDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { witness, machine, l1, l1_state, .. } = self;
        let before = &witness.state;
        writeln!(f, "step         {}", before.step)?;
        writeln!(f, "pc           {:#x}", before.pc)?;
        writeln!(f, "instruction  {}", instruction(self))?;
        let hash = match l1 {
            Ok(hash) => hash.to_string(),
            Err(error) => error.to_string(),
        };
        writeln!(f, "before       {}", before.hash())?;
        writeln!(f, "machine      {}", machine.hash())?;
        writeln!(f, "L1           {hash}")?;
        writeln!(f, "\n  field         before, then what the machine and L1 make of it")?;
        let l1_fields = l1_state.as_ref().map(fields);
        for (index, (before, machine)) in fields(before).iter().zip(fields(machine)).enumerate() {
            let l1 = l1_fields.as_ref().map(|fields| fields[index].1.as_str());
            if before.1 == machine.1 && l1.is_none_or(|l1| l1 == before.1) {
                continue;
            }
            let mark = if l1.is_some_and(|l1| l1 != machine.1) { '*' } else { ' ' };
            writeln!(f, "{mark} {:<12}  {}", machine.0, before.1)?;
            writeln!(f, "{mark} {:<12}  {}", "", machine.1)?;
            writeln!(f, "{mark} {:<12}  {}", "", l1.unwrap_or("?"))?;
        }
        Ok(())
    }
}

impl StepDifference {
    /// The difference as JSON, with everything needed to repeat the step.
    pub fn to_json(&self) -> Value {
        let Self { witness, machine, l1, l1_state, .. } = self;
        let differs: Vec<String> = l1_state.as_ref().map_or_else(Vec::new, |l1| {
            let pairs = fields(machine).into_iter().zip(fields(l1));
            pairs.filter(|(machine, l1)| machine != l1).map(|(field, _)| field.0).collect()
        });
        let encode = |state: &State| hex::encode_prefixed(state.encode());
        json!({
            "step": witness.state.step,
            "pc": format!("{:#x}", witness.state.pc),
            "instruction": instruction(self),
            "differs": differs,
            "before": encode(&witness.state),
            "proof": hex::encode_prefixed(&witness.proof),
            "machine": encode(machine),
            "l1": l1_state.as_ref().map(encode),
            "l1Hash": l1.as_ref().ok(),
            "l1Error": l1.as_ref().err().map(ToString::to_string),
        })
    }
}

fn instruction(difference: &StepDifference) -> String {
    let Some(word) = difference.word else { return "none: no address of one".into() };
    let text = decode(word).map_or_else(|| "none".into(), |instruction| instruction.to_string());
    format!("{word:#010x}  {text}")
}

/// Name and text of each field of a state.
fn fields(state: &State) -> Vec<(String, String)> {
    let number = |value: u64| format!("{value:#018x}");
    let exit = state.exit.map_or_else(|| "running".into(), number);
    let registers = REGISTER_NAMES[1..].iter().zip(state.registers);
    let mut fields = vec![
        ("memory root".into(), state.memory_root.to_string()),
        ("pc".into(), number(state.pc)),
        ("exit".into(), exit),
        ("step".into(), state.step.to_string()),
    ];
    fields.extend(registers.map(|(name, value)| ((*name).into(), number(value))));
    fields
}
