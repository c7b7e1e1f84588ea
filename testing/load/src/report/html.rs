//! The report as an HTML page.

use std::fmt::Write as _;

use super::{
    NodeReport, Report,
    svg::{Axis, Line, Scale, bars, escape, lines, short},
    text::name_of,
};
use crate::{
    measure::Latency,
    phase::{Load, PhaseReport},
};

/// Styles of the page, light and dark.
const STYLE: &str = "
:root{color-scheme:light dark;--back:#fbfbfa;--card:#fff;--ink:#1c1f23;--soft:#666d76;--line:#e3e5e8;
--c0:#2563c9;--c1:#d9650f;--c2:#2c8a57;--bad:#c0322b;--good:#2c8a57}
@media(prefers-color-scheme:dark){:root{--back:#15171a;--card:#1d2024;--ink:#e8eaed;--soft:#9aa1ab;--line:#33383f;
--c0:#6ea8ff;--c1:#ff9d52;--c2:#63c68e;--bad:#ff7b72;--good:#63c68e}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:76rem;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}p{margin:.25rem 0}
.soft{color:var(--soft)}.bad{color:var(--bad)}.good{color:var(--good)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem;margin:1.5rem 0}
.tile,figure,details{background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile{padding:.8rem 1rem}.tile b{display:block;font-size:1.55rem;line-height:1.25;font-weight:650}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:.75rem;margin:.75rem 0}
figure{margin:0;padding:.8rem 1rem;min-width:0}figcaption{font-weight:600}
details{padding:.6rem 1rem;margin:.75rem 0}details figure{border:0;padding:.25rem 0}summary{cursor:pointer;font-weight:600}
summary span{font-weight:400}
svg{display:block;width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}
.grid{stroke:var(--line)}.axis{stroke:var(--soft)}polyline{fill:none;stroke-width:2;stroke-linejoin:round}
polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1)}polyline.c2{stroke:var(--c2)}
circle.c0,rect.c0{fill:var(--c0)}circle.c1{fill:var(--c1)}circle.c2{fill:var(--c2)}
.legend span{margin-right:1rem}.legend span::before{content:'';display:inline-block;width:.8em;height:.8em;
border-radius:3px;margin-right:.4em;background:currentColor}
.legend .c0{color:var(--c0)}.legend .c1{color:var(--c1)}.legend .c2{color:var(--c2)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}td.text{white-space:normal;text-align:left}
";

/// The report as one page without external resources.
pub(super) fn page(report: &Report) -> String {
    let workload = name_of(&report.workload);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Load: {workload}</title><style>{STYLE}</style></head><body>\
         <h1>Load: {workload}</h1><p class=\"soft\">{} by {}, {} on a machine with {} processors; turnpike {}</p>",
        report.nodes.first().map_or(String::new(), |node| escape(&node.name)),
        name_of(&report.transport),
        if report.threads == 1 { "1 thread".into() } else { format!("{} threads", report.threads) },
        report.processors,
        report.version,
    );
    page.push_str(&tiles(report));
    if let Some(plot) = ramp(report) {
        write!(page, "<div class=\"plots\">{plot}</div>").expect(MEMORY);
    }
    for node in &report.nodes {
        page.push_str(&node_section(node));
    }
    page.push_str("</body></html>\n");
    page
}

const MEMORY: &str = "invariant: memory takes every byte";

fn tile(tiles: &mut String, value: &str, what: &str, class: &str) {
    write!(
        tiles,
        "<div class=\"tile\"><b class=\"{class}\">{}</b>{}</div>",
        escape(value),
        escape(what)
    )
    .expect(MEMORY);
}

