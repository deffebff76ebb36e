//! Columns for people: as wide as their widest cell, numbers to the right.

use std::fmt::Write as _;

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Words, to the left.
    Text(String),
    /// A figure, to the right.
    Number(String),
}

/// Rows under headings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    /// How many of the columns are shown without `-o wide`.
    narrow: usize,
    rows: Vec<Vec<Cell>>,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Number(crate::text::grouped(n))
    }
}

impl From<u32> for Cell {
    fn from(n: u32) -> Self {
        u64::from(n).into()
    }
}

/// What is not known is a dash.
impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| Self::Number("-".to_owned()), Into::into)
    }
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
        }
    }
}

impl Table {
    /// A table with `headings`; those in `wide` are shown only when there is room asked for.
    pub(crate) fn new(headings: &[&'static str], wide: &[&'static str]) -> Self {
        Self {
            headings: headings.iter().chain(wide).copied().collect(),
            narrow: headings.len(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: a cell for every heading, wide ones included.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table's text; every line ends with a newline.
    pub(crate) fn render(&self, wide: bool, headings: bool) -> String {
        let columns = if wide { self.headings.len() } else { self.narrow };
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(Cell::text);
            let heading = headings.then(|| self.headings[column]);
            cells
                .chain(heading)
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        if headings {
            let cells: Vec<Cell> = self.headings.iter().map(|heading| Cell::from(*heading)).collect();
            self.line(&mut out, &cells, &widths);
        }
        for row in &self.rows {
            self.line(&mut out, row, &widths);
        }
        out
    }

    fn line(&self, out: &mut String, cells: &[Cell], widths: &[usize]) {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str("   ");
            }
            // A heading stands as the figures below it do.
            let below = self.rows.first().and_then(|row| row.get(column));
            let right = matches!(below, Some(Cell::Number(_)));
            let text = cell.text();
            // Writing to a String cannot fail.
            let _ = if right {
                write!(line, "{text:>width$}")
            } else {
                write!(line, "{text:<width$}")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(&["NAME", "RATE"], &["ID"]);
        table.row(vec!["Club night".into(), 1200_u32.into(), "5a1e".into()]);
        table.row(vec!["x".into(), Cell::from(None::<u32>), "7".into()]);
        assert_eq!(
            table.render(false, true),
            "NAME          RATE\nClub night   1,200\nx                -\n"
        );
        assert_eq!(
            table.render(true, false),
            "Club night   1,200   5a1e\nx                -   7\n"
        );
    }
}
