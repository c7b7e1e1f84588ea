//! Tests the program that starts a server for tests in other languages.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let is_installed = turnpike_test_postgres::is_installed();
    let test = Trial::test("each_line_of_input_is_answered_with_a_new_database", answers_each_line);
    let tests = vec![test.with_ignored_flag(!is_installed)];
    if !is_installed {
        eprintln!("PostgreSQL is not installed: its tests are ignored");
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn answers_each_line() -> Result<(), Failed> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_test-postgres"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = server.stdin.take().ok_or("no input")?;
    let mut output = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
    let mut urls = Vec::new();
    for _ in 0..2 {
        writeln!(input)?;
        urls.push(output.next().ok_or("no answer")??);
    }
    assert!(urls.iter().all(|url| url.starts_with("postgres://")), "{urls:?}");
    assert_ne!(urls[0], urls[1]);
    // The program ends with its input.
    drop(input);
    assert!(server.wait()?.success());
    Ok(())
}
