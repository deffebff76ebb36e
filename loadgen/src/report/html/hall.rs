//! The hall at the end.

use super::{escape, float};
use crate::report::charts::bar;
use crate::report::{RunReport, human};
use std::fmt::Write;
use urr_core::snapshot::SectionView;

/// More sections than this make no table anybody reads.
const TABLE_MOST: usize = 12;

pub(super) fn hall(report: &RunReport) -> String {
    let Some(seats) = report
        .snapshots
        .iter()
        .rev()
        .find_map(|snapshot| snapshot.seats.as_ref())
    else {
        return String::new();
    };
    if seats.sections.len() > TABLE_MOST {
        return plan(&seats.sections);
    }
    let mut html = String::from("<h2>The hall at the end</h2><div class=\"card\"><table><tbody>");
    for section in &seats.sections {
        let part = sold_part(section);
        html.push_str(&bar(
            &section.name,
            &format!(
                "{} of {}",
                human::count(section.sold),
                human::count(section.capacity)
            ),
            part,
            3,
            &if section.held > 0 {
                format!("{} held", human::count(section.held))
            } else {
                String::new()
            },
        ));
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Many sections, small.
fn plan(sections: &[SectionView]) -> String {
    let mut html = String::from("<h2>The hall at the end</h2><div class=\"card\"><div class=\"sections\">");
    for section in sections {
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<div>{} <span class=\"quiet\">{} of {}</span><s><i class=\"c3\" style=\"width:{:.1}%\"></i></s></div>",
            escape(&section.name),
            human::count(section.sold),
            human::count(section.capacity),
            sold_part(section) * 100.0
        );
    }
    html.push_str("</div></div>");
    html
}

fn sold_part(section: &SectionView) -> f64 {
    if section.capacity == 0 {
        0.0
    } else {
        float(section.sold) / float(section.capacity)
    }
}
