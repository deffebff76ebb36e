//! The documents a run is made of.

use super::super::decide::Preparation;
use super::super::tests::{SCENARIO, orders as told, run};
use super::*;

fn preparation() -> Preparation {
    Preparation {
        orders: told(2),
        scenario_text: SCENARIO.to_owned(),
        deadline_s: 700,
    }
}

#[test]
fn the_job_tries_each_index_once_and_ends_with_the_first_that_is_lost() {
    let made = job(&run(), &preparation(), &Settings::default(), "urr:dev");
    let spec = &made["spec"];
    assert_eq!(
        (
            &spec["completions"],
            &spec["parallelism"],
            &spec["completionMode"]
        ),
        (&json!(2), &json!(2), &json!("Indexed"))
    );
    assert_eq!(
        (&spec["backoffLimitPerIndex"], &spec["maxFailedIndexes"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(spec["activeDeadlineSeconds"], 700);
    let mut goes_on = run();
    goes_on.spec.when_runner_lost = WhenRunnerLost::Continue;
    let made = job(&goes_on, &preparation(), &Settings::default(), "urr:dev");
    assert_eq!(made["spec"]["maxFailedIndexes"], 2);
}

#[test]
fn everything_of_a_run_is_owned_by_it() {
    let preparation = preparation();
    let run = run();
    let all = [
        job(&run, &preparation, &Settings::default(), "urr:dev"),
        orders(&run, &preparation),
        start(&run, &preparation.orders, Millis(7)),
        result(&run, &preparation.orders.job, "{}", ""),
    ];
    for object in &all {
        assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "u-1", "{object}");
        assert_eq!(object["metadata"]["labels"][names::RUN_LABEL], "u-1");
    }
}

#[test]
fn runners_find_what_they_are_told_where_they_look_for_it() {
    let told = orders(&run(), &preparation());
    let data = told["data"].as_object().unwrap();
    let read = |key: &str| data[key].as_str().unwrap();
    let orders: Orders = serde_json::from_str(read(names::ORDERS_KEY)).unwrap();
    let assignment =
        super::super::runner::Assignment::of(orders.clone(), read(names::SCENARIO_KEY), 1).unwrap();
    assert_eq!(assignment.segment.to_string(), "2/2");
    assert!(super::super::runner::Assignment::of(orders.clone(), read(names::SCENARIO_KEY), 2).is_err());
    let edited = format!("{}# edited\n", read(names::SCENARIO_KEY));
    let wrong = super::super::runner::Assignment::of(orders, &edited, 0).unwrap_err();
    assert!(wrong.to_string().contains("fingerprint"), "{wrong}");
}
