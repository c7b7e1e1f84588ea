//! Limits of a traced run: time and size of the trace.

use std::time::{Duration, Instant};

use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethDefaultTracingOptions};
use revm::{
    Inspector,
    bytecode::opcode,
    context_interface::{ContextTr, context::ContextError},
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter_types::{Jumps as _, MemoryTr as _},
    },
};

use super::error::RpcError;

/// How long a request may trace by default.
const TRACE_TIME: Duration = Duration::from_secs(5);

/// The longest time that a request may ask for.
const TRACE_TIME_MAX: Duration = Duration::from_secs(60);

/// The longest trace, in bytes of JSON, estimated during the run.
const TRACE_BYTES_MAX: usize = 64 << 20;

/// Instructions between two checks of the clock.
const STEPS_PER_LOOK: u32 = 1_024;

/// Bytes of an instruction's JSON without stack, memory and storage.
const STEP_BYTES: usize = 120;

/// Bytes of a call's JSON without input and output.
const CALL_BYTES: usize = 400;

/// Bytes of a 32-byte word's JSON, with quotes and comma.
const WORD_BYTES: usize = 69;

/// Stops a run that takes too long or whose trace is too long.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    end: Instant,
    time: Duration,
    recorded: Option<GethDefaultTracingOptions>,
    steps: u32,
    bytes: usize,
    /// Number of storage instructions so far, an upper bound of the accessed slots. Each storage
    /// instruction reports all accessed slots.
    slots: usize,
}

impl Watch {
    /// Starts the clock, with the limits that these options ask for.
    pub(super) fn new(options: &GethDebugTracingOptions) -> Result<Self, RpcError> {
        let time = match &options.timeout {
            None => TRACE_TIME,
            Some(text) => duration(text)
                .ok_or_else(|| RpcError::invalid_params(format!("invalid timeout {text:?}")))?,
        };
        let time = time.min(TRACE_TIME_MAX);
        let is_struct_log = options.tracer.as_ref().is_none_or(|tracer| tracer.as_str().is_empty());
        Ok(Self {
            end: Instant::now() + time,
            time,
            recorded: is_struct_log.then_some(options.config),
            steps: 0,
            bytes: 0,
            slots: 0,
        })
    }

    /// The reason why the run must stop; `None` while it may go on.
    pub(super) fn excess(&self) -> Option<String> {
        if self.bytes > TRACE_BYTES_MAX {
            return Some(format!("the trace is longer than {TRACE_BYTES_MAX} bytes"));
        }
        let is_late = Instant::now() >= self.end;
        is_late.then(|| format!("execution timeout: {} ms", self.time.as_millis()))
    }

    /// Adds the size of an instruction's JSON.
    fn record(&mut self, options: &GethDefaultTracingOptions, interp: &Interpreter) {
        self.bytes += STEP_BYTES;
        if options.is_stack_enabled() {
            self.bytes += interp.stack.len() * WORD_BYTES;
        }
        if options.is_memory_enabled() {
            self.bytes += interp.memory.size().div_ceil(32) * WORD_BYTES;
        }
        if options.is_return_data_enabled() {
            self.bytes += 2 * interp.return_data.0.len();
        }
        if options.is_storage_enabled()
            && matches!(interp.bytecode.opcode(), opcode::SLOAD | opcode::SSTORE)
        {
            self.slots += 1;
            self.bytes += self.slots * 2 * WORD_BYTES;
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Watch {
    fn step(&mut self, interp: &mut Interpreter, context: &mut CTX) {
        if let Some(options) = self.recorded {
            self.record(&options, interp);
        }
        self.steps = self.steps.wrapping_add(1);
        let is_time = self.steps.is_multiple_of(STEPS_PER_LOOK);
        if (is_time || self.bytes > TRACE_BYTES_MAX)
            && let Some(reason) = self.excess()
        {
            *context.error() = Err(ContextError::Custom(reason));
            interp.halt_fatal();
        }
    }

    fn call(&mut self, _context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.bytes += CALL_BYTES + 2 * inputs.input.len();
        None
    }

    fn call_end(&mut self, _context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.bytes += 2 * outcome.result.output.len();
    }

    fn create(&mut self, _context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.bytes += CALL_BYTES + 2 * inputs.init_code().len();
        None
    }

    fn create_end(
        &mut self,
        _context: &mut CTX,
        _inputs: &CreateInputs,
        outcome: &mut CreateOutcome,
    ) {
        self.bytes += 2 * outcome.result.output.len();
    }
}

/// Parses a duration in Go's notation: `300ms`, `1m30s`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_in_gos_notation() {
        let seconds = |text: &str| duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("5s"), Some(5.0));
        assert_eq!(seconds("300ms"), Some(0.3));
        assert_eq!(seconds("1m30s"), Some(90.0));
        assert_eq!(seconds("1.5s"), Some(1.5));
        for wrong in ["", "5", "s", "5x", "-1s", "1..2s"] {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn traces_have_a_time_limit() {
        let options = |timeout: &str| GethDebugTracingOptions {
            timeout: Some(timeout.to_owned()),
            ..GethDebugTracingOptions::default()
        };
        assert_eq!(Watch::new(&options("10h")).expect("valid").time, TRACE_TIME_MAX);
        assert_eq!(
            Watch::new(&GethDebugTracingOptions::default()).expect("valid").time,
            TRACE_TIME
        );
        let over = Watch::new(&options("0s")).expect("valid");
        assert_eq!(over.excess().expect("the time is over"), "execution timeout: 0 ms");
        assert!(Watch::new(&options("soon")).is_err());
    }
}
