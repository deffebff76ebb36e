//! The laws over several sales: a law holds where it holds in every sale.

use super::RunReport;
use urr_core::audit::{AuditReport, EXAMPLES_MAX, Finding, Verdict};

/// What the audits of `sales` say together; `None` when one could not be made.
#[must_use]
pub fn laws(sales: &[RunReport]) -> Option<AuditReport> {
    let audits: Option<Vec<(&str, &AuditReport)>> = sales
        .iter()
        .map(|sale| Some((sale.load.scenario.as_str(), sale.audit.as_ref()?)))
        .collect();
    let audits = audits?;
    let (_, first) = audits.first()?;
    let findings = first.findings.iter().map(|finding| {
        let of_law = audits.iter().filter_map(|(name, audit)| {
            let found = audit.findings.iter().find(|found| found.law == finding.law)?;
            Some((*name, found))
        });
        law(&of_law.collect::<Vec<_>>(), finding)
    });
    Some(AuditReport {
        sale: first.sale,
        taken_at: audits.iter().map(|(_, audit)| audit.taken_at).max()?,
        findings: findings.collect(),
    })
}

/// How bad a finding is; the worst of all sales is what is true of all of them.
fn badness(finding: &Finding) -> u8 {
    match (finding.verdict, finding.passes()) {
        (Verdict::Held, _) => 0,
        (Verdict::Unproven, true) => 1,
        (Verdict::Unproven, false) => 2,
        (Verdict::Broken, _) => 3,
    }
}

fn law(of_law: &[(&str, &Finding)], like: &Finding) -> Finding {
    let worst = of_law.iter().max_by_key(|(_, found)| badness(found));
    let Some((_, worst)) = worst else {
        return like.clone();
    };
    let badly: Vec<&(&str, &Finding)> = of_law
        .iter()
        .filter(|(_, found)| badness(found) == badness(worst) && badness(worst) > 0)
        .collect();
    let detail = match badly.as_slice() {
        [] => format!("in each of {} sales; e.g. {}", of_law.len(), worst.detail),
        [(name, found), ..] => format!(
            "{} in {} of {} sales: {name}: {}",
            found.verdict,
            badly.len(),
            of_law.len(),
            found.detail
        ),
    };
    let examples = badly.iter().flat_map(|(name, found)| {
        found
            .examples
            .iter()
            .map(move |example| format!("{name}: {example}"))
    });
    Finding {
        law: like.law,
        verdict: worst.verdict,
        checked: of_law.iter().map(|(_, found)| found.checked).sum(),
        detail,
        examples: examples.take(EXAMPLES_MAX).collect(),
        excused: worst.excused,
    }
}
