//! Plots as SVG, with colours from the page's styles.

use std::fmt::Write as _;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 40.0;

/// Approximate number of labels on an axis.
const TICKS: f64 = 5.0;

/// Scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Linear, from 0.
    Linear,
    /// Logarithmic.
    Log,
}

/// An axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis<'a> {
    pub(super) label: &'a str,
    pub(super) scale: Scale,
}

/// A line with one of the page's colours.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// Maps values to positions on an axis, from 0 to 1.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: f64,
    to: f64,
    scale: Scale,
}

impl Span {
    fn of(values: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in
            values.filter(|value| value.is_finite() && (*value > 0.0 || scale == Scale::Linear))
        {
            (least, most) = (least.min(value), most.max(value));
        }
        match scale {
            Scale::Linear => Self { from: 0.0, to: if most > 0.0 { most } else { 1.0 }, scale },
            Scale::Log if most > 0.0 => {
                let from = least.log10().floor();
                Self { from, to: most.log10().ceil().max(from + 1.0), scale }
            }
            Scale::Log => Self { from: 0.0, to: 1.0, scale },
        }
    }

    fn place(self, value: f64) -> f64 {
        let value =
            if self.scale == Scale::Log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<f64> {
        if self.scale == Scale::Log {
            let (from, to) = (self.from as i32, self.to as i32);
            return (from..=to).map(|power| 10_f64.powi(power)).collect();
        }
        let step = nice_step(self.to / TICKS);
        let count = (self.to / step).floor() as u32;
        (0..=count).map(|tick| f64::from(tick) * step).collect()
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that is not below the value.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Formats a number in few characters.
pub(super) fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", trim(v / 1e6)),
        v if v >= 1e4 => format!("{}k", trim(v / 1e3)),
        v if v >= 1.0 || v == 0.0 => trim(v),
        v => format!("{v:.3}").trim_end_matches('0').to_string(),
    }
}

fn trim(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    text.strip_suffix(".0").map_or_else(|| text.clone(), ToString::to_string)
}

/// Escapes text for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Builds a plot.
struct Plot {
    svg: String,
    x: Span,
    y: Span,
}

impl Plot {
    fn new(title: &str, (x, x_axis): (Span, Axis<'_>), (y, y_axis): (Span, Axis<'_>)) -> Self {
        let svg = format!(
            r#"<figure><figcaption>{}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
            escape(title),
            escape(title)
        );
        let mut plot = Self { svg, x, y };
        plot.axes(x_axis, y_axis);
        plot
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(text).expect("invariant: memory takes every byte");
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let width = WIDTH - LEFT - RIGHT;
        let height = HEIGHT - TOP - BOTTOM;
        (LEFT + self.x.place(x) * width, TOP + (1.0 - self.y.place(y)) * height)
    }

    fn axes(&mut self, x_axis: Axis<'_>, y_axis: Axis<'_>) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.ticks() {
            let (_, y) = self.at(0.0, tick);
            let (label, at) = (short(tick), y + 4.0);
            self.write(format_args!(
                r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#
            ));
            self.write(format_args!(
                r#"<text x="{}" y="{at:.1}" text-anchor="end">{label}</text>"#,
                LEFT - 6.0
            ));
        }
        for tick in self.x.ticks() {
            let (x, _) = self.at(tick, 0.0);
            let (label, at) = (short(tick), bottom + 16.0);
            self.write(format_args!(
                r#"<text x="{x:.1}" y="{at:.1}" text-anchor="middle">{label}</text>"#
            ));
        }
        self.write(format_args!(
            r#"<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>"#
        ));
        let at = HEIGHT - 6.0;
        self.write(format_args!(
            r#"<text class="label" x="{right}" y="{at}" text-anchor="end">{}</text>"#,
            escape(x_axis.label)
        ));
        self.write(format_args!(
            r#"<text class="label" x="4" y="11">{}</text>"#,
            escape(y_axis.label)
        ));
    }

