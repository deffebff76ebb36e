//! A run goes one way, every wait has an end, and what ended has.

use super::super::seen::Ended;
use super::super::tests::{OPENS_AT, SCENARIO, job, orders, run, seen, waiting};
use super::*;
use proptest::prelude::*;

const TARGET: &str = "http://gateway:3001";

fn at(run: &LoadRun, seen: &Seen, before_opening_ms: i64) -> Next {
    next(run, seen, TARGET, OPENS_AT.plus_ms(-before_opening_ms))
}

fn failed(next: Next) -> (&'static str, String) {
    match next {
        Next::Fail(Failure { reason, message }) => (reason, message),
        other => panic!("{other:?}"),
    }
}

fn waits(next: Next) -> (&'static str, String) {
    match next {
        Next::Wait { phase, message, .. } => (phase, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn runners_are_made_their_timeout_before_the_start_and_not_earlier() {
    let (run, seen) = (run(), seen());
    let due_ms = 5000;
    let Next::Wait { until, phase, .. } = at(&run, &seen, due_ms + 600_001) else {
        panic!("there is time");
    };
    assert_eq!((until, phase), (OPENS_AT.plus_ms(-due_ms - 600_000), "Preparing"));
    let Next::Prepare(preparation) = at(&run, &seen, due_ms + 600_000) else {
        panic!("it is time");
    };
    let told = &preparation.orders;
    assert_eq!((told.due, told.ready_by), (OPENS_AT.plus_ms(-due_ms), told.due));
    assert_eq!(told.fingerprint, orders(2).fingerprint);
    assert_eq!(preparation.deadline_s, 600 + 3 + 40 + 120);
}

#[test]
fn what_is_missing_is_waited_for_and_then_the_run_has_failed() {
    let run = run();
    let mut nothing = seen();
    nothing.sale = None;
    // Made at 10:00, ten minutes to be ready: until 10:10, 50 minutes before the opening.
    let (phase, message) = waits(at(&run, &nothing, 51 * 60_000));
    assert_eq!(phase, "Preparing");
    assert!(message.contains("club-night"), "{message}");
    assert_eq!(failed(at(&run, &nothing, 50 * 60_000)).0, reason::SALE_MISSING);
    let mut nothing = seen();
    nothing.scenario_text = None;
    waits(at(&run, &nothing, 51 * 60_000));
    let (why, message) = failed(at(&run, &nothing, 50 * 60_000));
    assert_eq!(why, reason::SCENARIO_MISSING);
    assert!(
        message.contains("good.yaml") && message.contains("scenarios"),
        "{message}"
    );
}

#[test]
fn a_scenario_that_is_wrong_or_does_not_fit_fails_at_once_and_says_why() {
    let unfit = |run: &LoadRun, seen: &Seen| failed(at(run, seen, 51 * 60_000));
    let mut wrong = seen();
    wrong.scenario_text = Some("visitors: many".into());
    assert_eq!(unfit(&run(), &wrong).0, reason::SCENARIO_UNFIT);
    let mut other = seen();
    other.sale.as_mut().unwrap().spec.seats = 99;
    assert!(unfit(&run(), &other).1.contains("100 seats"));
    let mut breaks = seen();
    let faults = "faults:\n  - { at: 1s, kill: booking, restart_after: 2s }\nprocesses: [booking]\n";
    breaks.scenario_text = Some(format!("{SCENARIO}\n{faults}"));
    assert!(unfit(&run(), &breaks).1.contains("faults"));
    let mut many = run();
    many.spec.runners = 1000;
    assert!(unfit(&many, &seen()).1.contains("1000 runners"));
}

#[test]
fn a_sale_that_opens_too_soon_is_said_before_any_runner_is_made() {
    assert_eq!(failed(at(&run(), &seen(), START_NOTICE_MS)).0, reason::TOO_LATE);
    assert_eq!(failed(at(&run(), &seen(), -1)).0, reason::TOO_LATE);
    let mut set = run();
    set.spec.start.at = Some(mapping::time(OPENS_AT));
    assert_eq!(failed(at(&set, &seen(), 60_000)).0, reason::TOO_LATE);
}

#[test]
fn an_operator_killed_between_orders_and_job_goes_on_with_the_same_orders() {
    let told = Seen {
        job: None,
        ..waiting(0)
    };
    let Next::Prepare(preparation) = at(&run(), &told, 60_000) else {
        panic!();
    };
    assert_eq!(preparation.orders, orders(2));
    assert_eq!(failed(at(&run(), &told, 5000)).0, reason::NOT_READY);
}

#[test]
fn all_begin_at_one_instant_once_all_are_ready() {
    let run = run();
    let (phase, message) = waits(at(&run, &waiting(1), 60_000));
    assert_eq!((phase, message.as_str()), ("Waiting", "1 of 2 runners are ready"));
    assert_eq!(
        at(&run, &waiting(2), 60_000),
        Next::Start(OPENS_AT.plus_ms(-5000))
    );
    // Late, but in time: as soon as all can have heard.
    let mut late = waiting(2);
    let told = late.orders.as_mut().unwrap();
    told.ready_by = OPENS_AT;
    assert_eq!(
        at(&run, &late, 4500),
        Next::Start(OPENS_AT.plus_ms(-4500 + START_NOTICE_MS))
    );
    assert_eq!(failed(at(&run, &late, START_NOTICE_MS)).0, reason::TOO_LATE);
    assert_eq!(failed(at(&run, &waiting(1), 5000)).0, reason::NOT_READY);
}

/// Killed between ending the Job and telling why: by then it is later, and no runner is ready any more.
#[test]
fn a_job_that_was_ended_for_a_failure_ends_the_run_for_that_one() {
    let run = run();
    let mut late = waiting(2);
    late.orders.as_mut().unwrap().ready_by = OPENS_AT;
    let Next::Fail(failure) = at(&run, &late, START_NOTICE_MS) else {
        panic!("it is too late");
    };
    assert_eq!(failure.reason, reason::TOO_LATE);
    let mut killed = waiting(0);
    let job = killed.job.as_mut().unwrap();
    job.is_let_go = true;
    job.ended = Some(Ended::Failed {
        reason: "DeadlineExceeded".into(),
        message: String::new(),
    });
    for before_opening_ms in [START_NOTICE_MS, 1, -60_000] {
        let without = failed(at(&run, &killed, before_opening_ms)).0;
        assert_eq!(without, reason::NOT_READY, "what it says if nobody wrote it down");
    }
    killed.job.as_mut().unwrap().ended_because = Some(failure.clone());
    for before_opening_ms in [START_NOTICE_MS, 1, -60_000] {
        assert_eq!(at(&run, &killed, before_opening_ms), Next::Fail(failure.clone()));
    }
    let mut judged = killed;
    judged.start = Some(OPENS_AT.plus_ms(-5000));
    assert_eq!(at(&run, &judged, 0), Next::Fail(failure));
}

#[test]
fn a_start_that_is_set_is_kept_or_the_run_fails() {
    let mut run = run();
    let start = OPENS_AT.plus_ms(-60_000);
    run.spec.start.at = Some(mapping::time(start));
    let mut seen = waiting(2);
    let told = seen.orders.as_mut().unwrap();
    told.due = start;
    told.ready_by = start.plus_ms(-START_NOTICE_LEAST_MS);
    assert_eq!(at(&run, &seen, 61_000), Next::Start(start));
    assert_eq!(failed(at(&run, &seen, 60_100)).0, reason::NOT_READY);
}

#[test]
fn a_sale_that_moves_or_goes_before_the_start_ends_the_run() {
    let mut moved = waiting(2);
    let schedule = &mut moved.sale.as_mut().unwrap().spec.schedule;
    schedule.opens_at = mapping::time(OPENS_AT.plus_s(60));
    assert_eq!(failed(at(&run(), &moved, 60_000)).0, reason::SALE_CHANGED);
    moved.sale = None;
    assert_eq!(failed(at(&run(), &moved, 60_000)).0, reason::SALE_CHANGED);
}

fn begun(change: impl FnOnce(&mut JobSeen)) -> Seen {
    let mut seen = waiting(2);
    seen.start = Some(OPENS_AT.plus_ms(-5000));
    change(seen.job.as_mut().unwrap());
    seen
}

#[test]
fn a_runner_that_dies_fails_the_run_at_once_or_is_done_without_as_the_spec_says() {
    let dead = |ended: bool| {
        begun(|job| {
            job.failed = 1;
            job.lost_indexes = vec![1];
            let failed = || Ended::Failed {
                reason: "FailedIndexes".into(),
                message: "m".into(),
            };
            job.ended = ended.then(failed);
        })
    };
    let (why, message) = failed(at(&run(), &dead(false), 1000));
    assert_eq!(why, reason::RUNNER_LOST);
    assert!(message.contains("segment 2"), "{message}");
    assert_eq!(failed(at(&run(), &dead(true), 1000)).0, reason::RUNNER_LOST);
    let mut goes_on = run();
    goes_on.spec.when_runner_lost = WhenRunnerLost::Continue;
    assert_eq!(waits(at(&goes_on, &dead(false), 1000)).0, "Running");
    assert_eq!(at(&goes_on, &dead(true), 1000), Next::Judge);
    // Before the start nobody goes on without the others.
    let mut early = dead(false);
    early.start = None;
    assert_eq!(failed(at(&goes_on, &early, 10_000)).0, reason::RUNNER_LOST);
}

#[test]
fn a_run_that_does_not_end_ends_by_its_deadline() {
    let running = begun(|_| ());
    assert_eq!(waits(at(&run(), &running, 1000)).0, "Running");
    let after = -(40_000 + 120_000 - 5000);
    assert_eq!(failed(at(&run(), &running, after)).0, reason::DEADLINE_EXCEEDED);
    let stopped = begun(|job| {
        job.ended = Some(Ended::Failed {
            reason: "DeadlineExceeded".into(),
            message: String::new(),
        });
    });
    assert_eq!(failed(at(&run(), &stopped, 1000)).0, reason::DEADLINE_EXCEEDED);
}

#[test]
fn a_job_that_somebody_takes_away_is_missed() {
    let mut run = run();
    run.status = Some(urr_api::LoadRunStatus {
        job: Some("rehearsal".into()),
        ..urr_api::LoadRunStatus::default()
    });
    let gone = Seen {
        job: None,
        ..waiting(0)
    };
    assert_eq!(failed(at(&run, &gone, 60_000)).0, reason::JOB_LOST);
    let mut theirs = waiting(2);
    theirs.job.as_mut().unwrap().is_ours = false;
    assert_eq!(failed(at(&run, &theirs, 60_000)).0, reason::JOB_LOST);
    let mut forgotten = waiting(2);
    forgotten.orders = None;
    assert_eq!(failed(at(&run, &forgotten, 60_000)).0, reason::JOB_LOST);
}

#[test]
fn what_is_over_stays_over() {
    let mut run = run();
    run.status = Some(urr_api::LoadRunStatus {
        finished_at: Some(mapping::time(OPENS_AT)),
        ..urr_api::LoadRunStatus::default()
    });
    assert_eq!(at(&run, &seen(), 60_000), Next::Over);
}

proptest! {
    /// Whatever is there, a run that waits wakes in the future, and one of which nothing changes has
    /// ended when its last instant is past.
    #[test]
    fn every_wait_has_an_end(
        has_sale: bool, has_scenario: bool, has_orders: bool, has_job: bool, has_start: bool,
        ready in 0..3_u32, succeeded in 0..3_u32, at_ms in -400_000..4_000_000_i64, goes_on: bool,
    ) {
        let mut run = run();
        if goes_on {
            run.spec.when_runner_lost = WhenRunnerLost::Continue;
        }
        let full = waiting(ready);
        let seen = Seen {
            sale: full.sale.filter(|_| has_sale),
            scenario_text: full.scenario_text.filter(|_| has_scenario || has_orders),
            orders: full.orders.filter(|_| has_orders),
            job: has_job.then(|| JobSeen { succeeded, ..job(ready) }),
            start: has_start.then(|| OPENS_AT.plus_ms(-5000)),
        };
        let now = OPENS_AT.plus_ms(-at_ms);
        if let Next::Wait { until, .. } = next(&run, &seen, TARGET, now) {
            prop_assert!(until > now, "{until:?} {now:?}");
        }
        let last = OPENS_AT.plus_ms(200_000);
        let end = next(&run, &seen, TARGET, last);
        prop_assert!(matches!(end, Next::Fail(_) | Next::Judge), "{end:?}");
    }
}
