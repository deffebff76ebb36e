//! Meaning to appearance. Panes ask for a meaning ("warn"), never for a colour, so that NO_COLOR
//! and terminals without UTF-8 lose nothing: every status is a word and a glyph first.

use crate::picture::Environment;
use ratatui::style::{Color, Modifier, Style};
use urr_core::sale::Phase;

/// A set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    /// For dark backgrounds.
    Dark,
    /// For light backgrounds.
    Light,
    /// For tired eyes and projectors: nothing is dimmed.
    HighContrast,
    /// No colour at all: bold, dim and reversed.
    Mono,
}

impl Palette {
    /// All, in the order in which the key `t` goes through them.
    pub(crate) const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::HighContrast, Self::Mono];

    /// As written in a configuration and after `:theme`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::Mono => "mono",
        }
    }

    /// The palette called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|palette| palette.name() == name)
    }

    /// The one after this.
    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|p| *p == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// How this terminal is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Its colours.
    pub(crate) palette: Palette,
    /// Whether glyphs beyond ASCII may be used (UTF-8 locale).
    pub(crate) unicode: bool,
}

/// Dark, light and high-contrast colours of one meaning.
type Colours = [Color; 3];

const GOOD: Colours = [Color::Green, Color::Indexed(28), Color::LightGreen];
const WARN: Colours = [Color::Yellow, Color::Indexed(130), Color::LightYellow];
const BAD: Colours = [Color::Red, Color::Indexed(160), Color::LightRed];
// Numbers of the fixed palette: "bright black" is unreadable in some colour schemes.
const DIM: Colours = [Color::Indexed(244), Color::Indexed(243), Color::White];
const BAR: Colours = [Color::Cyan, Color::Indexed(25), Color::LightCyan];

/// Black that stays black when it is bold, which many terminals brighten.
const INK: Color = Color::Indexed(16);

