//! What is said of a change, in the words of a person.

use super::{Figures, Told};
use crate::{
    plain::word,
    text::{countdown, duration_s, grouped},
};
use urr_core::{
    effect::set_rate,
    sale::Phase,
    snapshot::{EventLine, Snapshot},
};

/// Seconds before the opening that are told.
const MILESTONES_S: [i64; 12] = [3_600, 1_800, 600, 300, 120, 60, 30, 10, 5, 3, 2, 1];

pub(super) fn whole(snapshot: &Snapshot, figures: Figures) -> String {
    let environment = snapshot
        .environment
        .as_deref()
        .unwrap_or("an unnamed environment");
    let mut text = format!(
        "{} in {environment}: {}, {}. {} wait, {} are inside",
        snapshot.name,
        word(snapshot.phase).to_lowercase(),
        countdown(snapshot.at, snapshot.opens_at),
        grouped(figures.waiting),
        grouped(figures.inside)
    );
    if let Some(rate) = set_rate(snapshot) {
        let verb = if snapshot.phase == Phase::Open {
            "are"
        } else {
            "are to be"
        };
        text.push_str(&format!(", {} a second {verb} let in", grouped(u64::from(rate))));
    }
    if let Some(seats) = &snapshot.seats {
        text.push_str(&format!(
            ", {} of {} seats are sold",
            grouped(seats.sold),
            grouped(seats.capacity)
        ));
    }
    text.push('.');
    text
}

pub(super) fn milestone(before: i64, now: i64) -> Option<String> {
    let passed = MILESTONES_S
        .into_iter()
        .rev()
        .find(|s| now <= *s && *s < before && now > 0)?;
    let left = u64::try_from(passed).unwrap_or(0);
    Some(format!("{} to the opening.", duration_s(left)))
}

/// Why an adaptive rate moved since `told`.
pub(super) fn moved_by_itself<'a>(told: &Told, snapshot: &'a Snapshot) -> Option<&'a str> {
    let pace = snapshot.pace.as_ref()?;
    (pace.since != told.paced_since).then_some(pace.reason.as_deref())?
}

/// `why` the rate changed, if it follows the services.
pub(super) fn changed_settings(
    before: Option<(u32, u32, bool)>,
    now: Option<(u32, u32, bool)>,
    why: Option<&str>,
) -> Vec<String> {
    let (Some((rate_was, cap_was, paused_was)), Some((rate, cap, paused))) = (before, now) else {
        return Vec::new();
    };
    let mut say = Vec::new();
    let n = |n: u32| grouped(u64::from(n));
    if rate != rate_was {
        say.push(format!(
            "The rate went from {} to {} a second.",
            n(rate_was),
            n(rate)
        ));
    }
    if let Some(why) = why {
        say.push(format!("The adaptive rate is {why}."));
    }
    if cap != cap_was {
        say.push(format!("The cap went from {} to {}.", n(cap_was), n(cap)));
    }
    match (paused_was, paused) {
        (false, true) => say.push("The line is held by an operator.".to_owned()),
        (true, false) => say.push("The line moves again.".to_owned()),
        _ => {}
    }
    say
}

pub(super) fn readiness(told: &Told, snapshot: &Snapshot) -> Vec<String> {
    let mut say = Vec::new();
    for service in &snapshot.services {
        let before = told.services.iter().find(|other| other.name == service.name);
        if before.is_some_and(|before| before.ready != service.ready) {
            say.push(format!(
                "{}: {} of {} replicas are ready.",
                service.name, service.ready, service.desired
            ));
        }
    }
    if say.is_empty()
        && let (Some(before), Some(now)) = (told.capacity, snapshot.capacity)
        && before.ready_replicas != now.ready_replicas
    {
        say.push(format!(
            "{} of {} replicas are ready.",
            now.ready_replicas, now.desired_replicas
        ));
    }
    say
}

pub(super) fn moved(snapshot: &Snapshot, before: Figures, now: Figures) -> String {
    let mut parts = Vec::new();
    if now.waiting != before.waiting {
        parts.push(format!("{} wait", grouped(now.waiting)));
    }
    if now.inside != before.inside {
        parts.push(format!("{} are inside", grouped(now.inside)));
    }
    if now.sold != before.sold {
        let capacity = snapshot.seats.as_ref().map_or(0, |seats| seats.capacity);
        parts.push(format!(
            "{} of {} seats are sold",
            grouped(now.sold),
            grouped(capacity)
        ));
    }
    format!("{}.", parts.join(", "))
}

pub(super) fn happened(event: &EventLine) -> String {
    format!("{}: {}.", event.actor, event.text.trim_end_matches('.'))
}