    fn finish(mut self, names: &[&str]) -> String {
        self.svg.push_str("</svg>");
        if names.len() > 1 {
            self.svg.push_str("<p class=\"legend\">");
            for (index, name) in names.iter().enumerate() {
                self.write(format_args!(r#"<span class="c{index}">{}</span> "#, escape(name)));
            }
            self.svg.push_str("</p>");
        }
        self.svg.push_str("</figure>");
        self.svg
    }
}

/// A plot of lines.
pub(super) fn lines(title: &str, x_axis: Axis<'_>, y_axis: Axis<'_>, lines: &[Line<'_>]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let x = Span::of(points().map(|(x, _)| *x), x_axis.scale);
    let y = Span::of(points().map(|(_, y)| *y), y_axis.scale);
    let mut plot = Plot::new(title, (x, x_axis), (y, y_axis));
    for (index, line) in lines.iter().enumerate() {
        let places: Vec<_> = line.points.iter().map(|(x, y)| plot.at(*x, *y)).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        plot.write(format_args!(r#"<polyline class="c{index}" points="{}"/>"#, path.join(" ")));
        for ((x, y), (at_x, at_y)) in line.points.iter().zip(places) {
            let tip = format!("{}: {} at {}", line.name, short(*y), short(*x));
            plot.write(format_args!(
                r#"<circle class="c{index}" cx="{at_x:.1}" cy="{at_y:.1}" r="2.5"><title>{}</title></circle>"#,
                escape(&tip)
            ));
        }
    }
    plot.finish(&lines.iter().map(|line| line.name).collect::<Vec<_>>())
}

/// A plot of bars on a logarithmic axis.
pub(super) fn bars(title: &str, x_label: &str, bars: &[(f64, u64)]) -> String {
    let first = bars.first().map_or(1.0, |(end, _)| *end);
    let factor = bars.get(1).map_or(1.25, |(end, _)| end / first);
    let ends = bars.iter().map(|(end, _)| *end).chain([first / factor]);
    let x = Span::of(ends, Scale::Log);
    let y = Span::of(bars.iter().map(|(_, count)| *count as f64), Scale::Linear);
    let x_axis = Axis { label: x_label, scale: Scale::Log };
    let y_axis = Axis { label: "transactions", scale: Scale::Linear };
    let mut plot = Plot::new(title, (x, x_axis), (y, y_axis));
    for (end, count) in bars.iter().filter(|(_, count)| *count > 0) {
        let (left, top) = plot.at(end / factor, *count as f64);
        let (right, bottom) = plot.at(*end, 0.0);
        let (width, height) = ((right - left - 1.0).max(1.0), (bottom - top).max(1.0));
        let top = bottom - height;
        plot.write(format_args!(
            r#"<rect class="c0" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"><title>{count} up to {} ms</title></rect>"#,
            short(*end)
        ));
    }
    plot.finish(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        let span = Span::of([3.0, 930.0].into_iter(), Scale::Linear);
        assert_eq!(span.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0]);
        let span = Span::of([0.3, 45.0].into_iter(), Scale::Log);
        assert_eq!(span.ticks(), [0.1, 1.0, 10.0, 100.0]);
        assert!((span.place(10.0) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn plot_without_values_is_valid() {
        let axis = Axis { label: "x", scale: Scale::Linear };
        assert!(lines("t", axis, axis, &[]).ends_with("</figure>"));
        assert!(bars("t", "ms", &[]).ends_with("</figure>"));
    }

    #[test]
    fn numbers_are_short() {
        let all = [0.0, 0.25, 1.5, 20.0, 1_234.0, 45_600.0, 2_000_000.0].map(short);
        assert_eq!(all, ["0", "0.25", "1.5", "20", "1234", "45.6k", "2M"]);
    }

    #[test]
    fn names_cannot_break_out() {
        let axis = Axis { label: "<i>", scale: Scale::Linear };
        let line = Line { name: "<script>", points: vec![(1.0, 2.0)] };
        let svg = lines("a & \"b\"", axis, axis, &[line.clone(), line]);
        assert!(!svg.contains("<script>") && !svg.contains("<i>"));
    }
}
