//! Small charts in text: a row of bars, a block of them. Blocks where the terminal speaks UTF-8,
//! plain ASCII elsewhere.

/// Which characters charts are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Eighths of a block.
    Blocks,
    /// Letters everybody has.
    Ascii,
}

impl Ink {
    /// What this terminal (or pipe) can show, by the locale.
    pub(crate) fn of_locale() -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Blocks
        } else {
            Self::Ascii
        }
    }

    const fn levels(self) -> &'static [char] {
        match self {
            Self::Blocks => &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Self::Ascii => &[' ', '.', ':', '|', '#'],
        }
    }

    /// A bar of up to `width` for `part` of `whole`.
    pub(crate) fn bar(self, part: u64, whole: u64, width: usize) -> String {
        let filled = scaled(part, whole, width);
        let (full, empty) = match self {
            Self::Blocks => ('█', '·'),
            Self::Ascii => ('#', '.'),
        };
        (0..width)
            .map(|at| if at < filled { full } else { empty })
            .collect()
    }

    /// `values` as an area `height` lines high and at most `width` wide, the highest value at the
    /// top. Every column shows the highest of the values it stands for: peaks are never lost.
    pub(crate) fn area(self, values: &[u64], width: usize, height: usize) -> Vec<String> {
        let columns = columns(values, width);
        let top = columns.iter().copied().max().unwrap_or(0);
        let levels = self.levels();
        let steps = levels.len() - 1;
        (0..height)
            .rev()
            .map(|line| {
                columns
                    .iter()
                    .map(|value| {
                        let filled = scaled(*value, top, steps * height);
                        // Something is never drawn as nothing.
                        let filled = if *value > 0 { filled.max(1) } else { 0 };
                        levels[filled.saturating_sub(line * steps).min(steps)]
                    })
                    .collect()
            })
            .collect()
    }
}

/// `part` of `whole` in `steps`, rounded.
fn scaled(part: u64, whole: u64, steps: usize) -> usize {
    let scaled = (u128::from(part) * steps as u128 + u128::from(whole) / 2).checked_div(u128::from(whole));
    usize::try_from(scaled.unwrap_or(0)).map_or(steps, |n| n.min(steps))
}

/// The highest value of each column.
fn columns(values: &[u64], width: usize) -> Vec<u64> {
    let width = width.min(values.len());
    (0..width)
        .map(|column| {
            let from = values.len() * column / width;
            let to = (values.len() * (column + 1) / width).max(from + 1);
            values[from..to].iter().copied().max().unwrap_or(0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_shows_its_shape_and_loses_no_peak() {
        assert_eq!(Ink::Blocks.area(&[0, 1, 4, 8], 4, 1), [" ▁▄█"]);
        assert_eq!(Ink::Ascii.area(&[0, 4, 8, 4], 4, 2), ["  # ", " ###"]);
        let mut long = vec![1; 1000];
        long[567] = 900;
        let row = &Ink::Blocks.area(&long, 20, 1)[0];
        assert_eq!(row.chars().filter(|c| *c == '█').count(), 1);
        assert_eq!(row.chars().count(), 20);
    }

    #[test]
    fn nothing_and_everything_are_drawn_as_such() {
        assert_eq!(Ink::Blocks.area(&[], 10, 2), ["", ""]);
        assert_eq!(Ink::Ascii.area(&[0, 0], 10, 1), ["  "]);
        assert_eq!(Ink::Ascii.bar(0, 0, 4), "....");
        assert_eq!(Ink::Ascii.bar(5, 10, 4), "##..");
        assert_eq!(Ink::Blocks.bar(10, 10, 3), "███");
    }
}
