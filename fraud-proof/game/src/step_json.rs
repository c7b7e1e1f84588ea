//! An executed step as JSON.

use serde_json::{Map, Value, json};
use turnpike_vm::{ExecutedStep, REGISTER_NAMES};

/// The step as `turnpike vm trace --format json` prints it.
pub fn step_json(step: &ExecutedStep) -> Value {
    let registers: Map<String, Value> = step
        .registers
        .iter()
        .map(|(number, value)| {
            (REGISTER_NAMES[usize::from(*number)].into(), format!("{value:#x}").into())
        })
        .collect();
    let store = step.store.map(|store| {
        json!({
            "address": format!("{:#x}", store.address),
            "bytes": store.bytes,
            "value": format!("{:#x}", store.value),
        })
    });
    json!({
        "step": step.step,
        "pc": format!("{:#x}", step.pc),
        "word": step.word.map(|word| format!("{word:#010x}")),
        "instruction": step.instruction,
        "registers": registers,
        "memory": store,
        "exit": step.exit,
    })
}