/// Tiles with the key figures.
fn tiles(report: &Report) -> String {
    let mut tiles = String::from("<div class=\"tiles\">");
    let Some(node) = report.nodes.first() else { return String::new() };
    if let Some(maximum) = node.maximum {
        tile(&mut tiles, &format!("{}/s", short(maximum.per_second)), "maximum", "");
    } else if let Some(phase) = node.phases.first() {
        tile(&mut tiles, &format!("{}/s", short(phase.per_second())), &phase.load.to_string(), "");
    }
    if let Some(phase) = node.open().or_else(|| node.phases.last()) {
        let Latency { p50_ms, p99_ms, .. } = phase.acknowledged;
        let load = phase.load.to_string();
        tile(
            &mut tiles,
            &format!("{} ms", short(p50_ms)),
            &format!("acknowledged, p50; {load}"),
            "",
        );
        tile(
            &mut tiles,
            &format!("{} ms", short(p99_ms)),
            &format!("acknowledged, p99; {load}"),
            "",
        );
    }
    for ratio in &report.ratios {
        let times = ratio.ratio.map_or_else(|| "-".into(), |ratio| format!("{}×", short(ratio)));
        let (ours, theirs) = (short(ratio.ours), short(ratio.theirs));
        tile(&mut tiles, &times, &format!("{}: {ours} to {theirs}", ratio.what), "");
    }
    let lost: usize = report.measured().map(|phase| phase.check.lost + phase.check.twice).sum();
    let included: usize = report.measured().map(|phase| phase.check.included).sum();
    let class = if report.is_good() { "good" } else { "bad" };
    tile(&mut tiles, &lost.to_string(), &format!("lost, {included} found in blocks"), class);
    tiles + "</div>"
}

/// Plot of throughput by transactions in flight, if there are several levels.
fn ramp(report: &Report) -> Option<String> {
    let closed = |node: &NodeReport| -> Vec<(f64, f64)> {
        let points = node.phases.iter().filter_map(|phase| match phase.load {
            Load::Closed { in_flight } => Some((f64::from(in_flight), phase.per_second())),
            Load::Open { .. } => None,
        });
        points.collect()
    };
    let all: Vec<_> =
        report.nodes.iter().map(|node| Line { name: &node.name, points: closed(node) }).collect();
    all.iter().any(|line| line.points.len() > 1).then(|| {
        let x = Axis { label: "transactions in flight", scale: Scale::Log };
        let y = Axis { label: "transactions/s", scale: Scale::Linear };
        lines("Throughput", x, y, &all)
    })
}

fn node_section(node: &NodeReport) -> String {
    let NodeReport { name, senders, setup_transactions, setup_seconds, client, .. } = node;
    let how = node.how.as_ref().map_or_else(String::new, |how| format!("{how}; "));
    let mut section = format!(
        "<h2>{}</h2><p class=\"soft\">{}{senders} senders, set up with {setup_transactions} transactions in {setup_seconds:.1} s; \
         the client alone: {:.1} µs of processor time for a transaction, {}/s against a sink</p>",
        escape(name),
        escape(&how),
        client.cpu_us,
        short(client.per_second),
    );
    section.push_str(&table(&node.phases));
    let best = node.phases.iter().map(PhaseReport::per_second).fold(0.0, f64::max);
    for phase in &node.phases {
        let shown = phase.per_second() >= best || matches!(phase.load, Load::Open { .. });
        section.push_str(&phase_section(phase, shown));
    }
    section
}

fn table(phases: &[PhaseReport]) -> String {
    let mut table = String::from(
        "<div class=\"wide\"><table><tr><th>phase</th><th>accepted/s</th><th>mined/s</th><th>p50 ms</th><th>p90</th><th>p99</th>\
         <th>p99.9</th><th>max</th><th>included p50</th><th>p99</th><th>client µs</th><th>lost</th></tr>",
    );
    for phase in phases {
        let Latency { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = phase.acknowledged;
        let or_none = |value: Option<f64>| value.map_or_else(|| "-".into(), short);
        let included = phase.included.as_ref();
        let cells = [
            short(phase.accepted_per_second),
            or_none(phase.mined_per_second),
            short(p50_ms),
            short(p90_ms),
            short(p99_ms),
            short(p999_ms),
            short(max_ms),
            or_none(included.map(|latency| latency.p50_ms)),
            or_none(included.map(|latency| latency.p99_ms)),
            short(phase.client_cpu_us),
            phase.check.lost.to_string(),
        ];
        write!(table, "<tr><td>{}</td><td>{}</td></tr>", phase.load, cells.join("</td><td>"))
            .expect(MEMORY);
    }
    table + "</table></div>"
}

fn phase_section(phase: &PhaseReport, shown: bool) -> String {
    let open = if shown { " open" } else { "" };
    let mut section = format!(
        "<details{open}><summary>{} <span class=\"soft\">{}</span></summary><div class=\"plots\">",
        phase.load,
        escape(&phase.summary())
    );
    section.push_str(&throughput(phase));
    section.push_str(&bars("Acknowledged after", "ms", &phase.acknowledged.bars));
    section.push_str(&percentiles(phase));
    section.push_str(&latency_over_time(phase));
    section.push_str("</div>");
    section.push_str(&errors(phase));
    section + "</details>"
}

fn over_time(
    phase: &PhaseReport,
    value: impl Fn(&crate::measure::Second) -> f64,
) -> Vec<(f64, f64)> {
    phase.series.iter().enumerate().map(|(second, of)| (second as f64 + 0.5, value(of))).collect()
}

fn seconds() -> Axis<'static> {
    Axis { label: "seconds", scale: Scale::Linear }
}

