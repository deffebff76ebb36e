//! A hand on the wheel, in two steps: a key or a command makes a [`Proposal`] that shows what it
//! would do, Enter carries it out. Pure; what a change brings is core's forecast, sending is the
//! loop's business.

use super::face::about;
use crate::{
    control::{Action, Override},
    text::grouped,
};
use urr_core::{
    effect::{self, Change, Effect, Flow, Limit},
    sale::Phase,
    snapshot::Snapshot,
};

pub(crate) use urr_core::effect::{set_rate, waiting};

/// Highest rate a person may type: ten times what a whole national ticket office serves
/// (design.md section 5), so anything above is a slip of the finger.
const MOST_RATE_PER_S: u32 = 600_000;

/// A change not yet made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// What would be sent.
    pub(crate) action: Action,
    /// What is set now, to tell old from new, and to go back.
    pub(crate) from: Option<u32>,
    /// What it would change, one sentence each.
    pub(crate) effects: Vec<String>,
    /// Why, in the operator's words.
    pub(crate) reason: Option<String>,
}

impl Proposal {
    /// Pause when moving, resume when paused; refused where the sale is in no state for either.
    pub(crate) fn pause_or_resume(snapshot: &Snapshot, flow: Flow) -> Result<Self, String> {
        let paused = snapshot.phase == Phase::Paused || snapshot.queue.as_ref().is_some_and(|q| q.paused);
        Self::hold(snapshot, flow, !paused)
    }

    /// Hold the line, or let it go.
    pub(crate) fn hold(snapshot: &Snapshot, flow: Flow, pause: bool) -> Result<Self, String> {
        match snapshot.phase {
            Phase::SoldOut => return Err("the sale is sold out: there is no line to hold".to_owned()),
            Phase::Closed => return Err("the sale is closed: there is no line to hold".to_owned()),
            Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused => {}
        }
        let waiting = waiting(snapshot);
        let mut effects = if pause {
            vec![
                format!(
                    "nobody is let in any more; {} people keep their places",
                    grouped(waiting)
                ),
                match &snapshot.queue {
                    Some(q) => format!("the {} inside go on buying", grouped(q.active)),
                    None => "who is inside goes on buying".to_owned(),
                },
            ]
        } else {
            vec![format!("the line moves again; {} people wait", grouped(waiting))]
        };
        let effect = effect::of_hold(snapshot, flow, pause);
        if let Some(wait_s) = effect
            .filter(|_| !pause && waiting > 0)
            .and_then(|e| e.wait_s.then)
        {
            effects.push(format!("the last of them gets in after about {}", about(wait_s)));
        }
        Ok(Self {
            action: if pause { Action::Pause } else { Action::Resume },
            from: None,
            effects,
            reason: None,
        })
    }

    /// The rate by `percent` (e.g. +10 or −10), at least by one.
    pub(crate) fn rate_by(snapshot: &Snapshot, flow: Flow, from: u32, percent: i32) -> Self {
        Self::rate(
            snapshot,
            flow,
            by_percent(from, percent).clamp(1, MOST_RATE_PER_S),
        )
    }

    /// A given rate.
    pub(crate) fn rate(snapshot: &Snapshot, flow: Flow, to: u32) -> Self {
        Self {
            action: Action::Rate(to),
            from: set_rate(snapshot),
            effects: effect::of_rate(snapshot, flow, to)
                .map(|effect| sentences(snapshot, &effect))
                .unwrap_or_default(),
            reason: None,
        }
    }

    /// A given cap.
    pub(crate) fn cap(snapshot: &Snapshot, flow: Flow, to: u32) -> Self {
        let mut effects = Vec::new();
        if let Some(queue) = &snapshot.queue {
            let (active, to) = (queue.active, u64::from(to));
            effects.push(if active > to {
                format!(
                    "{} are inside: nobody is put out, nobody comes in until {} have left",
                    grouped(active),
                    grouped(active - to + 1)
                )
            } else {
                format!(
                    "{} are inside: {} slots are free at once",
                    grouped(active),
                    grouped(to - active)
                )
            });
        }
        if let Some(effect) = effect::of_cap(snapshot, flow, to) {
            effects.extend(sentences(snapshot, &effect));
        }
        Self {
            action: Action::Cap(to),
            from: snapshot.queue.as_ref().map(|q| q.cap),
            effects,
            reason: None,
        }
    }

    /// A typed rate: `1500`, `1,500`, `+10%`, `-50`.
    pub(crate) fn typed_rate(text: &str, snapshot: &Snapshot, flow: Flow) -> Result<Self, String> {
        match number(text, set_rate(snapshot))? {
            0 => Err("a rate of 0 is a pause: use pause, which says so to everybody".to_owned()),
            rate if rate > MOST_RATE_PER_S => Err(format!(
                "the highest rate is {} a second",
                grouped(u64::from(MOST_RATE_PER_S))
            )),
            rate => Ok(Self::rate(snapshot, flow, rate)),
        }
    }

