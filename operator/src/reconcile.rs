//! One look at one `TicketSale`: observe, plan, apply, report.

use crate::control_api::{ControlApi, ControlError, SaleState, Word};
use crate::decide::{self, Experience};
use crate::events::{self, Happening, Teller};
use crate::health::{CONTROL, Gates};
use crate::lease::{Claim as Leadership, NotLeading};
use crate::mapping;
use crate::reports::Reports;
use crate::status::{self, Findings};
use crate::targets::{ApplyError, FIELD_MANAGER, Step, Target, Wish, Workloads, step};
use chrono::Utc;
use kube::api::{Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, Event, finalizer};
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::plan::{AppliedLimits, Observed, Terms, plan_on, warm_at};
use urr_core::sale::{Phase, Problem, Sale};
use urr_core::time::Millis;

/// Keeps a sale's object until its room is closed and its capacity given back.
const FINALIZER: &str = "urr.guru/close-room";
/// While something is missing, look again this soon.
const PERIOD_UNREADY: Duration = Duration::from_secs(2);
/// While a sale is near or open: readiness must reach the control plane quickly. Watches report
/// it too; this is for the one that was lost.
const PERIOD_NEAR: Duration = Duration::from_secs(10);
/// Otherwise.
const PERIOD_FAR: Duration = Duration::from_secs(300);
/// A requeue never comes at once: what is due is due after a breath.
const REQUEUE_MIN: Duration = Duration::from_millis(5);

/// A sale, or what of it can be read: one that cannot stops no other.
pub type Guarded = DeserializeGuard<TicketSale>;

/// What a look needs.
pub struct Context {
    client: Client,
    control: ControlApi,
    known: Store<Guarded>,
    reports: Reports,
    leadership: Leadership,
    teller: Teller,
    gates: Gates,
    /// From here on this process has seen everything.
    since: Millis,
}

impl Context {
    /// Looks through `client` at the cluster, and steers through `control`, while `leadership` lasts.
    /// `known` are the sales there are.
    #[must_use]
    pub fn new(
        client: Client,
        control: ControlApi,
        known: Store<Guarded>,
        leadership: Leadership,
        teller: Teller,
        gates: Gates,
    ) -> Self {
        Self {
            client,
            control,
            known,
            reports: Reports::default(),
            leadership,
            teller,
            gates,
            since: now(),
        }
    }
}

/// Why a look failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error("the cluster's API did not do it")]
    Kube(#[from] kube::Error),
    /// The control API, while closing a sale: the object stays until it answers.
    #[error("the sale could not be closed")]
    Close(#[source] ControlError),
    /// Nothing was written.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// The finalizer could not be set or removed.
    #[error("the finalizer could not be changed")]
    Finalizer(#[source] Box<finalizer::Error<Self>>),
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Kube(error) => Self::Kube(error),
            ApplyError::NotLeading(error) => Self::NotLeading(error),
        }
    }
}

/// Looks at `sale` once.
///
/// # Errors
/// [`Error`].
pub async fn reconcile(sale: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let sale = match &sale.0 {
        Ok(sale) => Arc::new(sale.clone()),
        Err(unreadable) => {
            let name = unreadable.metadata.name.as_deref().unwrap_or_default();
            metrics::counter!("operator_unreadable_sales_total").increment(1);
            tracing::error!(sale = name, error = %unreadable, "this TicketSale cannot be read: it is left alone");
            return Ok(Action::await_change());
        }
    };
    // Also before the finalizer's own writes.
    context.leadership.check()?;
    let sales = Api::namespaced(context.client.clone(), &sale.namespace().unwrap_or_default());
    let look = |event: Event<TicketSale>| async {
        match event {
            Event::Apply(sale) if sale.spec.abort => context.abort(&sale).await,
            Event::Apply(sale) => context.keep(&sale).await,
            Event::Cleanup(sale) => context.close(&sale).await,
        }
    };
    let looked = finalizer(&sales, FINALIZER, sale, look).await;
    let outcome = if looked.is_ok() { "done" } else { "failed" };
    metrics::counter!("operator_looks_total", "outcome" => outcome).increment(1);
    looked.map_err(|error| Error::Finalizer(Box::new(error)))
}

/// After an error: soon, whatever it was; a sale does not wait for a back-off to grow.
#[must_use]
pub fn on_error(sale: &Guarded, error: &Error) -> Action {
    tracing::warn!(
        sale = sale.name_any(),
        error = chain(error),
        "looking at the sale failed"
    );
    Action::requeue(PERIOD_UNREADY)
}

