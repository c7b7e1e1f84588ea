//! `turnpike vm`, as it is called: exit statuses, what is printed, what is refused.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use alloy_primitives::B256;
use serde_json::Value;
use tempfile::TempDir;
use turnpike_protocol::{LocalInput, LocalInputs, Preimage, Preimages};
use turnpike_vm::{Instruction, Machine, Op};

const ENTRY: u64 = 0x1_0000;
const ECALL: u32 = 0x73;
const EBREAK: u32 = 0x0010_0073;
const EXIT: i32 = 93;
const READ_ORACLE: i32 = 1000;

const fn immediate(op: Op, rd: u8, rs1: u8, imm: i32) -> u32 {
    Instruction { op, rd, rs1, rs2: 0, imm }.encode()
}

const fn li(rd: u8, imm: i32) -> u32 {
    immediate(Op::Addi, rd, 0, imm)
}

/// A static RV64 executable with one segment.
fn elf(words: &[u32]) -> Vec<u8> {
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut file = vec![0; 64 + 56];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    put(16, &[2, 0, 243, 0, 1]);
    put(24, &ENTRY.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 1]);
    put(64, &[1, 0, 0, 0, 7]);
    put(72, &120_u64.to_le_bytes());
    put(80, &ENTRY.to_le_bytes());
    put(96, &(code.len() as u64).to_le_bytes());
    put(104, &(code.len() as u64).to_le_bytes());
    file.extend(code);
    file
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("written");
        path.display().to_string()
    }

    fn program(&self, words: &[u32]) -> String {
        self.write("program", &elf(words))
    }
}

fn vm(args: &[&str]) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_turnpike"));
    Command::new(binary).arg("vm").args(args).output().expect("started")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn exit_status_is_the_low_byte_of_a0() {
    let folder = Folder::new();
    for (a0, expected) in [(0, 0), (7, 7), (0x1ff, 255), (-1, 255), (0x100, 0)] {
        let program = folder.program(&[li(10, a0), li(17, EXIT), ECALL]);
        let output = vm(&["run", "--elf", &program, "--format", "json"]);
        assert_eq!((status(&output), stderr(&output).as_str()), (expected, ""), "{a0}");
        let [report] = &json_lines(&output)[..] else { panic!("one line") };
        assert_eq!(report["exit"], i64::from(a0).cast_unsigned());
        assert_eq!(report["steps"], 3);
        assert_eq!(report["instructions"], Value::Null);
    }
}

