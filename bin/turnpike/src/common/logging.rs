use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use turnpike_api::LogControl;

/// Environment variable with the directives of what is logged.
const VARIABLE: &str = "TURNPIKE_LOG";

/// Our own words only: a library's may hold an endpoint's URL, and with it a key.
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

/// Begins to log to stderr: what `TURNPIKE_LOG` says, if that is well formed. Returns what changes it.
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

/// A level holds for our own words; directives say themselves.
fn parse(text: &str) -> Result<EnvFilter, String> {
    let level = text.to_ascii_lowercase();
    let directives =
        if LEVELS.contains(&level.as_str()) { of_level(&level) } else { text.to_owned() };
    EnvFilter::try_new(directives).map_err(|error| format!("no level and no directives: {error}"))
}

fn of_level(level: &str) -> String {
    CRATES.iter().fold("off".to_owned(), |all, name| format!("{all},{name}={level}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_that_of_our_own_words() {
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
