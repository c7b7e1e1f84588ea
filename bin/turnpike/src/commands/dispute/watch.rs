use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tracing::warn;
use turnpike_game::inspect::{DisputeEvent, EventChanges, changes, events};
use turnpike_l1::Severity;

use super::{args::WatchArgs, session::Session};
use crate::common::{Format, stop_on_signal};

/// An event that was printed and that L1 has dropped.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename = "dropped", tag = "event")]
struct Dropped<'a> {
    news: &'a DisputeEvent,
}

/// The events printed so far.
#[derive(Debug, Default)]
struct Printed(Vec<DisputeEvent>);

/// Prints events as they happen.
pub(super) async fn watch(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let confirmations = if args.once { 0 } else { args.chain.l1_confirmations };
    let mut session = Session::open(&args.chain, confirmations).await?;
    let mut printed = Printed::default();
    let stop = stop_on_signal()?;
    let poll = Duration::from_millis(args.chain.l1_poll_ms.max(1));
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            looked = session.advance(&args.chain) => looked,
        };
        match looked {
            Ok(()) => printed.update(events(&session.records()), args.format)?,
            Err(error) if args.once || error.severity() == Severity::Critical => {
                return Err(error.into());
            }
            Err(error) => warn!(%error, "will try again"),
        }
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(poll) => {}
        }
    }
}

impl Printed {
    /// Prints new events, and printed events that L1 has dropped.
    fn update(&mut self, events: Vec<DisputeEvent>, format: Format) -> anyhow::Result<()> {
        for line in self.lines(&events, format)? {
            println!("{line}");
        }
        self.0 = events;
        Ok(())
    }

    fn lines(&self, events: &[DisputeEvent], format: Format) -> anyhow::Result<Vec<String>> {
        let EventChanges { dropped, new } = changes(&self.0, events);
        let dropped = dropped.into_iter().map(|event| match format {
            Format::Text => Ok(format!("L1 has dropped: {event}")),
            Format::Json => serde_json::to_string(&Dropped { news: event }),
        });
        let new = new.into_iter().map(|event| match format {
            Format::Text => Ok(event.to_string()),
            Format::Json => serde_json::to_string(event),
        });
        Ok(dropped.chain(new).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use turnpike_game::inspect::DisputeEventKind;
    use turnpike_l1::ChallengeStatus;

    use super::*;

    fn ended(challenge: u64, at: u64) -> DisputeEvent {
        DisputeEvent {
            challenge,
            game: None,
            at,
            l1_transaction: B256::repeat_byte(1),
            what: DisputeEventKind::ChallengeEnded { output: 5, status: ChallengeStatus::Failed },
        }
    }

    #[test]
    fn each_event_is_printed_once() {
        let mut printed = Printed::default();
        let first = vec![ended(0, 10)];
        let lines = printed.lines(&first, Format::Text).expect("is text");
        let hash = B256::repeat_byte(1);
        let expected =
            format!("challenge 0: output 5: failed: a defender has won (L1 transaction {hash})");
        assert_eq!(lines, [expected]);
        printed.0 = first.clone();
        assert!(printed.lines(&first, Format::Text).expect("is text").is_empty());
        let lines = printed.lines(&[ended(0, 10), ended(1, 11)], Format::Json).expect("is JSON");
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("\"challenge\":1"), "{lines:?}");
        assert!(lines[0].contains("\"event\":\"challengeEnded\""), "{lines:?}");
    }

    #[test]
    fn dropped_events_are_printed_as_dropped() {
        let printed = Printed(vec![ended(0, 10), ended(1, 11), ended(2, 12)]);
        let lines = printed.lines(&[ended(0, 10), ended(2, 12), ended(3, 13)], Format::Text);
        let lines = lines.expect("is text");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("L1 has dropped: challenge 1:"), "{lines:?}");
        assert!(lines[1].starts_with("challenge 3:"), "{lines:?}");
    }
}
