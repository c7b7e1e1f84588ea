//! Captures log lines.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
    sync::Once,
};

use tracing::{
    Event, Subscriber,
    callsite::rebuild_interest_cache,
    field::{Field, Visit},
    subscriber::set_global_default,
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    /// Lines that this thread logged while capturing: level, message and fields.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

struct Log;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("writing to a string");
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        LINES.with_borrow_mut(|lines| {
            let Some(lines) = lines else { return };
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            lines.push(line.0);
        });
    }
}

/// Runs a closure on this thread. Returns its result and the captured lines.
pub(crate) fn logged<R>(work: impl FnOnce() -> R) -> (R, Vec<String>) {
    // The subscriber covers all threads. With a subscriber per thread, another thread that logs
    // first could disable the events.
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        set_global_default(tracing_subscriber::registry().with(Log))
            .expect("first global subscriber");
        rebuild_interest_cache();
    });
    LINES.set(Some(Vec::new()));
    let result = work();
    (result, LINES.take().unwrap_or_default())
}

/// Number of lines with this prefix.
pub(crate) fn count_of(lines: &[String], beginning: &str) -> u64 {
    let found = lines.iter().filter(|line| line.starts_with(beginning));
    u64::try_from(found.count()).expect("fits 64 bits")
}
