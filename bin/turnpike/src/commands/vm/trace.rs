use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use turnpike_game::step_json;
use turnpike_vm::ExecutedStep;

use super::args::TraceArgs;
use crate::common::Format;

/// Prints what each step does.
pub(crate) fn trace(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let (mut machine, mut oracle) = args.program.load()?;
    machine.run(&mut oracle, args.from)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for _ in 0..args.count {
        if machine.exit().is_some() {
            break;
        }
        let step = match ExecutedStep::take(&mut machine, &mut oracle) {
            Ok(step) => step,
            Err(missing) => {
                out.flush()?;
                return Err(missing.into());
            }
        };
        let written = match args.program.format {
            Format::Text => writeln!(out, "{step}"),
            Format::Json => writeln!(out, "{}", step_json(&step)),
        };
        if is_closed(&written) {
            return Ok(ExitCode::SUCCESS);
        }
        written?;
    }
    let flushed = out.flush();
    if !is_closed(&flushed) {
        flushed?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the reader has seen enough, as `head` has.
fn is_closed(result: &io::Result<()>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe)
}
