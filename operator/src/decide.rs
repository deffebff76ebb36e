//! What one look decides, from what it saw: pure, like core, of which it is the part that speaks of
//! workloads. Time and observations come in; words, wishes and figures go out.

use crate::control_api::{SaleState, Word};
use crate::mapping::{self, millis, time};
use crate::targets::{Claim, Step, Target, Wish};
use std::collections::{BTreeMap, HashMap};
use urr_api::spec::{TargetSpec, WhenClosed, WhenShort};
use urr_api::status::TargetStatus;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::plan::{Observed, Plan, REPLICAS_AT_REST, Terms, wants_capacity, warm_at};
use urr_core::sale::{Phase, Sale};
use urr_core::scaling::{self, Turn};
use urr_core::time::Millis;
use urr_core::{gate, lead};

/// Why the line is held when the gate is shut. Compared with what the control plane has, so its words
/// are a wire format.
pub const GATE: &str = "capacity.whenShort is Hold and capacity for the whole rate is not ready";
/// Why it is held when the spec says so.
pub const HOLD: &str = "spec.hold is set";

/// Seconds to ready seen in other sales, by target.
pub type Experience = HashMap<String, Vec<u32>>;

/// On which terms the sale is planned: how early its capacity is asked for.
#[must_use]
pub fn terms(spec: &TicketSaleSpec, shown: Option<&TicketSaleStatus>, elsewhere: &Experience) -> Terms {
    let mut stages: BTreeMap<i32, Vec<Vec<u32>>> = BTreeMap::new();
    for target in &spec.targets {
        let samples = samples(shown, elsewhere, &target.name);
        stages.entry(target.stage).or_default().push(samples);
    }
    let batches: Vec<_> = stages.into_values().collect();
    let least = u32::try_from(spec.capacity.lead_seconds).unwrap_or(0);
    let lead = i64::from(lead::lead_s(&batches, least));
    // What was asked for on a longer lead is not given back because one learned that less will do.
    let begun = shown.is_some_and(|status| status.targets.iter().any(|target| target.before.is_some()));
    let shown_lead = shown.and_then(|status| status.lead_seconds).unwrap_or(0);
    let warm_up_s = if begun {
        lead.max(i64::from(shown_lead))
    } else {
        lead
    };
    Terms { warm_up_s }
}

fn samples(shown: Option<&TicketSaleStatus>, elsewhere: &Experience, target: &str) -> Vec<u32> {
    let mut all = learned(shown, target);
    all.extend(elsewhere.get(target).into_iter().flatten());
    all
}

fn learned(shown: Option<&TicketSaleStatus>, target: &str) -> Vec<u32> {
    shown_target(shown, target)
        .map(|target| target.learned_seconds.iter().copied())
        .into_iter()
        .flatten()
        .filter_map(|seconds| u32::try_from(seconds).ok())
        .collect()
}

fn shown_target<'a>(shown: Option<&'a TicketSaleStatus>, name: &str) -> Option<&'a TargetStatus> {
    shown?.targets.iter().find(|target| target.name == name)
}

/// What was there before, as the status remembers it.
#[must_use]
pub fn remembered(shown: Option<&TicketSaleStatus>, target: &str) -> Option<u32> {
    shown_target(shown, target)?
        .before
        .and_then(|before| u32::try_from(before).ok())
}

/// Units of capacity that are ready: the fewest of all targets.
#[must_use]
pub fn ready_units(specs: &[TargetSpec], sale: &Sale, targets: &[Target], is_missing: bool) -> u32 {
    if is_missing {
        return 0;
    }
    let of_target = |target: &Target| {
        let size = specs
            .iter()
            .find(|spec| spec.name == target.name)
            .map(mapping::size);
        size.map(|size| scaling::units(size, target.ready, &sale.capacity))
    };
    targets
        .iter()
        .filter_map(of_target)
        .min()
        // Nothing to scale: capacity is somebody else's and counts as there.
        .unwrap_or(sale.capacity.replicas)
}

/// What to say to the control plane. `known` is what it has of the sale.
#[must_use]
pub fn word(
    spec: &TicketSaleSpec,
    sale: &Sale,
    ready_units: u32,
    known: Option<&SaleState>,
    now: Millis,
) -> Word {
    let was_shut = known
        .and_then(|state| state.held.as_deref())
        .is_some_and(|held| held.contains(GATE));
    let shut = spec.capacity.when_short == WhenShort::Hold
        && gate::is_shut(sale, ready_units, was_shut, known.is_some(), now);
    let held = match (spec.hold, shut) {
        (false, false) => None,
        (true, false) => Some(HOLD.to_owned()),
        (false, true) => Some(GATE.to_owned()),
        (true, true) => Some(format!("{HOLD}; {GATE}")),
    };
    Word { ready_units, held }
}

