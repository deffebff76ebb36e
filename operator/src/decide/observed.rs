//! A target as its sale's status shows it, with what was measured of it.

use super::{Experience, learned, shown_target, signed};
use crate::mapping::time;
use crate::targets::{Claim, Step, Target, Wish};
use urr_api::TicketSaleStatus;
use urr_api::status::TargetStatus;
use urr_core::lead;
use urr_core::time::Millis;

/// What was there before, as the status remembers it.
#[must_use]
pub fn remembered(shown: Option<&TicketSaleStatus>, target: &str) -> Option<u32> {
    shown_target(shown, target)?
        .before
        .and_then(|before| u32::try_from(before).ok())
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
        // Known once places were held.
        reserved: None,
        before: before.map(signed),
        asked_at,
        ready_seconds,
        learned_seconds: learned.into_iter().map(signed).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            rival: None,
        }
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
}