fn throughput(phase: &PhaseReport) -> String {
    let mut all = vec![
        Line { name: "accepted", points: over_time(phase, |second| second.accepted as f64) },
        Line { name: "mined", points: over_time(phase, |second| second.mined as f64) },
        Line { name: "errors", points: over_time(phase, |second| second.errors as f64) },
    ];
    // Not measured, or empty.
    all.retain(|line| line.name == "accepted" || line.points.iter().any(|(_, value)| *value > 0.0));
    lines("Each second", seconds(), Axis { label: "transactions", scale: Scale::Linear }, &all)
}

fn percentiles(phase: &PhaseReport) -> String {
    // The axis shows the share that took longer, which gives the tail room.
    let points = |latency: &Latency| -> Vec<(f64, f64)> {
        let inner = latency.percentiles.iter().filter(|(percentile, _)| *percentile < 100.0);
        inner.map(|(percentile, ms)| (100.0 / (100.0 - percentile), *ms)).collect()
    };
    let mut all = vec![Line { name: "acknowledged", points: points(&phase.acknowledged) }];
    if let Some(included) = &phase.included {
        all.push(Line { name: "included", points: points(included) });
    }
    let x = Axis { label: "one in N took longer", scale: Scale::Log };
    lines("Latency, the tail", x, Axis { label: "ms", scale: Scale::Log }, &all)
}

fn latency_over_time(phase: &PhaseReport) -> String {
    let all = [
        Line { name: "p50", points: over_time(phase, |second| second.p50_ms) },
        Line { name: "p99", points: over_time(phase, |second| second.p99_ms) },
    ];
    lines(
        "Acknowledged after, each second",
        seconds(),
        Axis { label: "ms", scale: Scale::Linear },
        &all,
    )
}

fn errors(phase: &PhaseReport) -> String {
    let check = &phase.check;
    let class = if check.is_good() { "good" } else { "bad" };
    let mut text = format!(
        "<p>{} accepted, {} refused, {} withheld, {} not sent. <span class=\"{class}\">{} included, {} lost, {} twice</span>; \
         {} of {} receipts failed.</p>",
        phase.accepted,
        phase.refused,
        phase.withheld,
        phase.unsent,
        check.included,
        check.lost,
        check.twice,
        check.failed,
        check.receipts
    );
    if !phase.errors.is_empty() {
        text.push_str("<div class=\"wide\"><table><tr><th>error</th><th>count</th><th></th></tr>");
        for error in &phase.errors {
            let (code, count, said) = (escape(&error.code), error.count, escape(&error.text));
            write!(text, "<tr><td>{code}</td><td>{count}</td><td class=\"text\">{said}</td></tr>")
                .expect(MEMORY);
        }
        text.push_str("</table></div>");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn page_has_no_external_resources() {
        let page = page(&report());
        for outside in
            ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "//"]
        {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn text_from_nodes_is_escaped() {
        let page = page(&report());
        assert!(page.contains("turnpike/1 &lt;b&gt;") && !page.contains("turnpike/1 <b>"));
        assert!(page.contains("a &amp; b"));
    }

    #[test]
    fn every_opened_element_is_closed() {
        let page = page(&report());
        for element in ["div", "details", "figure", "svg", "table", "tr", "p", "span", "summary"] {
            let opened = page.matches(&format!("<{element}>")).count()
                + page.matches(&format!("<{element} ")).count();
            assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element}");
        }
    }

    #[test]
    fn page_has_plots_and_both_colour_schemes() {
        let page = page(&report());
        assert!(page.matches("<svg").count() >= 9);
        assert!(page.contains("prefers-color-scheme:dark"));
        assert!(page.contains("10×"));
    }
}