impl Theme {
    /// From the environment: NO_COLOR (non-empty), TERM and the locale's charset.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Self {
            palette: match set("NO_COLOR") {
                Some(_) => Palette::Mono,
                None => Palette::Dark,
            },
            // Without any locale most terminals of today still speak UTF-8 (containers, CI).
            unicode: locale.is_none_or(|l| {
                let l = l.to_ascii_lowercase();
                l.contains("utf-8") || l.contains("utf8")
            }),
        }
    }

    /// The colour of `meaning`, or nothing where there is no colour.
    const fn colour(self, meaning: Colours) -> Option<Color> {
        match self.palette {
            Palette::Dark => Some(meaning[0]),
            Palette::Light => Some(meaning[1]),
            Palette::HighContrast => Some(meaning[2]),
            Palette::Mono => None,
        }
    }

    const fn paint(self, meaning: Colours, otherwise: Modifier) -> Style {
        match self.colour(meaning) {
            Some(colour) => Style::new().fg(colour),
            None => Style::new().add_modifier(otherwise),
        }
    }

    /// All is well.
    pub(crate) const fn good(self) -> Style {
        self.paint(GOOD, Modifier::empty())
    }

    /// Look here soon.
    pub(crate) const fn warn(self) -> Style {
        self.paint(WARN, Modifier::BOLD)
    }

    /// Look here now.
    pub(crate) const fn bad(self) -> Style {
        self.paint(BAD, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// What can be skipped: labels, stale data.
    pub(crate) const fn dim(self) -> Style {
        self.paint(DIM, Modifier::DIM)
    }

    /// The number of a pane that matters most.
    pub(crate) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Bars and sparklines.
    pub(crate) const fn bar(self) -> Style {
        self.paint(BAR, Modifier::empty())
    }

    /// The frame of the pane that the keys go to.
    pub(crate) const fn focus(self) -> Style {
        self.paint(BAR, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// The selected row.
    pub(crate) const fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The environment banner: cannot be missed, with or without colour.
    pub(crate) const fn banner(self, environment: &Environment) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if matches!(self.palette, Palette::Mono) {
            return style.add_modifier(Modifier::REVERSED);
        }
        match environment {
            Environment::Drill => style.fg(INK).bg(Color::Magenta),
            Environment::Staging => style.fg(INK).bg(Color::Yellow),
            Environment::Prod | Environment::Named(_) | Environment::Unnamed => {
                style.fg(Color::White).bg(Color::Red)
            }
        }
    }

    /// A key in the key line.
    pub(crate) const fn key(self) -> Style {
        match self.palette {
            Palette::Mono => Style::new().add_modifier(Modifier::REVERSED),
            Palette::Light => Style::new().fg(Color::White).bg(Color::Indexed(240)),
            Palette::Dark | Palette::HighContrast => Style::new().fg(INK).bg(Color::Gray),
        }
    }

    /// `unicode` where it can be shown, else `ascii`.
    pub(crate) const fn glyph(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    /// The sign of a cut text.
    pub(crate) const fn ellipsis(self) -> char {
        if self.unicode { '…' } else { '~' }
    }

    /// Glyph, word and style of a phase.
    pub(crate) const fn phase(self, phase: Phase) -> (&'static str, &'static str, Style) {
        match phase {
            Phase::Scheduled => (self.glyph("○", "o"), "SCHEDULED", self.dim()),
            Phase::PreQueue => (self.glyph("◔", "~"), "PRE-QUEUE", self.warn()),
            Phase::Open => (self.glyph("●", "*"), "OPEN", self.good()),
            Phase::Paused => (self.glyph("‖", "="), "PAUSED", self.bad()),
            Phase::SoldOut => (self.glyph("◆", "#"), "SOLD OUT", self.good()),
            Phase::Closed => (self.glyph("■", "x"), "CLOSED", self.dim()),
        }
    }

    /// A horizontal bar: `part` of `whole` over `width` cells, to the eighth of a cell where the
    /// terminal can; anything above nothing shows at least a sliver.
    pub(crate) fn bar_text(self, part: u64, whole: u64, width: u16) -> String {
        let width = u64::from(width);
        if whole == 0 || width == 0 {
            return String::new();
        }
        let part = part.min(whole);
        let eighths = u128::from(part) * u128::from(width) * 8 / u128::from(whole);
        let eighths = u64::try_from(eighths).unwrap_or(width * 8);
        let eighths = if part > 0 { eighths.max(1) } else { 0 };
        if self.unicode {
            const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
            let full = "█".repeat(usize::try_from(eighths / 8).unwrap_or(0));
            let rest = PARTS[usize::try_from(eighths % 8).unwrap_or(0)];
            format!("{full}{rest}")
        } else {
            "#".repeat(usize::try_from(eighths.div_ceil(8)).unwrap_or(0))
        }
    }

    /// The last `width` values as a sparkline, scaled to `top` (or to their own maximum).
    pub(crate) fn spark(self, values: &[u64], width: usize, top: Option<u64>) -> String {
        const BLOCKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        const ASCII: [&str; 8] = [".", ":", "-", "=", "+", "*", "%", "#"];
        let shown = &values[values.len().saturating_sub(width)..];
        let top = top.or_else(|| shown.iter().copied().max()).unwrap_or(0).max(1);
        let mut out = " ".repeat(width.saturating_sub(shown.len()));
        for &value in shown {
            let level = value.min(top).saturating_mul(8).div_ceil(top);
            let level = usize::try_from(level).unwrap_or(8);
            out.push_str(match (level, self.unicode) {
                (0, _) => " ",
                (n, true) => BLOCKS[n.min(8) - 1],
                (n, false) => ASCII[n.min(8) - 1],
            });
        }
        out
    }

    /// A cell of the heatmap: how much of a column's requests fell into this row, in five steps
    /// whose bounds grow by about four, so that a slow few are seen beside a fast many.
    pub(crate) fn heat(self, part: u64, whole: u64) -> &'static str {
        const BLOCKS: [&str; 5] = [" ", "░", "▒", "▓", "█"];
        const ASCII: [&str; 5] = [" ", ".", ":", "+", "#"];
        let level = match (part, whole) {
            (0, _) | (_, 0) => 0,
            (part, whole) if part.saturating_mul(50) < whole => 1,
            (part, whole) if part.saturating_mul(8) < whole => 2,
            (part, whole) if part.saturating_mul(2) < whole => 3,
            _ => 4,
        };
        if self.unicode { BLOCKS[level] } else { ASCII[level] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF: Theme = Theme {
        palette: Palette::Dark,
        unicode: true,
    };
    const PLAIN: Theme = Theme {
        palette: Palette::Mono,
        unicode: false,
    };

    #[test]
    fn bars_are_exact_to_the_eighth_and_never_hide_a_few() {
        assert_eq!(UTF.bar_text(50, 100, 10), "█████");
        assert_eq!(UTF.bar_text(1, 16, 2), "▏");
        assert_eq!(UTF.bar_text(1, 1_000_000, 10), "▏");
        assert_eq!(UTF.bar_text(0, 100, 10), "");
        assert_eq!(UTF.bar_text(200, 100, 4), "████");
        assert_eq!(UTF.bar_text(u64::MAX, u64::MAX, 4), "████");
        assert_eq!(PLAIN.bar_text(1, 100, 10), "#");
        assert_eq!(UTF.bar_text(1, 0, 10), "");
    }

    #[test]
    fn sparklines_keep_the_newest_values_at_the_right() {
        assert_eq!(UTF.spark(&[0, 4, 8], 5, None), "   ▄█");
        assert_eq!(UTF.spark(&[1, 2, 4, 8], 2, None), "▄█");
        assert_eq!(UTF.spark(&[8], 1, Some(16)), "▄");
        assert_eq!(PLAIN.spark(&[8], 1, None), "#");
        assert_eq!(UTF.spark(&[], 3, None), "   ");
    }

    #[test]
    fn one_slow_request_of_a_million_is_seen() {
        assert_eq!(UTF.heat(1, 1_000_000), "░");
        assert_eq!(UTF.heat(0, 1_000_000), " ");
        assert_eq!(UTF.heat(9, 10), "█");
        assert_eq!(PLAIN.heat(9, 10), "#");
    }

    #[test]
    fn without_colour_no_style_sets_one() {
        let banner = PLAIN.banner(&Environment::Prod);
        let styles = [PLAIN.good(), PLAIN.warn(), PLAIN.bad(), PLAIN.dim(), banner];
        for style in styles
            .into_iter()
            .chain([PLAIN.key(), PLAIN.bar(), PLAIN.focus()])
        {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn palettes_have_names_and_an_order() {
        for palette in Palette::ALL {
            assert_eq!(Palette::named(palette.name()), Some(palette));
        }
        assert_eq!(Palette::Mono.next(), Palette::Dark);
        assert_eq!(Palette::named("purple"), None);
    }
}