/// What a look saw of the cluster.
struct Seen {
    targets: Vec<Target>,
    missing: Vec<String>,
}

/// A workload with what is wanted of it and what that leads to.
type Decided = (Target, Wish, Step);

impl Context {
    async fn keep(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let sale = match mapping::sale(&name, &object.spec) {
            Ok(sale) => sale,
            Err(problems) => return self.refuse(object, &problems).await,
        };
        if let Some(rival) = self.rival(object) {
            return self.give_way(object, &rival).await;
        }
        let elsewhere = self.experience(object);
        let terms = decide::terms(&object.spec, shown.as_ref(), &elsewhere);
        let seen = self.observe(object).await?;
        let ready_units = self.ready_units(object, &sale, &seen, terms);
        // The control plane learns of readiness first: the rate follows capacity, both ways.
        let (word, mut control) = self.tell(object, &sale, ready_units).await;
        let now = now();
        let observed = observed(&word, control.as_ref().ok());
        let plan = plan_on(terms, &sale, &observed, now);
        let wishes = decide::wishes(
            &name,
            &object.spec,
            &sale,
            &seen.targets,
            (terms, &observed, &plan),
            now,
        );
        let mut decided = decided(&name, seen.targets, wishes, shown.as_ref(), now);
        if decided.iter().any(|(target, _, step)| step.shrinks(target)) {
            control = self.put(&sale, &word).await;
            hold_on_to(&mut decided, control.as_ref().ok());
        }
        let mut happened = self.scale(object, &decided, shown.as_ref()).await?;

        let boundaries = decide::boundaries(&object.spec, &sale, terms);
        let next = decide::next_due(&boundaries, &object.spec, &sale, now);
        let reached = decide::reached(&boundaries, shown.as_ref(), now);
        let stamp = (self.since, now);
        let targets: Vec<_> = decided
            .iter()
            .map(|(target, wish, step)| {
                decide::target_status(target, (*wish, *step), &name, shown.as_ref(), &elsewhere, stamp)
            })
            .collect();
        let found = Findings {
            generation: object.metadata.generation,
            plan: &plan,
            is_warming: now >= warm_at(&sale, terms),
            slack_s: decide::slack_s(&sale, &targets, shown.as_ref(), &elsewhere),
            targets,
            ready_units,
            missing: &seen.missing,
            conflicting_targets: &conflicts(&decided),
            capped: &capped(&decided),
            not_done: &mapping::not_done(&object.spec),
            held: word.held.as_deref(),
            control: control.as_ref(),
            next_transition_at: boundaries.iter().map(|(_, at)| *at).filter(|at| *at > now).min(),
            lead_s: terms.warm_up_s,
            reached,
        };
        let status = status::compute(shown.as_ref(), &found, now);
        let lacks = found.targets.iter().any(|target| target.ready < target.desired);
        let in_order = !lacks && found.missing.is_empty() && control.is_ok();
        if let Some((boundary, late_ms)) = reached {
            #[expect(clippy::cast_precision_loss, reason = "a histogram's value; seconds at most")]
            metrics::histogram!("operator_lateness_ms", "boundary" => boundary).record(late_ms as f64);
        }
        if let Some(slack) = found.slack_s {
            #[expect(clippy::cast_precision_loss, reason = "a gauge's value; days at most")]
            metrics::gauge!("operator_slack_seconds", "sale" => name).set(slack as f64);
        }
        happened.extend(events::transitions(shown.as_ref(), &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(wake_after(plan.phase, next, in_order, now)))
    }

    async fn observe(&self, object: &TicketSale) -> Result<Seen, Error> {
        let (targets, missing) = self.workloads(object).observe(&object.spec.targets).await?;
        Ok(Seen { targets, missing })
    }

    /// What another sale has scaled is that sale's: inside our window it bears nothing of ours.
    fn ready_units(&self, object: &TicketSale, sale: &Sale, seen: &Seen, terms: Terms) -> u32 {
        let name = object.name_any();
        let is_others = |target: &Target| target.claim.is_some() && target.claim_of(&name).is_none();
        let is_inside = now() >= warm_at(sale, terms);
        if is_inside && seen.targets.iter().any(is_others) {
            return 0;
        }
        let is_missing = !seen.missing.is_empty();
        decide::ready_units(&object.spec.targets, sale, &seen.targets, is_missing)
    }

    /// Says what is ready and whether the line is held, if that is news. What the control plane has of
    /// the sale decides; nothing is remembered here.
    async fn tell(
        &self,
        object: &TicketSale,
        sale: &Sale,
        ready_units: u32,
    ) -> (Word, Result<SaleState, ControlError>) {
        let known = self.control.get(sale.id).await;
        self.heard(&known);
        let word = |known| decide::word(&object.spec, sale, ready_units, known, now());
        let known = match known {
            Ok(known) => known,
            Err(error) => return (word(None), Err(error)),
        };
        let word = word(known.as_ref());
        let Some(known) = known else {
            let state = self.put(sale, &word).await;
            return (word, state);
        };
        // A new leader makes itself heard at once: from then on its predecessor is not.
        let is_new = self
            .leadership
            .check()
            .is_ok_and(|term| known.operator_term != term);
        let is_news = is_new || known.ready_replicas != Some(word.ready_units) || known.held != word.held;
        let same_sale = serde_json::to_value(sale).is_ok_and(|sale| sale == known.sale);
        let state = match (same_sale, is_news) {
            (true, false) => Ok(known),
            (true, true) => self.say(sale, &word).await,
            (false, _) => match self.put(sale, &word).await {
                // What it does not take of the sale must not keep it from hearing what is ready.
                Err(refused @ ControlError::Refused { .. }) if is_news => {
                    let _ = self.say(sale, &word).await;
                    Err(refused)
                }
                state => state,
            },
        };
        (word, state)
    }

    async fn put(&self, sale: &Sale, word: &Word) -> Result<SaleState, ControlError> {
        let term = self.leadership.check().map_err(ControlError::NotLeading)?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let state = self.control.put(sale, word, term).await;
        self.heard(&state);
        state
    }

    async fn say(&self, sale: &Sale, word: &Word) -> Result<SaleState, ControlError> {
        let term = self.leadership.check().map_err(ControlError::NotLeading)?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let state = self.control.report(sale.id, word, term).await;
        self.heard(&state);
        state
    }

    fn heard<T>(&self, answer: &Result<T, ControlError>) {
        match answer {
            Err(ControlError::Unreachable(error)) => self.gates.shut(CONTROL, chain(error)),
            Err(ControlError::Failed { status, .. }) => {
                self.gates.shut(CONTROL, format!("it answers {status}"));
            }
            Ok(_) | Err(ControlError::Refused { .. } | ControlError::NotLeading(_)) => {
                self.gates.open(CONTROL);
            }
        }
    }

    /// Returns what happened.
    async fn scale(
        &self,
        object: &TicketSale,
        decided: &[Decided],
        shown: Option<&TicketSaleStatus>,
    ) -> Result<Vec<Happening>, Error> {
        let (workloads, name) = (self.workloads(object), object.name_any());
        let mut happened = Vec::new();
        for (target, wish, step) in decided {
            workloads.apply(target, &name, *step, &self.leadership).await?;
            let was_so = |desired: u32| {
                let shown = shown.into_iter().flat_map(|status| &status.targets);
                let mut same = shown.filter(|old| old.name == target.name && old.before.is_some());
                same.any(|old| u32::try_from(old.desired) == Ok(desired))
            };
            let drifted = matches!((wish, step), (Wish::Have(_), Step::Scale { to, .. }) if was_so(*to));
            happened.extend(Happening::of_step(target, *step, drifted));
        }
        Ok(happened)
    }

    /// Ends the sale for good: the room is closed, then capacity goes back.
    async fn abort(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        if !is_aborted(shown.as_ref()) && self.rival(object).is_none() {
            self.close_room(object, "spec.abort is set").await?;
        }
        let targets = self.observe(object).await?.targets;
        let decided = given_back(&name, object, targets, shown.as_ref());
        let mut happened = self.scale(object, &decided, shown.as_ref()).await?;
        let now = now();
        let targets = decided
            .iter()
            .map(|(target, wish, step)| {
                let nothing = Experience::new();
                let stamp = (self.since, now);
                decide::target_status(target, (*wish, *step), &name, shown.as_ref(), &nothing, stamp)
            })
            .collect();
        let status = status::aborted(shown.as_ref(), object.metadata.generation, targets, now);
        happened.extend(events::transitions(shown.as_ref(), &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(PERIOD_FAR))
    }

    async fn close(&self, object: &TicketSale) -> Result<Action, Error> {
        let shown = self.reports.newest(object);
        // One that gave way, or has ended already, has no room: the event is somebody else's by now.
        if !is_aborted(shown.as_ref()) && self.rival(object).is_none() {
            self.close_room(object, "the TicketSale was deleted").await?;
        }
        // The rate is down; now capacity may go.
        let targets = self.observe(object).await?.targets;
        let decided = given_back(&object.name_any(), object, targets, shown.as_ref());
        let happened = self.scale(object, &decided, shown.as_ref()).await?;
        self.teller.tell(object, &happened).await;
        self.leadership.check()?;
        self.reports.forget(object);
        Ok(Action::await_change())
    }

    async fn close_room(&self, object: &TicketSale, reason: &str) -> Result<(), Error> {
        // An id that is none was never put anywhere.
        let Ok(id) = object.spec.event_id.parse() else {
            return Ok(());
        };
        let term = self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let closed = self.control.delete(id, reason, term).await;
        self.heard(&closed);
        if closed.map_err(Error::Close)? {
            return Ok(());
        }
        Err(Error::Close(ControlError::Failed {
            status: reqwest::StatusCode::ACCEPTED,
            message: "the room is being closed".to_owned(),
        }))
    }

    async fn refuse(&self, object: &TicketSale, problems: &[Problem]) -> Result<Action, Error> {
        let generation = object.metadata.generation;
        let shown = self.reports.newest(object);
        let status = status::refused(shown.as_ref(), generation, problems, now());
        let happened = events::transitions(shown.as_ref(), &status);
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::await_change())
    }

    /// The event is another sale's: nothing is done for this one until that is gone.
    async fn give_way(&self, object: &TicketSale, rival: &str) -> Result<Action, Error> {
        let problem = Problem {
            field: "eventId".to_owned(),
            problem: format!("is sold by the TicketSale {rival} already"),
            remedy: "delete one of them".to_owned(),
        };
        self.refuse(object, &[problem]).await?;
        Ok(Action::requeue(PERIOD_NEAR))
    }

    /// The sale that sells the same event and was there first.
    fn rival(&self, object: &TicketSale) -> Option<String> {
        let age = |sale: &TicketSale| {
            let made = sale.meta().creation_timestamp.as_ref().map(|time| time.0);
            (made, sale.uid())
        };
        let known = self.known.state();
        known
            .iter()
            .filter_map(|other| other.0.as_ref().ok())
            .filter(|other| other.spec.event_id == object.spec.event_id && other.uid() != object.uid())
            .filter(|other| age(other) < age(object))
            .filter(|other| !is_aborted(self.reports.newest(other).as_ref()))
            .map(|other| format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()))
            .min()
    }

