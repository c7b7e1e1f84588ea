//! What is logged while something runs.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Lines: level, message and fields.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a string takes all");
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("nobody panics here").push(line.0);
    }
}

/// Runs something on this thread and returns what it logged there as well.
pub(crate) fn logged<R>(work: impl FnOnce() -> R) -> (R, Vec<String>) {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let result = tracing::subscriber::with_default(subscriber, work);
    let lines = std::mem::take(&mut *log.0.lock().expect("nobody panics here"));
    (result, lines)
}

/// How many lines begin with this.
pub(crate) fn count_of(lines: &[String], beginning: &str) -> u64 {
    let found = lines.iter().filter(|line| line.starts_with(beginning));
    u64::try_from(found.count()).expect("few")
}