/// What the sale wants of each of `targets`, in their order.
#[must_use]
pub fn wishes(
    name: &str,
    spec: &TicketSaleSpec,
    sale: &Sale,
    targets: &[Target],
    (terms, observed, plan): (Terms, &Observed, &Plan),
    now: Millis,
) -> Vec<Wish> {
    let spec_of = |target: &Target| spec.targets.iter().find(|spec| spec.name == target.name);
    let base_of = |target: &Target| {
        spec_of(target)
            .and_then(|spec| spec.base)
            .and_then(|base| u32::try_from(base).ok())
    };
    if !wants_capacity(terms, sale, observed, now) {
        let kept_until = kept_until(spec, sale);
        let wish = |target: &Target| match (plan.phase, spec.completion.when_closed) {
            // The rate in force still needs it.
            _ if plan.replicas > REPLICAS_AT_REST => Wish::Stay,
            (Phase::Closed, _) if now < kept_until => Wish::Stay,
            (Phase::Closed, WhenClosed::Keep) => Wish::LetGo,
            (Phase::SoldOut, WhenClosed::Keep) => Wish::Stay,
            _ => Wish::GiveBack {
                base: base_of(target),
            },
        };
        return targets.iter().map(wish).collect();
    }
    let rate = observed
        .hand
        .rate_per_s
        .unwrap_or(0)
        .max(sale.admission.rate_per_s);
    let wanted: Vec<u32> = targets
        .iter()
        .map(|target| {
            let size = spec_of(target).map(mapping::size);
            size.map_or(0, |size| {
                scaling::replicas(size, plan.replicas, rate, &sale.capacity)
            })
        })
        .collect();
    let turns: Vec<Turn> = targets
        .iter()
        .zip(&wanted)
        .map(|(target, wanted)| Turn {
            stage: spec_of(target).map_or(0, |spec| spec.stage.unsigned_abs()),
            was_asked: target.claim_of(name).is_some(),
            is_ready: target.ready >= target.moves.bounded(*wanted),
        })
        .collect();
    let turns = scaling::their_turn(&turns).into_iter();
    turns
        .zip(wanted)
        .map(|(turn, wanted)| {
            if turn {
                Wish::Have(wanted)
            } else {
                Wish::HaveLater(wanted)
            }
        })
        .collect()
}

/// Until when capacity stays after the closing.
fn kept_until(spec: &TicketSaleSpec, sale: &Sale) -> Millis {
    sale.schedule
        .closes_at
        .plus_s(i64::from(spec.completion.keep_capacity_seconds))
}

/// The boundaries of the schedule, in order, with the phase that begins.
#[must_use]
pub fn boundaries(spec: &TicketSaleSpec, sale: &Sale, terms: Terms) -> Vec<(&'static str, Millis)> {
    let schedule = &sale.schedule;
    let mut all = vec![
        ("PreScaling", warm_at(sale, terms)),
        ("PreQueue", schedule.pre_queue_at),
        ("Open", schedule.opens_at),
        ("Closed", schedule.closes_at),
    ];
    if spec.completion.keep_capacity_seconds > 0 {
        all.push(("Restoring", kept_until(spec, sale)));
    }
    all
}