#[test]
fn reports_end_with_the_hash_of_the_final_state() {
    let folder = Folder::new();
    let program = folder.program(&[li(17, EXIT), ECALL]);
    let mut machine = Machine::load(&elf(&[li(17, EXIT), ECALL]), None).expect("a program");
    machine.run(&mut Preimages::default(), 10).expect("nothing is read");
    let state = machine.state().hash().to_string();
    let text = vm(&["run", "--elf", &program]);
    let text = String::from_utf8(text.stdout).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert_eq!((lines[0], lines[1]), ("exit    0", "steps   2"));
    assert_eq!(lines[4], format!("state   {state}"));
    let counted = vm(&["run", "--elf", &program, "--format", "json", "--count"]);
    let report = &json_lines(&counted)[0];
    assert_eq!((&report["state"], &report["pages"]), (&state.into(), &1.into()));
    assert_eq!(
        (&report["instructions"]["alu"], &report["instructions"]["ecall"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn faults_have_statuses_and_say_where() {
    let folder = Folder::new();
    let cases = [
        (0, 132, "not an RV64IM instruction"),
        (EBREAK, 133, "breakpoint"),
        (immediate(Op::Ld, 5, 0, 4), 135, "misaligned address"),
        (immediate(Op::Ld, 5, 0, -8), 139, "address not within the memory"),
        (ECALL, 159, "ecall that the machine does not have"),
    ];
    for (word, expected, text) in cases {
        let program = folder.program(&[li(5, 0), word]);
        let output = vm(&["run", "--elf", &program]);
        let error = stderr(&output);
        assert_eq!(status(&output), expected, "{error}");
        let start = format!("error: {text}");
        assert!(error.starts_with(&start), "{error}");
        let place = format!("stopped at pc 0x10004, instruction {word:#010x}");
        assert!(error.contains(&place) && error.lines().count() == 1, "{error}");
    }
    // An exit with a fault's code is none.
    let program = folder.program(&[li(10, 139), li(17, EXIT), ECALL]);
    let output = vm(&["run", "--elf", &program]);
    assert_eq!((status(&output), stderr(&output).as_str()), (139, ""));
    // There is no instruction to print.
    let program = folder.program(&[li(5, -4), immediate(Op::Jalr, 0, 5, 0)]);
    let output = vm(&["run", "--elf", &program]);
    assert_eq!(status(&output), 139);
    assert!(
        stderr(&output).contains("stopped at pc 0xfffffffffffffffc, step 3"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn entries_steps_and_files_are_checked() {
    let folder = Folder::new();
    let program = folder.program(&[li(10, 1), li(17, EXIT), ECALL, immediate(Op::Jal, 0, 0, 0)]);
    let run = |args: &[&str]| {
        let output = vm(&[&["run", "--elf", &program], args].concat());
        (status(&output), stderr(&output))
    };
    assert_eq!(run(&["--entry", "0x10004"]), (0, String::new()));
    assert_eq!(run(&["--entry", "65540"]), (0, String::new()));
    let endless = run(&["--entry", "0x1000c", "--max-steps", "1000"]);
    assert_eq!(endless, (124, "error: not finished after 1000 steps\n".into()));
    for entry in ["0x10002", "0x100000000"] {
        let (status, error) = run(&["--entry", entry]);
        assert_eq!(status, 1, "{error}");
        assert!(
            error.contains(&format!("entry {entry} is not an address of an instruction")),
            "{error}"
        );
    }
    for entry in ["here", "0x", "-4"] {
        assert_eq!(run(&["--entry", entry]).0, 2, "{entry}");
    }
    let absent = folder.0.path().join("absent").display().to_string();
    let text = folder.write("text", b"#!/bin/sh\nexit 0\n");
    for (file, expected) in [(&absent, "cannot read"), (&text, "not an ELF file")] {
        for command in ["run", "trace"] {
            let output = vm(&[command, "--elf", file]);
            let error = stderr(&output);
            assert_eq!((status(&output), output.stdout.len()), (1, 0), "{error}");
            assert!(error.contains(expected) && error.contains(file.as_str()), "{error}");
        }
    }
    let (status, error) = run(&["--oracle", &text]);
    assert_eq!(status, 1);
    assert!(error.contains("does not hold preimages"), "{error}");
}

#[test]
fn oracles_are_read_from_files() {
    let folder = Folder::new();
    let preimage = Preimage::Keccak { bytes: vec![42; 5].into() };
    let key = preimage.key();
    // Reads the preimage whose key is the agreed output root, and exits with its first byte.
    let local = LocalInput::OutputRoot.key();
    assert_eq!((local[0], local[31]), (1, 1));
    let program = folder.program(&[
        li(10, 1),
        li(11, 0),
        li(12, 0),
        li(13, 1),
        immediate(Op::Slli, 13, 13, 56),
        li(14, 0),
        li(17, READ_ORACLE),
        ECALL,
        li(14, 0),
        ECALL,
        immediate(Op::Andi, 10, 10, 255),
        li(17, EXIT),
        ECALL,
    ]);
    let mut preimages = Preimages::new(LocalInputs { output_root: key, ..LocalInputs::default() });
    let incomplete = serde_json::to_vec(&preimages).expect("JSON");
    preimages.add(preimage);
    let complete = serde_json::to_vec(&preimages).expect("JSON");
    let oracle = folder.write("complete", &complete);
    let output = vm(&["run", "--elf", &program, "--oracle", &oracle]);
    assert_eq!((status(&output), stderr(&output).as_str()), (42, ""));
    let oracle = folder.write("incomplete", &incomplete);
    for command in ["run", "trace"] {
        let output = vm(&[command, "--elf", &program, "--oracle", &oracle]);
        let expected = format!("error: the program reads at 0 behind key {key}");
        assert_eq!(status(&output), 1);
        assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    }
    // Without a file, local inputs are zeros, and zeros are no key.
    assert_eq!(status(&vm(&["run", "--elf", &program])), 159);
    assert_ne!(key, B256::ZERO);
}

#[test]
fn traces_say_what_each_step_does() {
    let folder = Folder::new();
    let program = folder.program(&[
        li(10, -1),
        Instruction { op: Op::Sh, rd: 0, rs1: 2, rs2: 10, imm: -2 }.encode(),
        li(17, EXIT),
        ECALL,
    ]);
    let output = vm(&["trace", "--elf", &program]);
    assert_eq!((status(&output), stderr(&output).as_str()), (0, ""));
    let text = String::from_utf8(output.stdout).expect("text");
    let words: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "0 00010000 fff00513 addi a0, zero, -1 a0=0xffffffffffffffff",
        "1 00010004 fea11f23 sh a0, -2(sp) [0xfffffffe]=0xffff (2 bytes)",
        "2 00010008 05d00893 addi a7, zero, 93 a7=0x5d",
        "3 0001000c 00000073 ecall exit=18446744073709551615",
    ];
    assert_eq!(words, expected);
    let output =
        vm(&["trace", "--elf", &program, "--from", "1", "--count", "2", "--format", "json"]);
    let steps = json_lines(&output);
    assert_eq!(steps.len(), 2);
    assert_eq!((&steps[0]["step"], &steps[0]["pc"]), (&1.into(), &"0x10004".into()));
    assert_eq!(steps[0]["memory"]["address"], "0xfffffffe");
    assert_eq!(steps[0]["memory"]["bytes"], 2);
    assert_eq!(steps[1]["registers"]["a7"], "0x5d");
    assert_eq!(steps[1]["instruction"], "addi a7, zero, 93");
    assert_eq!(steps[1]["exit"], Value::Null);
}