    /// Seconds to ready that the other sales of the namespace have seen of the same targets.
    fn experience(&self, object: &TicketSale) -> Experience {
        let is_named = |name: &str| object.spec.targets.iter().any(|target| target.name == name);
        let (here, known) = (object.meta(), self.known.state());
        let mut all = Experience::new();
        for other in known.iter().filter_map(|other| other.0.as_ref().ok()) {
            let there = other.meta();
            if there.uid == here.uid || there.namespace != here.namespace {
                continue;
            }
            let targets = other.status.iter().flat_map(|status| &status.targets);
            for target in targets.filter(|target| is_named(&target.name)) {
                let seconds = target.learned_seconds.iter();
                let samples = all.entry(target.name.clone()).or_default();
                samples.extend(seconds.filter_map(|seconds| u32::try_from(*seconds).ok()));
            }
        }
        all
    }

    async fn report(&self, object: &TicketSale, status: TicketSaleStatus) -> Result<(), Error> {
        if self.reports.newest(object).as_ref() == Some(&status) {
            return Ok(());
        }
        self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "status").increment(1);
        let namespace = object.namespace().unwrap_or_default();
        let sales: Api<TicketSale> = Api::namespaced(self.client.clone(), &namespace);
        let patch = json!({"apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "status": status});
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = sales
            .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
            .await?;
        self.reports.remember(written);
        Ok(())
    }

    fn workloads(&self, object: &TicketSale) -> Workloads {
        Workloads::of(&self.client, &object.namespace().unwrap_or_default())
    }
}

fn is_aborted(shown: Option<&TicketSaleStatus>) -> bool {
    shown.and_then(|status| status.phase.as_deref()) == Some(status::ABORTED)
}

fn decided(
    name: &str,
    targets: Vec<Target>,
    wishes: Vec<Wish>,
    shown: Option<&TicketSaleStatus>,
    now: Millis,
) -> Vec<Decided> {
    let decide = |(target, wish): (Target, Wish)| {
        let remembered = decide::remembered(shown, &target.name);
        let step = step(&target, name, wish, remembered, now);
        (target, wish, step)
    };
    targets.into_iter().zip(wishes).map(decide).collect()
}

/// For a sale that ends: what there was, or its base.
fn given_back(
    name: &str,
    object: &TicketSale,
    targets: Vec<Target>,
    shown: Option<&TicketSaleStatus>,
) -> Vec<Decided> {
    let base = |target: &Target| {
        let specs = &object.spec.targets;
        let base = specs.iter().find(|spec| spec.name == target.name)?.base?;
        u32::try_from(base).ok()
    };
    let wishes = targets
        .iter()
        .map(|target| Wish::GiveBack { base: base(target) })
        .collect();
    decided(name, targets, wishes, shown, now())
}

/// Without the control plane's word that its plan is in force nothing is taken away: the rate may still
/// need it.
fn hold_on_to(decided: &mut [Decided], control: Option<&SaleState>) {
    if control.is_some_and(|state| state.plan.is_some()) {
        return;
    }
    for (target, _, step) in decided {
        if step.shrinks(target) {
            *step = Step::Keep;
        }
    }
}

fn conflicts(decided: &[Decided]) -> Vec<String> {
    let theirs = decided.iter().filter(|(_, _, step)| *step == Step::Conflict);
    theirs.map(|(target, ..)| target.name.clone()).collect()
}

fn capped(decided: &[Decided]) -> Vec<(String, u32)> {
    let is_capped = |(target, wish, _): &Decided| match wish {
        Wish::Have(wanted) | Wish::HaveLater(wanted) => {
            let had = target.moves.bounded(*wanted);
            (had < *wanted).then(|| (target.name.clone(), had))
        }
        Wish::Stay | Wish::GiveBack { .. } | Wish::LetGo => None,
    };
    decided.iter().filter_map(is_capped).collect()
}

/// What core plans on: the cluster as seen, and the control plane's word for what is in force.
fn observed(word: &Word, control: Option<&SaleState>) -> Observed {
    let in_force = control.and_then(|state| state.plan.as_ref());
    let mut hand = control.map(|state| state.hand).unwrap_or_default();
    hand.paused |= word.held.is_some();
    Observed {
        ready_replicas: word.ready_units,
        sold_out: in_force.is_some_and(|plan| plan.phase == Phase::SoldOut),
        hand,
        room: None,
        limits: in_force.map(|plan| AppliedLimits {
            rate_per_s: plan.limits.rate_per_s,
            cap: plan.limits.cap,
            paused: plan.limits.paused,
        }),
        // The door's pace is the control plane's business.
        turnout: None,
    }
}

fn wake_after(phase: Phase, next: Option<Millis>, in_order: bool, now: Millis) -> Duration {
    let period = match (in_order, phase) {
        (false, _) => PERIOD_UNREADY,
        (true, Phase::Scheduled | Phase::Closed) => PERIOD_FAR,
        (true, _) => PERIOD_NEAR,
    };
    let until_due = next.map_or(Duration::MAX, |at| {
        Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0))
    });
    period.min(until_due).max(REQUEUE_MIN)
}

fn now() -> Millis {
    Millis(Utc::now().timestamp_millis())
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use urr_core::plan::plan;

    #[test]
    fn the_operator_wakes_for_the_next_instant_and_sooner_when_something_is_missing() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let at = |now: Millis, in_order| {
            let observed = Observed {
                ready_replicas: 4,
                ..Observed::default()
            };
            let plan = plan(&sale, &observed, now);
            wake_after(plan.phase, plan.next_transition_at, in_order, now)
        };
        let opens_at = sale.schedule.opens_at;
        assert_eq!(at(opens_at.plus_s(-86_400), true), PERIOD_FAR);
        assert_eq!(at(opens_at.plus_s(-86_400), false), PERIOD_UNREADY);
        assert_eq!(at(opens_at.plus_ms(-300), true), Duration::from_millis(300));
        assert_eq!(at(opens_at, true), PERIOD_NEAR);
    }
}