/// The boundary that was reached since the status was written and is acted on at `now`: its name and
/// how late that is, in milliseconds. The status knows for which instant it waited, so this holds across
/// restarts; the earliest counts when there are several.
#[must_use]
pub fn reached(
    boundaries: &[(&'static str, Millis)],
    shown: Option<&TicketSaleStatus>,
    now: Millis,
) -> Option<(&'static str, i64)> {
    let waited_for = shown?.next_transition_at.as_ref()?;
    boundaries
        .iter()
        // The status keeps whole seconds.
        .filter(|(_, at)| millis(&time(*at)) >= millis(waited_for) && *at <= now)
        .min_by_key(|(_, at)| *at)
        .map(|(name, at)| (*name, now.since(*at)))
}

/// When to look again at the latest: the next boundary, or the gate's.
#[must_use]
pub fn next_due(
    boundaries: &[(&'static str, Millis)],
    spec: &TicketSaleSpec,
    sale: &Sale,
    now: Millis,
) -> Option<Millis> {
    let gate = (spec.capacity.when_short == WhenShort::Hold).then(|| gate::decided_at(sale));
    boundaries
        .iter()
        .map(|(_, at)| *at)
        .chain(gate)
        .filter(|at| *at > now)
        .min()
}

/// A target after its step, for the status. `watched_since`: from when on this process has seen
/// everything; a time to ready that began before teaches nothing.
#[must_use]
pub fn target_status(
    target: &Target,
    (wish, step): (Wish, Step),
    name: &str,
    shown: Option<&TicketSaleStatus>,
    elsewhere: &Experience,
    (watched_since, now): (Millis, Millis),
) -> TargetStatus {
    let old = shown_target(shown, &target.name);
    let (count, claim) = match step {
        Step::Scale { to, before, asked_at } => (to, Some((before, asked_at))),
        Step::Restore { to } => (to, None),
        Step::Leave => (target.count, None),
        Step::Keep | Step::Wait | Step::Conflict => (
            target.count,
            target
                .claim_of(name)
                .map(|Claim { before, asked_at, .. }| (*before, *asked_at)),
        ),
    };
    let before = claim.map(|(before, _)| before);
    let wanted = match wish {
        Wish::Have(wanted) | Wish::HaveLater(wanted) => wanted.max(before.unwrap_or(0)),
        Wish::Stay | Wish::GiveBack { .. } | Wish::LetGo => count,
    };
    let mut learned = match old {
        Some(_) => learned(shown, &target.name),
        // A new sale begins with what the others have seen; they may be gone when its time comes.
        None => elsewhere
            .get(&target.name)
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .fold(Vec::new(), lead::with_sample),
    };
    let asked = claim.and_then(|(_, asked_at)| asked_at);
    let asked_at = match asked {
        Some(at) => Some(time(at)),
        None => old.and_then(|old| old.asked_at.clone()),
    };
    let same_run = old.is_some_and(|old| old.asked_at == asked_at);
    let known = old.filter(|_| same_run).and_then(|old| old.ready_seconds);
    let is_ready = step == Step::Keep && target.ready >= target.moves.bounded(wanted);
    let ready_seconds = match (known, asked) {
        (Some(seconds), _) => Some(seconds),
        (None, Some(at)) if is_ready => {
            let seconds = u32::try_from((now.since(at).max(0) + 999) / 1000).unwrap_or(u32::MAX);
            if watched_since <= at && before.is_some_and(|before| before < wanted) {
                learned = lead::with_sample(learned, seconds);
            }
            i32::try_from(seconds).ok()
        }
        (None, _) => None,
    };
    TargetStatus {
        name: target.name.clone(),
        desired: signed(wanted),
        ready: signed(target.ready),
        before: before.map(signed),
        asked_at,
        ready_seconds,
        learned_seconds: learned.into_iter().map(signed).collect(),
    }
}

fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// How long before the pre-queue capacity is ready, in seconds; as it was for what is past.
#[must_use]
pub fn slack_s(
    sale: &Sale,
    targets: &[TargetStatus],
    shown: Option<&TicketSaleStatus>,
    elsewhere: &Experience,
) -> Option<i64> {
    let before = shown.and_then(|status| status.slack_seconds);
    let ready_at = |target: &TargetStatus| {
        let asked = millis(target.asked_at.as_ref()?);
        let needs = match target.ready_seconds {
            Some(seconds) => i64::from(seconds),
            None => i64::from(lead::p95(&samples(shown, elsewhere, &target.name)).unwrap_or(0)),
        };
        Some((asked, asked.plus_s(needs)))
    };
    let (asked, ready) = targets
        .iter()
        .filter_map(ready_at)
        .max_by_key(|(_, ready)| *ready)?;
    let pre_queue_at = sale.schedule.pre_queue_at;
    match before {
        // What is asked for in mid-sale says nothing about how the sale was prepared.
        Some(slack) if asked > pre_queue_at => Some(slack),
        _ => Some(pre_queue_at.since(ready).div_euclid(1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use crate::targets::Moves;

    const NAME: &str = "club-night";

    fn target(name: &str, count: u32, ready: u32, before: Option<u32>, asked_at: Millis) -> Target {
        let claim = before.map(|before| Claim {
            sale: NAME.into(),
            before,
            asked_at: Some(asked_at),
        });
        Target {
            name: name.into(),
            moves: Moves::Replicas,
            count,
            ready,
            claim,
        }
    }

    fn learning(seconds: &[i32]) -> TicketSaleStatus {
        let of = |name: &str| TargetStatus {
            name: name.into(),
            learned_seconds: seconds.to_vec(),
            ..TargetStatus::default()
        };
        TicketSaleStatus {
            targets: vec![of("booking"), of("payment")],
            ..TicketSaleStatus::default()
        }
    }

    #[test]
    fn the_lead_is_what_was_learned_batch_after_batch_but_never_less_than_said() {
        let mut spec = spec();
        spec.capacity.lead_seconds = 60;
        let lead = |spec: &TicketSaleSpec, shown| terms(spec, Some(&shown), &Experience::default()).warm_up_s;
        assert_eq!(lead(&spec, learning(&[])), 60);
        assert_eq!(lead(&spec, learning(&[100])), 125, "both at once");
        spec.targets[1].stage = 1;
        assert_eq!(lead(&spec, learning(&[100])), 250, "one after the other");
        let mut begun = learning(&[10]);
        begun.targets[0].before = Some(1);
        begun.lead_seconds = Some(250);
        assert_eq!(lead(&spec, begun), 250, "what was asked for is not given back");
        let elsewhere = Experience::from([("booking".to_owned(), vec![400])]);
        assert_eq!(terms(&spec, None, &elsewhere).warm_up_s, 500);
    }

    #[test]
    fn the_gate_is_kept_shut_by_its_own_word_and_a_hold_is_not_a_gate() {
        let mut spec = spec();
        let sale = mapping::sale(NAME, &spec).unwrap();
        let opens = sale.schedule.opens_at;
        let state = |held: Option<&str>| -> SaleState {
            serde_json::from_value(serde_json::json!({
                "hand": {}, "held": held, "readyReplicas": 1, "plan": null, "problems": []
            }))
            .unwrap()
        };
        let held = |spec: &TicketSaleSpec, ready, was: Option<&str>, at| {
            word(spec, &sale, ready, Some(&state(was)), at).held
        };
        assert_eq!(held(&spec, 1, None, opens.plus_ms(-1)), None, "OpenSlower");
        spec.capacity.when_short = WhenShort::Hold;
        assert_eq!(held(&spec, 1, None, opens.plus_ms(-1)).as_deref(), Some(GATE));
        assert_eq!(held(&spec, 4, Some(GATE), opens), None);
        assert_eq!(held(&spec, 1, Some(HOLD), opens), None, "it had opened");
        spec.hold = true;
        let both = held(&spec, 1, None, opens.plus_ms(-1)).unwrap();
        spec.hold = false;
        assert_eq!(
            held(&spec, 1, Some(&both), opens.plus_s(5)).as_deref(),
            Some(GATE)
        );
    }

    #[test]
    fn a_time_to_ready_is_learned_once_and_only_by_who_watched_it() {
        let asked = Millis(1_000_000);
        let now = asked.plus_ms(7300);
        let scaled = target("booking", 4, 4, Some(1), asked);
        let status = |shown: Option<&TicketSaleStatus>, watched_since, now| {
            let decided = (Wish::Have(4), Step::Keep);
            target_status(
                &scaled,
                decided,
                NAME,
                shown,
                &Experience::default(),
                (watched_since, now),
            )
        };
        let first = status(None, Millis(0), now);
        assert_eq!(
            (first.ready_seconds, &first.learned_seconds[..]),
            (Some(8), &[8][..])
        );
        let shown = TicketSaleStatus {
            targets: vec![first.clone()],
            ..TicketSaleStatus::default()
        };
        assert_eq!(status(Some(&shown), Millis(0), now.plus_s(60)), first);
        let restarted = status(None, asked.plus_ms(1), now);
        assert_eq!(
            (restarted.ready_seconds, restarted.learned_seconds.len()),
            (Some(8), 0)
        );
    }

    #[test]
    fn a_boundary_counts_as_reached_until_the_status_waits_for_the_next() {
        let spec = spec();
        let sale = mapping::sale(NAME, &spec).unwrap();
        let all = boundaries(&spec, &sale, Terms::default());
        let opens = sale.schedule.opens_at;
        let waiting_for = |at| TicketSaleStatus {
            next_transition_at: Some(time(at)),
            ..TicketSaleStatus::default()
        };
        let now = opens.plus_ms(120);
        assert_eq!(reached(&all, Some(&waiting_for(opens)), now), Some(("Open", 120)));
        assert_eq!(
            reached(&all, Some(&waiting_for(sale.schedule.closes_at)), now),
            None
        );
        assert_eq!(reached(&all, None, now), None);
        let slept = reached(&all, Some(&waiting_for(sale.schedule.pre_queue_at)), now);
        assert_eq!(slept, Some(("PreQueue", 300_120)), "two at once: the earlier");
    }
}
