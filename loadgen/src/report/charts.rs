//! Line and bar charts as inline SVG: no scripts, no fonts, no network.
//!
//! Colours come from the page's style so that light and dark both work; every line is also named
//! in words beside it, since colour alone tells a part of the readers nothing.

use super::html::escape;
use super::names::{self, Name};
use std::fmt::Write;

/// A line of a chart.
pub(super) struct Line<'a> {
    /// What it shows.
    pub(super) name: &'a str,
    /// Which of the page's five colours, from 1.
    pub(super) colour: u8,
    /// Filled down to the axis.
    pub(super) filled: bool,
    /// Points in x order; a gap where a value is missing.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// An instant worth marking.
pub(super) struct Mark {
    /// Where.
    pub(super) x: f64,
    /// What.
    pub(super) label: String,
}

/// How values are written at the axis.
pub(super) type Label = fn(f64) -> String;

/// A chart over seconds from the opening.
pub(super) struct Chart<'a> {
    /// For readers who cannot see it.
    pub(super) title: &'a str,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) marks: &'a [Mark],
    /// Tenfold steps instead of even ones.
    pub(super) logarithmic: bool,
    pub(super) label: Label,
}

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 26.0;
/// Above the curves; the names of marks stand above that.
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// Where values go on the paper.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    fn x(&self, x: f64) -> f64 {
        let (low, high) = self.x;
        LEFT + (x - low) / (high - low).max(1e-9) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        let (low, high) = self.y;
        let part = if self.logarithmic {
            (y.max(low).ln() - low.ln()) / (high.ln() - low.ln()).max(1e-9)
        } else {
            (y - low) / (high - low).max(1e-9)
        };
        TOP + (1.0 - part) * (HEIGHT - TOP - BOTTOM)
    }
}

/// How far above the chart a line of names is.
fn height_of(row: usize) -> f64 {
    names::ROW * (f64::from(u32::try_from(row).unwrap_or(0)) + 0.5)
}

/// A step of 1, 2 or 5 times a power of ten that cuts `range` into about `parts`.
fn round_step(range: f64, parts: f64) -> f64 {
    let raw = (range / parts).max(1e-9);
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| step * power >= raw)
        .unwrap_or(10.0);
    step * power
}