    /// A typed cap, written as a rate is.
    pub(crate) fn typed_cap(text: &str, snapshot: &Snapshot, flow: Flow) -> Result<Self, String> {
        match number(text, snapshot.queue.as_ref().map(|queue| queue.cap))? {
            0 => Err("a cap of 0 is a pause: use pause, which says so to everybody".to_owned()),
            cap => Ok(Self::cap(snapshot, flow, cap)),
        }
    }

    /// What takes this change back once it is made, if anything does.
    pub(crate) fn inverse(&self, snapshot: &Snapshot, flow: Flow) -> Option<Self> {
        let mut back = match (self.action, self.from) {
            (Action::Pause, _) => Self::hold(snapshot, flow, false).ok()?,
            (Action::Resume, _) => Self::hold(snapshot, flow, true).ok()?,
            (Action::Rate(_), Some(rate)) if rate > 0 => Self::rate(snapshot, flow, rate),
            (Action::Cap(_), Some(cap)) => Self::cap(snapshot, flow, cap),
            (Action::Rate(_) | Action::Cap(_), _) => return None,
        };
        back.reason = Some(format!("takes back: {}", self.title()));
        Some(back)
    }

    /// With the operator's own words for the audit log.
    pub(crate) fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason.filter(|reason| !reason.is_empty()).or(self.reason);
        self
    }

    /// Whether it stops people: outside a drill the sale's name is asked for.
    pub(crate) const fn is_severe(&self) -> bool {
        matches!(self.action, Action::Pause)
    }

    /// `rate 200 -> 220 a second`.
    pub(crate) fn title(&self) -> String {
        let old = || {
            self.from
                .map(|f| format!("{} -> ", grouped(u64::from(f))))
                .unwrap_or_default()
        };
        match self.action {
            Action::Pause => "pause the line".to_owned(),
            Action::Resume => "resume the line".to_owned(),
            Action::Rate(to) => format!("rate {}{} a second", old(), grouped(u64::from(to))),
            Action::Cap(to) => format!("cap {}{} inside", old(), grouped(u64::from(to))),
        }
    }

    /// What goes to the control API and into its audit log.
    pub(crate) fn into_override(self, actor: &str) -> Override {
        let reason = match &self.reason {
            Some(reason) => format!("{reason} (from the terminal: {})", self.title()),
            None => format!("from the terminal: {}", self.title()),
        };
        Override {
            reason,
            action: self.action,
            actor: actor.to_owned(),
        }
    }
}

/// What core forecasts, in words.
fn sentences(snapshot: &Snapshot, effect: &Effect) -> Vec<String> {
    let mut lines = Vec::new();
    let people = waiting(snapshot);
    if people == 0 {
        lines.push("nobody waits: no wait changes".to_owned());
    } else {
        let label = format!("last of {} in line gets in after", grouped(people));
        lines.extend(change(&label, effect.wait_s, about));
    }
    lines.extend(change(
        "headroom of ready capacity",
        effect.headroom_percent,
        |p| format!("{p} %"),
    ));
    lines.extend(change("last seat sold in", effect.sold_out_s, about));
    match (effect.limit, effect.admitted_per_s.then) {
        (Limit::Capacity, Some(per_s)) => lines.push(format!(
            "ready capacity bears {} a second: no more is applied",
            grouped(per_s)
        )),
        (Limit::Slots, Some(per_s)) => lines.push(format!(
            "the hall is full: about {} a second get in as slots free up",
            grouped(per_s)
        )),
        (Limit::Slots, None) => {
            lines.push("the hall is full: people get in as slots free up, whatever the rate".to_owned());
        }
        (Limit::Held, _) => lines.push("the line is held: it takes effect with resume".to_owned()),
        (Limit::Rate | Limit::Capacity, _) => {}
    }
    lines
}

/// `label: 34 min -> 27 min`; nothing where nothing is known.
fn change<T: Copy + PartialEq>(label: &str, change: Change<T>, word: fn(T) -> String) -> Option<String> {
    Some(match (change.now, change.then) {
        (None, None) => return None,
        (Some(now), Some(then)) if now == then => format!("{label}: {}, as now", word(then)),
        (Some(now), Some(then)) => format!("{label}: {} -> {}", word(now), word(then)),
        (None, Some(then)) => format!("{label}: ? -> {}", word(then)),
        (Some(now), None) => format!("{label}: {} -> nobody knows", word(now)),
    })
}

