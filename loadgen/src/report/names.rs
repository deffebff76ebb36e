//! Where the names of marks stand above a chart: in lines, so that none covers another.

/// Height of a line of names.
pub(super) const ROW: f64 = 14.0;
/// Lines, at most. What finds no room keeps its mark and, under a pointer, its name.
const ROWS_MAX: usize = 4;
/// Width of a letter, on the generous side: there is no font to ask.
const LETTER: f64 = 6.6;
/// Letters of a name that are shown.
const LETTERS_MAX: usize = 36;
/// Between a mark and its name, and between two names.
const GAP: f64 = 4.0;

/// A name with its place.
#[derive(Debug, PartialEq)]
pub(super) struct Name {
    /// Left end.
    pub(super) left: f64,
    /// Which line, from 0 just above the chart; `None` where there is no room.
    pub(super) row: Option<usize>,
    /// As it is shown.
    pub(super) text: String,
}

/// Places for `names` of marks at their x, in order of x, on a chart of this `width`; and how many
/// lines they take.
pub(super) fn place(names: &[(f64, &str)], width: f64) -> (Vec<Name>, usize) {
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    let placed = names
        .iter()
        .map(|(x, name)| {
            let text = shortened(name);
            let long = float(text.chars().count()) * LETTER;
            let right_of_it = x + GAP;
            let left = if right_of_it + long <= width {
                right_of_it
            } else {
                (x - GAP - long).max(0.0)
            };
            let free = |taken: &Vec<(f64, f64)>| {
                taken
                    .iter()
                    .all(|(from, to)| left > to + 2.0 * GAP || left + long + 2.0 * GAP < *from)
            };
            let row = match rows.iter().position(free) {
                None if rows.len() < ROWS_MAX => {
                    rows.push(Vec::new());
                    Some(rows.len() - 1)
                }
                found => found,
            };
            if let Some(row) = row {
                rows[row].push((left, left + long));
            }
            Name { left, row, text }
        })
        .collect();
    (placed, rows.len())
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LETTERS_MAX {
        return name.to_owned();
    }
    let mut text: String = name.chars().take(LETTERS_MAX - 1).collect();
    text.truncate(text.trim_end().len());
    text.push('…');
    text
}

fn float(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_close_together_get_lines_of_their_own_and_far_ones_share_one() {
        let names = [(10.0, "announced"), (12.0, "opening"), (400.0, "killed booking")];
        let (placed, rows) = place(&names, 900.0);
        assert_eq!(
            placed.iter().map(|name| name.row).collect::<Vec<_>>(),
            [Some(0), Some(1), Some(0)]
        );
        assert_eq!(rows, 2);
        let (edge, _) = place(&[(890.0, "sold out")], 900.0);
        assert!(edge[0].left + 8.0 * LETTER <= 890.0);
    }

    proptest! {
        #[test]
        fn no_name_covers_another(xs in prop::collection::vec((0.0f64..900.0, "[a-z ]{1,50}"), 0..25)) {
            let mut names: Vec<(f64, &str)> = xs.iter().map(|(x, name)| (*x, name.as_str())).collect();
            names.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (placed, rows) = place(&names, 900.0);
            prop_assert!(rows <= ROWS_MAX);
            let end = |name: &Name| name.left + float(name.text.chars().count()) * LETTER;
            for (nth, a) in placed.iter().enumerate() {
                for b in placed[nth + 1..].iter().filter(|b| b.row.is_some() && b.row == a.row) {
                    prop_assert!(end(a) < b.left || end(b) < a.left, "{a:?} {b:?}");
                }
            }
        }
    }
}
