//! Prints the hash of the machine's first state with a program: `initial_state ELF`.

use std::{env, error::Error, fs};

use turnpike_vm::Machine;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: initial_state ELF")?;
    let mut machine = Machine::load(&fs::read(path)?, None)?;
    println!("{}", machine.state().hash());
    Ok(())
}