fn by_percent(from: u32, percent: i32) -> u32 {
    let step = u64::from(from) * u64::from(percent.unsigned_abs()) / 100;
    let step = u32::try_from(step).unwrap_or(u32::MAX).max(1);
    if percent < 0 {
        from.saturating_sub(step)
    } else {
        from.saturating_add(step)
    }
}

/// A whole number, grouped or not, or a step from `from`: `+50`, `-10%`.
fn number(text: &str, from: Option<u32>) -> Result<u32, String> {
    let nonsense = || format!("\"{text}\" is not a whole number (write 1500, +10% or -50)");
    let digits: String = text.chars().filter(|c| *c != ',').collect();
    let relative = digits.starts_with(['+', '-']);
    if !relative {
        return digits.parse().map_err(|_| nonsense());
    }
    let from = from.ok_or("what is set now is not known: write the figure itself")?;
    match digits.strip_suffix('%') {
        Some(percent) => Ok(by_percent(from, percent.parse().map_err(|_| nonsense())?)),
        None => {
            let step: i32 = digits.parse().map_err(|_| nonsense())?;
            Ok(from.saturating_add_signed(step))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixtures;

    const FLOW: Flow = Flow {
        let_in_per_s: Some(100),
        sold_per_s: Some(50),
        joined_per_s: Some(0),
    };

    #[test]
    fn a_rate_is_previewed_with_the_wait_headroom_and_end_it_gives() {
        let proposal = Proposal::rate_by(&fixtures::snapshot(), FLOW, 200, 10);
        assert_eq!(proposal.title(), "rate 200 -> 220 a second");
        assert_eq!(
            proposal.effects,
            [
                "last of 3,640 in line gets in after: 19 s -> 17 s",
                "headroom of ready capacity: 50 % -> 45 %",
                "last seat sold in: 12 s -> 11 s",
            ]
        );
    }

    #[test]
    fn a_small_rate_still_moves_and_never_reaches_zero() {
        let rate_by = |from, percent| Proposal::rate_by(&fixtures::snapshot(), FLOW, from, percent).action;
        assert_eq!(rate_by(3, 10), Action::Rate(4));
        assert_eq!(rate_by(1, -10), Action::Rate(1));
        assert_eq!(rate_by(u32::MAX, 10), Action::Rate(MOST_RATE_PER_S));
    }

    #[test]
    fn a_full_room_is_named_when_the_rate_goes_up() {
        let mut snapshot = fixtures::snapshot();
        snapshot.queue.as_mut().unwrap().active = 300;
        let up = Proposal::rate(&snapshot, FLOW, 400);
        assert!(
            up.effects.iter().any(|e| e.contains("about 100 a second")),
            "{:?}",
            up.effects
        );
    }

    #[test]
    fn a_lower_cap_puts_nobody_out() {
        let proposal = Proposal::cap(&fixtures::snapshot(), FLOW, 100);
        assert!(proposal.effects[0].contains("nobody is put out"));
        assert_eq!(proposal.title(), "cap 300 -> 100 inside");
    }

    #[test]
    fn numbers_are_typed_as_people_write_them() {
        let snapshot = fixtures::snapshot();
        let rate = |text| Proposal::typed_rate(text, &snapshot, FLOW).map(|p| p.action);
        for (text, rate_per_s) in [
            ("1,500", 1_500),
            ("250", 250),
            ("+10%", 220),
            ("-50", 150),
            ("-25%", 150),
        ] {
            assert_eq!(rate(text), Ok(Action::Rate(rate_per_s)), "{text}");
        }
        for text in ["12x", "0", "600001", "", "+", "-100%", "%"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert!(Proposal::typed_cap("0", &snapshot, FLOW).is_err());
    }

    #[test]
    fn nobody_pauses_a_sold_out_sale() {
        let mut snapshot = fixtures::snapshot();
        snapshot.phase = Phase::SoldOut;
        assert!(Proposal::pause_or_resume(&snapshot, FLOW).is_err());
        snapshot.phase = Phase::Paused;
        assert_eq!(
            Proposal::pause_or_resume(&snapshot, FLOW).unwrap().action,
            Action::Resume
        );
    }

    #[test]
    fn every_change_can_be_taken_back_with_its_reason() {
        let snapshot = fixtures::snapshot();
        let made = Proposal::rate(&snapshot, FLOW, 300).because(Some("payments recovered".to_owned()));
        let back = made.inverse(&snapshot, FLOW).unwrap();
        assert_eq!(back.action, Action::Rate(200));
        assert_eq!(
            made.into_override("mk").reason,
            "payments recovered (from the terminal: rate 200 -> 300 a second)"
        );
        assert!(
            back.into_override("mk")
                .reason
                .starts_with("takes back: rate 200 -> 300")
        );
    }
}
