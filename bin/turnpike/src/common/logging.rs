//! Logging to stderr, with a filter that administrators change at run time.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use turnpike_api::LogControl;

/// Environment variable with a level or directives.
const VARIABLE: &str = "TURNPIKE_LOG";

/// Only these crates log by default. A library's log may hold an endpoint's URL, and with it a key.
const CRATES: [&str; 14] = [
    "turnpike",
    "turnpike_api",
    "turnpike_http",
    "turnpike_replica",
    "turnpike_sequencer",
    "turnpike_batcher",
    "turnpike_derivation",
    "turnpike_executor",
    "turnpike_challenger",
    "turnpike_game",
    "turnpike_l1",
    "turnpike_adversary",
    "turnpike_proposer",
    "turnpike_storage",
];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Starts logging to stderr, by `TURNPIKE_LOG` if it is well formed, else at `info`. Returns a handle that changes the filter.
pub(crate) fn start_logging() -> LogControl {
    let filter =
        EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(of_level("info")));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .compact()
        .with_filter_reloading();
    let handle = builder.reload_handle();
    builder.init();
    LogControl::new(move |text| {
        let filter = parse(text)?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}

/// Parses a level, which applies to [`CRATES`], or directives.
fn parse(text: &str) -> Result<EnvFilter, String> {
    let level = text.to_ascii_lowercase();
    let directives =
        if LEVELS.contains(&level.as_str()) { of_level(&level) } else { text.to_owned() };
    EnvFilter::try_new(directives)
        .map_err(|error| format!("expected a level or directives: {error}"))
}

fn of_level(level: &str) -> String {
    CRATES.iter().fold("off".to_owned(), |all, name| format!("{all},{name}={level}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_applies_to_turnpike_crates_only() {
        let filter = parse("DEBUG").expect("a level").to_string();
        assert!(filter.contains("turnpike_sequencer=debug"), "{filter}");
        assert!(!filter.contains("hyper"), "{filter}");
        let filter = parse("hyper=trace,turnpike=warn").expect("directives").to_string();
        assert!(filter.contains("hyper=trace"), "{filter}");
        for text in ["turnpike=loud", "a=b=c"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
