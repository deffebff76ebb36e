//! Meaning to appearance. Panes ask for a meaning ("warn"), never for a colour, so that NO_COLOR
//! and terminals without UTF-8 lose nothing: every status is a word and a glyph first.

use ratatui::style::{Color, Modifier, Style};
use urr_core::sale::Phase;

/// How this terminal is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether colours may be used (NO_COLOR unset).
    pub(crate) colour: bool,
    /// Whether glyphs beyond ASCII may be used (UTF-8 locale).
    pub(crate) unicode: bool,
}

impl Theme {
    /// From the environment: NO_COLOR (non-empty), TERM and the locale's charset.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Self {
            colour: set("NO_COLOR").is_none(),
            // Without any locale most terminals of today still speak UTF-8 (containers, CI).
            unicode: locale.is_none_or(|l| {
                let l = l.to_ascii_lowercase();
                l.contains("utf-8") || l.contains("utf8")
            }),
        }
    }

    const fn paint(self, colour: Color, otherwise: Modifier) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new().add_modifier(otherwise)
        }
    }

    /// All is well.
    pub(crate) const fn good(self) -> Style {
        self.paint(Color::Green, Modifier::empty())
    }

    /// Look here soon.
    pub(crate) const fn warn(self) -> Style {
        self.paint(Color::Yellow, Modifier::BOLD)
    }

    /// Look here now.
    pub(crate) const fn bad(self) -> Style {
        self.paint(Color::Red, Modifier::BOLD)
            .add_modifier(Modifier::BOLD)
    }

    /// What can be skipped: labels, stale data.
    pub(crate) const fn dim(self) -> Style {
        self.paint(Color::DarkGray, Modifier::DIM)
    }

    /// The number of a pane that matters most.
    pub(crate) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Bars and sparklines.
    pub(crate) const fn bar(self) -> Style {
        self.paint(Color::Cyan, Modifier::empty())
    }

    /// The environment banner: cannot be missed, with or without colour.
    pub(crate) const fn banner(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colour {
            style.fg(Color::Black).bg(Color::Magenta)
        } else {
            style.add_modifier(Modifier::REVERSED)
        }
    }

    /// A key in the key line.
    pub(crate) const fn key(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::Gray)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF: Theme = Theme {
        colour: true,
        unicode: true,
    };
    const PLAIN: Theme = Theme {
        colour: false,
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
    fn without_colour_no_style_sets_one() {
        for style in [
            PLAIN.good(),
            PLAIN.warn(),
            PLAIN.bad(),
            PLAIN.dim(),
            PLAIN.banner(),
            PLAIN.key(),
            PLAIN.bar(),
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
