//! The contracts' constants match the committed program.

use std::{fs, path::Path};

use turnpike_vm::Machine;

#[test]
fn initial_state_constant_matches_committed_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let elf = fs::read(root.join("fraud-proof/guest/program.elf")).expect("the program is there");
    let contract = fs::read_to_string(root.join("contracts/src/lib/ProgramState.sol"))
        .expect("the contract is there");
    let hash = Machine::load(&elf, None).expect("loads").state().hash();
    let constant = format!("INITIAL_STATE =\n        {hash};");
    assert!(contract.contains(&constant), "first state {hash}: run tools/riscv update");
}
