use std::fmt::Write as _;

use alloy_primitives::hex;
use serde_json::{Value, json};
use turnpike_game::StepDifference;
use turnpike_vm::{REGISTER_NAMES, State, decode};

/// What a step that L1 takes otherwise looks like to people.
pub(crate) fn text(difference: &StepDifference) -> String {
    let StepDifference { witness, machine, l1, l1_state, .. } = difference;
    let before = &witness.state;
    let mut text = String::new();
    let _ = writeln!(text, "step         {}", before.step);
    let _ = writeln!(text, "pc           {:#x}", before.pc);
    let _ = writeln!(text, "instruction  {}", instruction(difference));
    let hash = match l1 {
        Ok(hash) => hash.to_string(),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(text, "before       {}", before.hash());
    let _ = writeln!(text, "machine      {}", machine.hash());
    let _ = writeln!(text, "L1           {hash}");
    let _ = writeln!(text, "\n  field         before, then what the machine and L1 make of it");
    let l1_fields = l1_state.as_ref().map(fields);
    for (index, (before, machine)) in fields(before).iter().zip(fields(machine)).enumerate() {
        let l1 = l1_fields.as_ref().map(|fields| fields[index].1.as_str());
        if before.1 == machine.1 && l1.is_none_or(|l1| l1 == before.1) {
            continue;
        }
        let mark = if l1.is_some_and(|l1| l1 != machine.1) { '*' } else { ' ' };
        let _ = writeln!(text, "{mark} {:<12}  {}", machine.0, before.1);
        let _ = writeln!(text, "{mark} {:<12}  {}", "", machine.1);
        let _ = writeln!(text, "{mark} {:<12}  {}", "", l1.unwrap_or("?"));
    }
    text
}

/// The same with all that it takes to repeat it.
pub(crate) fn json(difference: &StepDifference) -> Value {
    let StepDifference { witness, machine, l1, l1_state, .. } = difference;
    let differs: Vec<String> = l1_state.as_ref().map_or_else(Vec::new, |l1| {
        let pairs = fields(machine).into_iter().zip(fields(l1));
        pairs.filter(|(machine, l1)| machine != l1).map(|(field, _)| field.0).collect()
    });
    let encode = |state: &State| hex::encode_prefixed(state.encode());
    json!({
        "step": witness.state.step,
        "pc": format!("{:#x}", witness.state.pc),
        "instruction": instruction(difference),
        "differs": differs,
        "before": encode(&witness.state),
        "proof": hex::encode_prefixed(&witness.proof),
        "machine": encode(machine),
        "l1": l1_state.as_ref().map(encode),
        "l1Hash": l1.as_ref().ok(),
        "l1Error": l1.as_ref().err().map(ToString::to_string),
    })
}

fn instruction(difference: &StepDifference) -> String {
    let Some(word) = difference.word else { return "none: no address of one".into() };
    let text = decode(word).map_or_else(|| "none".into(), |instruction| instruction.to_string());
    format!("{word:#010x}  {text}")
}

/// A state's fields, named and printed.
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