impl Chart<'_> {
    /// The SVG with its legend; a sentence instead when there is nothing to draw.
    pub(super) fn draw(&self) -> String {
        let values = || self.lines.iter().flat_map(|line| &line.points);
        let seen: Vec<f64> = values().filter_map(|(_, y)| *y).collect();
        if seen.is_empty() {
            return "<p class=\"quiet\">Nothing to draw.</p>".to_owned();
        }
        let fold = |init: f64, pick: fn(f64, f64) -> f64| values().map(|(x, _)| *x).fold(init, pick);
        let top = seen.iter().copied().fold(f64::MIN, f64::max);
        let scale = Scale {
            x: (fold(f64::MAX, f64::min), fold(f64::MIN, f64::max)),
            y: self.bounds(&seen, top),
            logarithmic: self.logarithmic,
        };
        let marks = self.shown_marks(&scale);
        let named: Vec<(f64, &str)> = marks
            .iter()
            .map(|mark| (scale.x(mark.x), mark.label.as_str()))
            .collect();
        let (names, rows) = names::place(&named, WIDTH);
        let above = names::ROW * f64::from(u32::try_from(rows).unwrap_or(0));
        let mut svg = format!(
            "<svg viewBox=\"0 {} {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
            -above,
            HEIGHT + above,
            escape(self.title)
        );
        self.grid(&mut svg, &scale);
        self.marks(&mut svg, &scale, &names);
        for line in &self.lines {
            draw_line(&mut svg, &scale, line);
        }
        svg.push_str("</svg>");
        self.legend(&mut svg);
        svg
    }

    fn bounds(&self, seen: &[f64], top: f64) -> (f64, f64) {
        if self.logarithmic {
            let low = seen.iter().copied().filter(|y| *y > 0.0).fold(f64::MAX, f64::min);
            let low = 10_f64.powf(low.min(top).max(1e-9).log10().floor());
            (low, 10_f64.powf(top.max(low * 10.0).log10().ceil()))
        } else {
            let step = round_step(top.max(1e-9), 4.0);
            (0.0, (top / step).ceil().max(1.0) * step)
        }
    }

    // Writing to a String cannot fail, here and below.
    fn grid(&self, svg: &mut String, scale: &Scale) {
        let (low, high) = scale.y;
        let mut y = low;
        while y <= high * 1.000_001 {
            let at = scale.y(y);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"axis\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                escape(&(self.label)(y))
            );
            y = if self.logarithmic {
                y * 10.0
            } else {
                y + round_step(high, 4.0)
            };
        }
        let (first, last) = scale.x;
        let step = round_step(last - first, 9.0).max(1.0);
        let mut x = (first / step).ceil() * step;
        while x <= last {
            // Counting up from below zero arrives at minus zero.
            let x_shown = if x.abs() < step / 2.0 { 0.0 } else { x };
            let sign = if x_shown > 0.0 { "+" } else { "" };
            let _ = write!(
                svg,
                "<text class=\"axis\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{sign}{x_shown:.0} s</text>",
                scale.x(x),
                HEIGHT - 8.0
            );
            x += step;
        }
    }

    /// Marks and their names; the names stand above the chart, where y is negative.
    fn marks(&self, svg: &mut String, scale: &Scale, names: &[Name]) {
        let shown = self.shown_marks(scale);
        for (mark, name) in shown.iter().zip(names) {
            let x = scale.x(mark.x);
            let from = name.row.map_or(0.0, |row| -height_of(row));
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from}\" y2=\"{}\"><title>{}</title></line>",
                HEIGHT - BOTTOM,
                escape(&mark.label)
            );
        }
        // After all lines, so that no line crosses a name.
        for (mark, name) in shown.iter().zip(names) {
            if let Some(row) = name.row {
                let _ = write!(
                    svg,
                    "<text class=\"markname\" x=\"{:.1}\" y=\"{}\">{}<title>{}</title></text>",
                    name.left,
                    4.0 - height_of(row),
                    escape(&name.text),
                    escape(&mark.label)
                );
            }
        }
    }

    /// Marks within the chart, in order of time.
    fn shown_marks(&self, scale: &Scale) -> Vec<&Mark> {
        let (first, last) = scale.x;
        let mut shown: Vec<&Mark> = self
            .marks
            .iter()
            .filter(|mark| mark.x >= first && mark.x <= last)
            .collect();
        shown.sort_by(|a, b| a.x.total_cmp(&b.x));
        shown
    }

    fn legend(&self, out: &mut String) {
        out.push_str("<p class=\"legend\">");
        for line in &self.lines {
            let _ = write!(
                out,
                "<span><i class=\"c{}\"></i>{}</span>",
                line.colour,
                escape(line.name)
            );
        }
        out.push_str("</p>");
    }
}

/// Draws each run of present values; a gap stays a gap.
fn draw_line(svg: &mut String, scale: &Scale, line: &Line<'_>) {
    for run in line.points.split(|(_, y)| y.is_none()) {
        let points: Vec<(f64, f64)> = run
            .iter()
            .filter_map(|(x, y)| y.map(|y| (scale.x(*x), scale.y(y))))
            .collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            continue;
        };
        if points.len() == 1 {
            let _ = write!(
                svg,
                "<circle class=\"f{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"/>",
                line.colour, first.0, first.1
            );
            continue;
        }
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        if line.filled {
            let floor = HEIGHT - BOTTOM;
            let _ = write!(
                svg,
                "<path class=\"a{}\" d=\"{path}L{:.1} {floor}L{:.1} {floor}Z\"/>",
                line.colour, last.0, first.0
            );
        }
        let _ = write!(svg, "<path class=\"l{}\" d=\"{path}\"/>", line.colour);
    }
}

/// A horizontal bar with its text, as a table row; `part` of 0 to 1.
pub(super) fn bar(name: &str, value: &str, part: f64, colour: u8, note: &str) -> String {
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"bar\"><i class=\"c{colour}\" style=\"width:{:.2}%\"></i></td><td class=\"quiet\">{}</td></tr>",
        escape(name),
        escape(value),
        part.clamp(0.0, 1.0) * 100.0,
        escape(note)
    )
}
