//! no-back-door: who reserved had been let in, and who had not was refused.

use super::{Evidence, Finding, check::Check};
use crate::{admission::LogKind, law::Law, time::Millis};
use std::collections::HashMap;
use uuid::Uuid;

/// How far the clocks of queue and booking may be apart.
const CLOCKS_DIFFER_MS: i64 = 250;

/// When a user was inside, as far as the log tells.
#[derive(Default)]
struct Stay {
    admitted_at: Option<Millis>,
    left_at: Option<Millis>,
}

/// Every reservation was made by somebody whom tier 2 had admitted and whose entry token could
/// still be alive; every attempt without such a token was refused.
pub(super) fn no_back_door(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::NoBackDoor);
    let stays = stays(evidence);
    let token_ttl_s = i64::from(evidence.sale.admission.token_ttl_s);
    for reservation in &evidence.reservations {
        let made_at = reservation.created_at;
        let stay = stays.get(&reservation.user);
        let admitted_at = stay.and_then(|stay| stay.admitted_at);
        check.that(
            admitted_at.is_some_and(|at| at.since(made_at) <= CLOCKS_DIFFER_MS),
            || {
                format!(
                    "user {} made reservation {} without having been admitted",
                    reservation.user, reservation.id
                )
            },
        );
        // Tokens are given while inside and live for their lifetime after.
        let token_ended_at = stay
            .and_then(|stay| stay.left_at)
            .map(|left_at| left_at.plus_s(token_ttl_s).plus_ms(CLOCKS_DIFFER_MS));
        check.that(token_ended_at.is_none_or(|ended_at| made_at <= ended_at), || {
            format!(
                "user {} made reservation {} after every token had expired",
                reservation.user, reservation.id
            )
        });
    }
    let mut refused = 0_u64;
    for attempt in &evidence.observed.attempts {
        // No answer, or a failing service, has not refused anything; nor has it let anybody in.
        if !attempt.got_in && !(100..500).contains(&attempt.status) {
            continue;
        }
        check.that(!attempt.got_in, || {
            format!("{:?} got in, answered with {}", attempt.kind, attempt.status)
        });
        refused += u64::from(!attempt.got_in);
    }
    let (reservations, attempts) = (evidence.reservations.len(), evidence.observed.attempts.len());
    if check.checked() == 0 {
        let excused = evidence.taken_at < evidence.sale.schedule.opens_at;
        return check.lacks("nobody reserved and no intruder tried", excused);
    }
    check.conclude(format!(
        "{reservations} reservations, {refused} of {attempts} intrusions refused"
    ))
}

/// First admission and last departure of every user who went in.
fn stays(evidence: &Evidence) -> HashMap<Uuid, Stay> {
    let mut stays: HashMap<Uuid, Stay> = HashMap::new();
    for entry in &evidence.log {
        let Some(user) = entry.user else { continue };
        match entry.kind {
            LogKind::Admit | LogKind::Resume => {
                let stay = stays.entry(user).or_default();
                stay.admitted_at.get_or_insert(entry.at);
                stay.left_at = None;
            }
            LogKind::Leave => {
                if let Some(stay) = stays.get_mut(&user) {
                    stay.left_at = Some(entry.at);
                }
            }
            LogKind::Open | LogKind::Enqueue | LogKind::Limits | LogKind::Revive => {}
        }
    }
    stays
}
