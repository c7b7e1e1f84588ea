use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tracing::warn;
use turnpike_l1::Severity;

use super::{
    args::WatchArgs,
    news::{News, history},
    session::Session,
};
use crate::{roles::stop_on_signal, vm::Format};

/// L1 has dropped what was told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename = "dropped", tag = "event")]
struct Dropped<'a> {
    news: &'a News,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Told(Vec<News>);

/// Prints what happens.
pub(super) async fn watch(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let confirmations = if args.once { 0 } else { args.chain.l1_confirmations };
    let mut session = Session::open(&args.chain, confirmations).await?;
    let mut told = Told::default();
    let stop = stop_on_signal()?;
    let poll = Duration::from_millis(args.chain.l1_poll_ms.max(1));
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            looked = session.advance(&args.chain) => looked,
        };
        match looked {
            Ok(()) => told.update(history(&session.records()), args.format)?,
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

impl Told {
    /// Tells what is new, and what was told and has not happened after all.
    fn update(&mut self, history: Vec<News>, format: Format) -> anyhow::Result<()> {
        for line in self.lines(&history, format)? {
            println!("{line}");
        }
        self.0 = history;
        Ok(())
    }

    fn lines(&self, history: &[News], format: Format) -> anyhow::Result<Vec<String>> {
        let is_same = |(told, now): &(&News, &News)| told == now;
        let kept = self.0.iter().zip(history).take_while(is_same).count();
        let (told, now) = (&self.0[kept..], &history[kept..]);
        let dropped = told.iter().filter(|news| !now.contains(news)).map(|news| match format {
            Format::Text => Ok(format!("L1 has dropped: {news}")),
            Format::Json => serde_json::to_string(&Dropped { news }),
        });
        let new = now.iter().filter(|news| !told.contains(news)).map(|news| match format {
            Format::Text => Ok(news.to_string()),
            Format::Json => serde_json::to_string(news),
        });
        Ok(dropped.chain(new).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use turnpike_l1::ChallengeStatus;

    use super::{super::news::What, *};

    fn ended(challenge: u64, at: u64) -> News {
        News {
            challenge,
            game: None,
            at,
            l1_transaction: B256::repeat_byte(1),
            what: What::ChallengeEnded { output: 5, status: ChallengeStatus::Failed },
        }
    }

    #[test]
    fn what_is_told_is_told_once() {
        let mut told = Told::default();
        let first = vec![ended(0, 10)];
        let lines = told.lines(&first, Format::Text).expect("is text");
        let hash = B256::repeat_byte(1);
        let expected =
            format!("challenge 0: output 5: failed: a defender has won (L1 transaction {hash})");
        assert_eq!(lines, [expected]);
        told.0 = first.clone();
        assert!(told.lines(&first, Format::Text).expect("is text").is_empty());
        let lines = told.lines(&[ended(0, 10), ended(1, 11)], Format::Json).expect("is JSON");
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("\"challenge\":1"), "{lines:?}");
        assert!(lines[0].contains("\"event\":\"challengeEnded\""), "{lines:?}");
    }

    #[test]
    fn what_l1_has_dropped_is_taken_back() {
        let told = Told(vec![ended(0, 10), ended(1, 11), ended(2, 12)]);
        let lines = told.lines(&[ended(0, 10), ended(2, 12), ended(3, 13)], Format::Text);
        let lines = lines.expect("is text");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("L1 has dropped: challenge 1:"), "{lines:?}");
        assert!(lines[1].starts_with("challenge 3:"), "{lines:?}");
    }
}
