//! The report for CI: a test case per law, per threshold, and one for the generator itself.

use super::RunReport;
use super::html::escape;
use std::fmt::Write;
use urr_core::audit::Verdict;

/// A test case: its name and, where it failed, why.
struct Case {
    suite: &'static str,
    name: String,
    failure: Option<String>,
    /// Not judged, and that is no failure.
    skipped: Option<String>,
}

/// The XML text.
pub(super) fn document(report: &RunReport) -> String {
    let cases = cases(report);
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
    let ms = report.load.finished_at.since(report.load.started_at).max(0);
    let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
    let name = escape(&report.load.scenario);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds}\">",
        cases.len()
    );
    for case in &cases {
        let _ = write!(
            xml,
            "  <testcase classname=\"{name}.{}\" name=\"{}\"",
            case.suite,
            escape(&case.name)
        );
        let _ = match (&case.failure, &case.skipped) {
            (Some(why), _) => writeln!(xml, "><failure message=\"{}\"/></testcase>", escape(why)),
            (None, Some(why)) => writeln!(xml, "><skipped message=\"{}\"/></testcase>", escape(why)),
            (None, None) => writeln!(xml, "/>"),
        };
    }
    xml.push_str("</testsuite>\n");
    xml
}

fn cases(report: &RunReport) -> Vec<Case> {
    let mut cases = Vec::new();
    match &report.audit {
        None => cases.push(Case {
            suite: "laws",
            name: "audit".to_owned(),
            failure: Some("the audit could not be made".to_owned()),
            skipped: None,
        }),
        Some(audit) => cases.extend(audit.findings.iter().map(|finding| {
            let said = || {
                let mut text = finding.detail.clone();
                for example in &finding.examples {
                    text.push_str("; ");
                    text.push_str(example);
                }
                text
            };
            let unproven = finding.verdict == Verdict::Unproven;
            Case {
                suite: "laws",
                name: finding.law.name().to_owned(),
                failure: (!finding.passes()).then(said),
                skipped: (finding.passes() && unproven).then(said),
            }
        })),
    }
    cases.extend(report.load.thresholds.iter().map(|judged| Case {
        suite: "thresholds",
        name: judged.rule.clone(),
        failure: (!judged.passed).then(|| format!("observed {} ({})", judged.observed, judged.judge)),
        skipped: None,
    }));
    let reasons = &report.load.validity.reasons;
    cases.push(Case {
        suite: "generator",
        name: "the generator kept its own promises".to_owned(),
        failure: (!reasons.is_empty()).then(|| reasons.join("; ")),
        skipped: None,
    });
    for sale in &report.sales {
        cases.extend(self::cases(sale).into_iter().map(|case| Case {
            name: format!("{}: {}", sale.load.scenario, case.name),
            ..case
        }));
    }
    cases
}
