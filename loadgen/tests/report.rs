//! The report tells one story three times: for people, for scripts, for CI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod sample;

use sample::{OPENS, drawn, sample};
use serde_json::Value;
use urr_core::audit::Verdict;
use urr_core::sale::Adaptive;
use urr_core::snapshot::EventLine;
use urr_core::time::Millis;
use urr_loadgen::report::{Conclusion, RunReport, write};
use urr_loadgen::result::Judged;
use urr_loadgen::scenario::{Operator, Rule, Subject, Way};
use urr_loadgen::together::rates_moved;
use uuid::Uuid;

/// The three files' contents.
fn written(report: &RunReport) -> (String, Value, String) {
    let dir = std::env::temp_dir().join(format!("urr-report-{}", Uuid::new_v4()));
    std::fs::create_dir_all(&dir).unwrap();
    let files = write(&dir, report).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let texts = (
        read(files.html),
        serde_json::from_str(&read(files.json)).unwrap(),
        read(files.junit),
    );
    std::fs::remove_dir_all(&dir).unwrap();
    texts
}

/// To look at the page: `URR_REPORT_SAMPLE=/tmp/sample cargo test -p urr-loadgen --test report`, with
/// `URR_REPORT_JSON=report.json` for the figures of a real run.
#[test]
fn the_sample_can_be_looked_at() {
    let Some(dir) = std::env::var_os("URR_REPORT_SAMPLE") else {
        return;
    };
    let mut report = sample();
    drawn(&mut report);
    if let Some(path) = std::env::var_os("URR_REPORT_JSON") {
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let of = |name: &str| json[name].clone();
        report.load = serde_json::from_value(of("load")).unwrap();
        report.audit = serde_json::from_value(of("audit")).unwrap();
        report.sale = serde_json::from_value(of("sale")).unwrap();
        report.snapshots = serde_json::from_value(of("snapshots")).unwrap();
        report.meta.events = serde_json::from_value(of("events")).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    write(std::path::Path::new(&dir), &report).unwrap();
}

#[test]
fn a_draw_is_told_with_its_commitment_and_whether_the_seed_agrees() {
    let mut report = sample();
    drawn(&mut report);
    let (html, json, _) = written(&report);
    let commitment = json["load"]["fairness"]["draw"]["commitment"].as_str().unwrap();
    assert!(html.contains(commitment) && html.contains("is the one committed to before it"));
    assert_eq!(json["load"]["fairness"]["draw"]["tickets"]["pairs"], 0);
    let draw = report.load.fairness.draw.as_mut().unwrap();
    draw.violation = Some("another seed".to_owned());
    let (html, _, _) = written(&report);
    assert!(html.contains("✘ another seed"));
}

#[test]
fn the_forecast_stands_beside_the_outcome_with_its_error() {
    let (html, json, _) = written(&sample());
    let chapter = html.split("<h2>Forecast and outcome</h2>").nth(1).unwrap();
    let chapter = chapter.split("<h2>").next().unwrap();
    for told in [
        "One figure of 2 is further off than the 15 % that it promises.",
        "<td class=\"num\">24.0 s</td><td class=\"num\">25.0 s</td><td class=\"num\">-4.0 %</td><td class=\"ok\">as promised",
        "<td class=\"num\">+30.0 %</td><td class=\"no\">further off than promised",
    ] {
        assert!(chapter.contains(told), "{told} in\n{chapter}");
    }
    assert_eq!(chapter.matches("<svg").count(), 2, "seats and people over time");
    assert_eq!(json["forecast"]["figures"][1]["errorPercent"], 30.0);
    let mut without = sample();
    without.meta.forecast = None;
    assert!(!written(&without).0.contains("Forecast and outcome"));
}

#[test]
fn an_adaptive_rate_is_told_step_by_step_and_drawn() {
    let (html, json, _) = written(&sample());
    assert!(
        !html.contains("How the rate followed"),
        "the rate of this sale stands, whatever somebody told of it"
    );
    let mut report = sample();
    report.sale.admission.adaptive = Some(Adaptive::between(20, 300));
    let (html, _, _) = written(&report);
    let chapter = html
        .split("<h2>How the rate followed the services</h2>")
        .nth(1)
        .unwrap();
    let chapter = chapter.split("<h2>").next().unwrap();
    for told in [
        "between 20 and 300",
        "T+2.0 s</td><td class=\"num\">100/s</td><td class=\"num\">▲ 120/s</td><td>pools are 12 % full, 80 are allowed",
        "T+11.2 s</td><td class=\"num\">120/s</td><td class=\"num\">▼ 70/s</td><td>reservations take 1900 ms",
    ] {
        assert!(chapter.contains(told), "{told} in\n{chapter}");
    }
    assert!(html.contains("may be let in"), "the first chart's line");
    assert_eq!(json["load"]["rateSteps"][1]["toPerS"], 70);
    report.load.rate_steps.clear();
    let (html, json, _) = written(&report);
    assert!(html.contains("It never moved.") && !html.contains("may be let in"));
    assert!(json["load"].get("rateSteps").is_none());
}

#[test]
fn scripts_are_told_apart_from_people_with_what_they_won() {
    let (html, json, _) = written(&sample());
    assert!(html.contains("grabs <span class=\"quiet\">(script)</span>"));
    let advantage = json["bots"]["advantage"].as_f64().unwrap();
    assert!((advantage - 0.12 / (600.0 / 5020.0)).abs() < 1e-9, "{advantage}");
    assert!(html.contains("Scripts were 12.0 % of those who came and hold 12.0 % of the seats"));
}

#[test]
fn findings_tell_clock_times_and_marks_close_together_do_not_cover_each_other() {
    let mut report = sample();
    let finding = &mut report.audit.as_mut().unwrap().findings[0];
    finding.verdict = Verdict::Broken;
    finding.examples = vec![format!("seat A-1-1 was sold twice at {}", OPENS + 1234)];
    let line = |ms, text: &str| EventLine {
        at: Millis(OPENS + ms),
        actor: "drill".to_owned(),
        text: text.to_owned(),
    };
    report.meta.events = vec![
        line(-100, "announced"),
        line(200, "phase open"),
        line(300, "killed booking"),
    ];
    let (html, json, _) = written(&report);
    assert!(!html.contains(&(OPENS + 1234).to_string()) && html.contains(":41.234"));
    assert!(
        json["audit"].to_string().contains(&(OPENS + 1234).to_string()),
        "scripts read ms"
    );
    let chart = &html[html.find("<svg").unwrap()..html.find("</svg>").unwrap()];
    let rows: std::collections::HashSet<&str> = chart
        .split("class=\"markname\"")
        .skip(1)
        .filter_map(|text| text.split(" y=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(
        rows.len(),
        4,
        "four names at one instant stand in four lines: {chart}"
    );
}

#[test]
fn page_json_and_junit_agree_on_a_good_run() {
    let report = sample();
    assert_eq!(report.conclusion(), Conclusion::Passed);
    let (html, json, junit) = written(&report);
    assert!(html.contains("<strong>Passed.</strong>"));
    assert!(html.contains("₩88,000,000") && html.contains("5,020 people came for 1,000 seats"));
    assert!(html.contains("made up &lt;for&gt; this test"), "text is escaped");
    assert_eq!(json["apiVersion"], "urr.io/drill-report/v1");
    assert_eq!(
        (&json["conclusion"], &json["exitCode"]),
        (&"passed".into(), &0.into())
    );
    assert_eq!(json["load"]["funnel"]["sold"], 1000);
    assert!(
        junit.contains("tests=\"14\" failures=\"0\" skipped=\"0\""),
        "{junit}"
    );
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let (html, _, _) = written(&sample());
    for foreign in ["src=\"http", "url(http", "<script", "<link", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("<svg") && html.contains("prefers-color-scheme:dark"));
}

#[test]
fn a_broken_law_outweighs_everything_and_is_told_everywhere() {
    let mut report = sample();
    let audit = report.audit.as_mut().unwrap();
    audit.findings[0].verdict = Verdict::Broken;
    audit.findings[0].examples = vec!["seat A-1-1 has two owners & <one> too many".to_owned()];
    audit.findings[1].verdict = Verdict::Unproven;
    audit.findings[1].excused = true;
    report.load.validity.reasons.push("too slow".to_owned());
    report.load.thresholds[0].passed = false;
    assert_eq!(report.conclusion().exit_code(), 98);
    let (html, json, junit) = written(&report);
    assert!(html.contains("a law does not hold") && html.contains("two owners &amp; &lt;one&gt;"));
    assert_eq!(json["conclusion"], "law-broken");
    assert!(junit.contains("failures=\"3\" skipped=\"1\""), "{junit}");
    assert!(junit.contains("two owners &amp; &lt;one&gt; too many"));
}

#[test]
fn without_an_audit_nothing_has_passed() {
    let mut report = sample();
    report.audit = None;
    assert_eq!(report.conclusion().exit_code(), 98);
    let (html, json, junit) = written(&report);
    assert!(html.contains("The audit could not be made") && junit.contains("failures=\"1\""));
    assert!(json["audit"].is_null());
}

#[test]
fn saturation_comes_before_thresholds() {
    let mut report = sample();
    report.load.thresholds[0].passed = false;
    assert_eq!(report.conclusion().exit_code(), 99);
    report.load.validity.reasons.push("too slow".to_owned());
    assert_eq!(report.conclusion().exit_code(), 97);
}

#[test]
fn a_report_that_cannot_be_written_names_the_file_and_leaves_no_half_of_it() {
    let missing = std::path::Path::new("/nonexistent/urr");
    let error = write(missing, &sample()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write report file /nonexistent/urr/report.html"
    );
}

/// Two sales, of which the second lost a seat twice.
fn two_sales() -> RunReport {
    let (mut fine, mut broken) = (sample(), sample());
    fine.load.scenario = "festival-show-1".to_owned();
    broken.load.scenario = "festival-show-2".to_owned();
    let findings = &mut broken.audit.as_mut().unwrap().findings;
    findings[0].verdict = Verdict::Broken;
    findings[0].examples = vec!["seat A-1-1 has two owners".to_owned()];
    let sales = vec![fine, broken];
    RunReport {
        audit: urr_loadgen::report::together::laws(&sales),
        sales,
        ..sample()
    }
}

#[test]
fn of_several_sales_each_has_its_report_and_the_sum_is_as_good_as_the_worst() {
    let report = two_sales();
    assert_eq!(report.conclusion(), Conclusion::LawBroken);
    let law = &report.audit.as_ref().unwrap().findings[0];
    assert_eq!(law.checked, sample().audit.unwrap().findings[0].checked * 2);
    assert!(
        law.detail
            .starts_with("BROKEN in 1 of 2 sales: festival-show-2: "),
        "{}",
        law.detail
    );
    assert_eq!(law.examples, ["festival-show-2: seat A-1-1 has two owners"]);
    assert!(
        report.audit.as_ref().unwrap().findings[1]
            .detail
            .starts_with("in each of 2 sales")
    );

    let dir = tempfile::tempdir().unwrap();
    let files = write(dir.path(), &report).unwrap();
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let html = read(&files.html);
    let chapter = html.split("<h2>The sales</h2>").nth(1).unwrap();
    let chapter = chapter.split("<h2>").next().unwrap();
    assert!(
        chapter.contains("✔ passed") && chapter.contains("✘ law-broken"),
        "{chapter}"
    );
    assert!(chapter.contains("href=\"sales/festival-show-2/report.html\""));
    let json: Value = serde_json::from_str(&read(&files.json)).unwrap();
    assert_eq!(json["sales"][1]["conclusion"], "law-broken");
    assert_eq!(json["storage"]["pollReads"], 0);
    assert_eq!(json["memoryMostBytes"], 734_003_200_u64);
    let junit = read(&files.junit);
    assert_eq!(
        junit.matches("festival-show-2: ").count(),
        junit.matches("name=\"festival-show-1: ").count() + 2
    );
    for sale in ["festival-show-1", "festival-show-2"] {
        let own = dir.path().join("sales").join(sale);
        let own: Value = serde_json::from_str(&read(&own.join("report.json"))).unwrap();
        assert_eq!(own["load"]["scenario"], sale);
        assert!(own.get("sales").is_none(), "one sale has none below it");
    }
}

#[test]
fn what_the_run_took_is_told_part_by_part() {
    let (html, json, _) = written(&sample());
    let chapter = html.split("<h2>What it took</h2>").nth(1).unwrap();
    for told in [
        "first join to opening",
        "opening to sold out",
        "sold out to the last journey",
        "reads by waiting polls",
        "all at once",
    ] {
        assert!(chapter.contains(told), "{told}");
    }
    assert_eq!(json["load"]["milestones"]["soldOutMs"], 18_983);
}

#[test]
fn a_rule_about_the_rate_holds_for_several_sales_where_it_holds_in_each() {
    let rules = [Rule {
        text: "rate-steps down <= 0".to_owned(),
        subject: Subject::RateSteps { way: Way::Down },
        operator: Operator::AtMost,
        limit: 0.0,
    }];
    let unjudged = Judged {
        rule: rules[0].text.clone(),
        observed: "nobody told how the rate moved".to_owned(),
        passed: false,
        judge: "loadgen".to_owned(),
    };
    let sale = |name: &str, steps: usize| {
        let mut load = sample().load;
        load.scenario = name.to_owned();
        load.thresholds = vec![unjudged.clone()];
        let told = load.rate_steps.drain(..).take(steps).collect();
        load.rate_moved(&rules, told);
        load
    };
    let (up, down) = (sale("up", 1), sale("down", 2));
    assert!(up.thresholds[0].passed && !down.thresholds[0].passed);
    let mut all = sample().load;
    all.thresholds = vec![unjudged.clone()];
    rates_moved(&rules, &[&up, &up], &mut all);
    assert_eq!(
        (all.thresholds[0].passed, all.thresholds[0].observed.as_str()),
        (true, "in each of 2 sales")
    );
    rates_moved(&rules, &[&up, &down], &mut all);
    assert_eq!(
        (all.thresholds[0].passed, all.thresholds[0].observed.as_str()),
        (false, "missed in 1 of 2 sales: down 1 (1 up, 1 down)")
    );
}
