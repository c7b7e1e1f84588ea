//! The report as text.

use std::fmt::Write as _;

use super::{NodeReport, Report};
use crate::{
    measure::Latency,
    phase::{Load, PhaseReport},
};

impl PhaseReport {
    /// The phase in one line.
    pub(crate) fn summary(&self) -> String {
        let mined =
            self.mined_per_second.map_or_else(String::new, |rate| format!(", mined {rate:.0}/s"));
        let Latency { p50_ms, p99_ms, .. } = self.acknowledged;
        format!(
            "accepted {:.0}/s{mined}; acknowledged after p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms",
            self.accepted_per_second
        )
    }
}

/// The report for a terminal.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for node in &report.nodes {
        node_text(&mut text, report, node).expect("invariant: memory takes every byte");
    }
    for ratio in &report.ratios {
        let times = ratio.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.1}x"));
        let (what, ours, theirs) = (&ratio.what, ratio.ours, ratio.theirs);
        writeln!(text, "{what}: {ours:.0} to {theirs:.0} = {times}")
            .expect("invariant: memory takes every byte");
    }
    text
}

fn node_text(text: &mut String, report: &Report, node: &NodeReport) -> std::fmt::Result {
    let NodeReport { name, chain_id, senders, setup_transactions, setup_seconds, client, .. } =
        node;
    let name = node.how.as_ref().map_or_else(|| name.clone(), |how| format!("{name}, {how}"));
    writeln!(text, "{name}, chain {chain_id}")?;
    writeln!(
        text,
        "  {}, {senders} senders, set up with {setup_transactions} transactions in {setup_seconds:.1} s",
        name_of(&report.workload)
    )?;
    writeln!(
        text,
        "  client      {:.1} us of processor time per transaction, {:.0}/s to a sink",
        client.cpu_us, client.per_second
    )?;
    for phase in &node.phases {
        phase_text(text, phase)?;
    }
    if let Some(maximum) = node.maximum {
        let (per_second, in_flight) = (maximum.per_second, maximum.in_flight);
        writeln!(text, "  maximum: {per_second:.0}/s, {in_flight} in flight")?;
        if let Some(open) = node.open() {
            let Load::Open { per_second } = open.load else { return Ok(()) };
            let Latency { p50_ms, p99_ms, .. } = open.acknowledged;
            writeln!(
                text,
                "  at {per_second}/s: acknowledged after p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"
            )?;
        }
    }
    writeln!(text)
}

fn phase_text(text: &mut String, phase: &PhaseReport) -> std::fmt::Result {
    let PhaseReport { load, connections, batch, accepted, refused, withheld, unsent, .. } = phase;
    writeln!(text, "\n  {load}: {connections} connections, up to {batch} in a request")?;
    writeln!(
        text,
        "    sent        {accepted} accepted, {refused} refused, {withheld} withheld, {unsent} not sent, in {:.1} s",
        phase.seconds
    )?;
    write!(text, "    throughput  {:.0}/s accepted", phase.accepted_per_second)?;
    if let Some(mined) = phase.mined_per_second {
        write!(text, ", {mined:.0}/s mined")?;
    }
    writeln!(text, "\n                     p50      p90      p99    p99.9      max  ms")?;
    latency_text(text, "acknowledged", &phase.acknowledged)?;
    if let Some(included) = &phase.included {
        latency_text(text, "included", included)?;
    }
    if let Some(lag) = &phase.lag {
        latency_text(text, "sent late", lag)?;
    }
    let check = &phase.check;
    writeln!(
        text,
        "    check       {} of {} included, {} lost, {} twice; {} of {} receipts failed",
        check.included, check.accepted, check.lost, check.twice, check.failed, check.receipts
    )?;
    writeln!(
        text,
        "    client      {:.1} us of processor time per transaction, {} requests",
        phase.client_cpu_us, phase.requests
    )?;
    for error in &phase.errors {
        writeln!(text, "    error       {} x {}: {}", error.count, error.code, error.text)?;
    }
    Ok(())
}

fn latency_text(text: &mut String, what: &str, latency: &Latency) -> std::fmt::Result {
    let Latency { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = latency;
    writeln!(
        text,
        "    {what:<12}{p50_ms:>8.2} {p90_ms:>8.2} {p99_ms:>8.2} {p999_ms:>8.2} {max_ms:>8.2}"
    )
}

/// Name of a value on the command line.
pub(super) fn name_of(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_holds_every_key_figure() {
        let text = text(&super::super::tests::report());
        for said in [
            "closed loop, 8 in flight",
            "open loop, 50/s",
            "99 of 99 included, 0 lost",
            "3 x <x>: a & b",
            "maximum: 80/s",
            "80 to 8 = 10.0x",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
    }
}
