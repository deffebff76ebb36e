//! `ticketctl undo`: takes back the last change by hand, by the audit log.

use super::{Done, complain, document, show, steer::send};
use crate::{
    ask::{Danger, Person, sure},
    cli::{ChangedSale, DryRun, Globals},
    control::Hand,
    exit::Exit,
    failure::Failure,
    place,
};
use serde_json::json;
use urr_controlplane::{http::SaleState, store::AuditEntry};
use urr_core::change::Override;

/// Takes it back.
pub(crate) async fn run(args: ChangedSale, globals: Globals) -> Done {
    let (api, _) = place::control(&globals).await?;
    let state = place::resolve(&api, args.sale.as_deref()).await?;
    let log = api
        .audit(state.sale.id)
        .await
        .map_err(|error| place::refused(&error))?;
    let (last, before) = last_by_hand(&log.entries).ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            format!("{}: nothing was changed by hand", state.sale.name),
        )
        .remedy("`ticketctl describe` shows the audit log")
    })?;
    let steps = steps(&state, before);
    let what = format!(
        "{}: takes back {}'s {} ({} -> {}).",
        state.sale.name, last.actor, last.action, last.new, last.old
    );
    if steps.is_empty() {
        return Err(Failure::new(
            Exit::Conflict,
            format!("{}: it is as it was before already", state.sale.name),
        ));
    }
    if args.change.dry_run != DryRun::None {
        let names: Vec<&str> = steps.iter().map(|step| step.name()).collect();
        show(&args.output, &json!({"dryRun": true, "steps": names}), || {
            format!("would change: {what}\n")
        })?;
        return Ok(Exit::Ok);
    }
    let mut change = args.change;
    change.reason.get_or_insert_with(|| {
        format!(
            "undo of {} by {} (revision {})",
            last.action, last.actor, last.seq
        )
    });
    let Some(said) = sure(
        Danger::Mild,
        &what,
        &state.sale.name,
        &change,
        &mut Person::of(&globals),
    )?
    else {
        complain("nothing was changed");
        return Ok(Exit::Ok);
    };
    let mut after = state;
    for step in steps {
        let hand = Hand {
            action: step.name(),
            value: match step {
                Override::Rate(n) | Override::Cap(n) => Some(n),
                _ => None,
            },
            actor: said.actor.clone(),
            reason: said.reason.clone(),
        };
        after = send(&api, &after, &hand).await?;
    }
    show(&args.output, &document(&after)?, || format!("{what} Done.\n"))?;
    Ok(Exit::Ok)
}

/// What held before a change, as the audit log tells it (`urr_controlplane::http`): `held, 100/s,
/// cap 500`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Before {
    paused: bool,
    draining: bool,
    rate_per_s: u32,
    cap: u32,
}

impl Before {
    fn parse(text: &str) -> Option<Self> {
        let mut before = Self {
            paused: false,
            draining: false,
            rate_per_s: 0,
            cap: 0,
        };
        for part in text.split(", ") {
            match part {
                "held" => before.paused = true,
                "draining" => before.draining = true,
                _ => {
                    if let Some(rate) = part.strip_suffix("/s") {
                        before.rate_per_s = rate.parse().ok()?;
                    } else if let Some(cap) = part.strip_prefix("cap ") {
                        before.cap = cap.parse().ok()?;
                    } else {
                        return None;
                    }
                }
            }
        }
        (before.rate_per_s > 0 && before.cap > 0).then_some(before)
    }
}

/// The newest change by hand that is not itself an undo of the one before it.
fn last_by_hand(log: &[AuditEntry]) -> Option<(&AuditEntry, Before)> {
    log.iter().rev().find_map(|entry| {
        let by_hand = matches!(
            entry.action.as_str(),
            "pause" | "resume" | "rate" | "cap" | "drain" | "reset"
        );
        if !by_hand {
            return None;
        }
        Some((entry, Before::parse(&entry.old)?))
    })
}

/// What has to be sent so that it is as `before`.
fn steps(state: &SaleState, before: Before) -> Vec<Override> {
    let (sale, hand) = (&state.sale, &state.hand);
    let own = before
        == Before {
            paused: false,
            draining: false,
            rate_per_s: sale.admission.rate_per_s,
            cap: sale.admission.cap,
        };
    if own {
        let touched = hand.paused || hand.draining || hand.rate_per_s.is_some() || hand.cap.is_some();
        return if touched {
            vec![Override::Reset]
        } else {
            Vec::new()
        };
    }
    let mut steps = Vec::new();
    // Letting go clears both holds; what is to stay held is held again.
    if (hand.paused && !before.paused) || (hand.draining && !before.draining) {
        steps.push(Override::Resume);
    }
    let (paused, draining) = if steps.is_empty() {
        (hand.paused, hand.draining)
    } else {
        (false, false)
    };
    if before.paused && !paused {
        steps.push(Override::Pause);
    }
    if before.draining && !draining {
        steps.push(Override::Drain);
    }
    if hand.rate_per_s.unwrap_or(sale.admission.rate_per_s) != before.rate_per_s {
        steps.push(Override::Rate(before.rate_per_s));
    }
    if hand.cap.unwrap_or(sale.admission.cap) != before.cap {
        steps.push(Override::Cap(before.cap));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::state;

    #[test]
    fn what_held_before_is_read_from_the_log() {
        let before = Before::parse("held, 80/s, cap 500").unwrap();
        assert_eq!((before.paused, before.rate_per_s, before.cap), (true, 80, 500));
        assert_eq!(Before::parse("100 seats, opens 5"), None);
    }

    #[test]
    fn going_back_to_the_sales_own_terms_is_one_step() {
        let mut state = state(1, "Arena");
        state.hand.rate_per_s = Some(50);
        let own = Before::parse("100/s, cap 500").unwrap();
        assert_eq!(steps(&state, own), [Override::Reset]);
        state.hand.rate_per_s = None;
        assert_eq!(steps(&state, own), []);
    }

    #[test]
    fn only_what_differs_is_taken_back() {
        let mut state = state(1, "Arena");
        state.hand.rate_per_s = Some(50);
        state.hand.paused = true;
        assert_eq!(
            steps(&state, Before::parse("50/s, cap 500").unwrap()),
            [Override::Resume]
        );
        assert_eq!(
            steps(&state, Before::parse("held, 90/s, cap 400").unwrap()),
            [Override::Rate(90), Override::Cap(400)]
        );
    }
}
