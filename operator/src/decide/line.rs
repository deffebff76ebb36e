//! The line and what a sale has shown of itself, noted in the status: seldom, so that a status is news and
//! not a meter.

use crate::control_api::SaleState;
use crate::mapping::{millis, time};
use urr_api::TicketSaleStatus;
use urr_api::status::{LineStatus, Measured};
use urr_core::sale::{Phase, Sale};
use urr_core::snapshot::Snapshot;
use urr_core::time::Millis;

/// While people come figures are noted at most this often: twice a minute for `kubectl get --watch`, and
/// 500 open sales are 17 writes a second.
const NOTE_EVERY_S: i64 = 30;

/// Whether the line is looked at now. `phase`: the one that the status will show.
#[must_use]
pub fn is_line_due(phase: Phase, shown: Option<&TicketSaleStatus>, is_new_phase: bool, now: Millis) -> bool {
    match phase {
        Phase::Scheduled => false,
        _ if is_new_phase => true,
        Phase::Closed => false,
        Phase::PreQueue | Phase::Open | Phase::Paused | Phase::SoldOut => {
            let noted_at = shown
                .and_then(|status| status.line.as_ref()?.observed_at.as_ref())
                .map(millis);
            noted_at.is_none_or(|at| now.since(at) >= NOTE_EVERY_S * 1000)
        }
    }
}

/// The line as `snapshot` has it; the one shown where nothing has changed, so that nothing is written. What
/// the snapshot does not know stays as it was.
#[must_use]
pub fn line(snapshot: &Snapshot, shown: Option<&TicketSaleStatus>) -> LineStatus {
    let old = shown.and_then(|status| status.line.clone()).unwrap_or_default();
    let mut line = old.clone();
    let in_line = snapshot.room.as_ref().map(|room| {
        (line.issued, line.serving) = (whole(room.issued), whole(room.serving));
        room.issued.saturating_sub(room.serving)
    });
    if let Some(queue) = &snapshot.queue {
        (line.active, line.admitted) = (whole(queue.active), whole(queue.admitted_total));
        line.waiting = whole(in_line.unwrap_or(0).saturating_add(queue.waiting));
    }
    if let Some(seats) = &snapshot.seats {
        line.sold = whole(seats.sold);
    }
    if line != old {
        line.observed_at = Some(time(snapshot.at));
    }
    line
}

/// What the sale has shown so far. `line`: as it will be shown.
#[must_use]
pub fn measured(
    sale: &Sale,
    phase: Phase,
    control: Option<&SaleState>,
    line: Option<&LineStatus>,
    shown: Option<&TicketSaleStatus>,
    now: Millis,
) -> Option<Measured> {
    let old = shown
        .and_then(|status| status.measured.clone())
        .unwrap_or_default();
    let before = shown.and_then(|status| status.line.as_ref());
    let borne = control
        .and_then(|state| state.pace.as_ref()?.borne_per_s)
        .and_then(|rate| i32::try_from(rate).ok());
    let sold_out = (phase == Phase::SoldOut).then(|| now.since(sale.schedule.opens_at) / 1000);
    let new = Measured {
        // The newest word: what was borne once and is not any more is taken back.
        borne_per_second: borne.or(old.borne_per_second),
        let_in_per_second: old.let_in_per_second.max(let_in(before, line)),
        most_active: old
            .most_active
            .max(line.map(|line| line.active).filter(|active| *active > 0)),
        sold_out_seconds: old.sold_out_seconds.or(sold_out),
    };
    (new != Measured::default()).then_some(new)
}

/// People let in per second between two notes that are half a minute apart or more.
fn let_in(before: Option<&LineStatus>, after: Option<&LineStatus>) -> Option<i32> {
    let (before, after) = (before?, after?);
    let between_s = millis(after.observed_at.as_ref()?).since(millis(before.observed_at.as_ref()?)) / 1000;
    let people = after.admitted - before.admitted;
    if between_s < NOTE_EVERY_S || people <= 0 {
        return None;
    }
    i32::try_from(people / between_s).ok()
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{self, tests::spec};
    use urr_core::snapshot::{QueueView, RoomView, SeatsView};

    const T: Millis = Millis(1_796_122_800_000);

    fn snapshot(at: Millis, serving: u64, active: u64, sold: u64) -> Snapshot {
        Snapshot {
            at,
            room: Some(RoomView {
                epoch: 1,
                issued: 1000,
                serving,
                rate_per_s: 10,
                drain_s: None,
            }),
            queue: Some(QueueView {
                waiting: 5,
                active,
                cap: 100,
                rate_per_s: 10,
                admitted_total: serving,
                paused: false,
            }),
            seats: Some(SeatsView {
                capacity: 100,
                free: 100 - sold,
                held: 0,
                sold,
                sections: Vec::new(),
            }),
            ..Snapshot::unknown(urr_core::sale::SaleId::nil())
        }
    }

    fn shows(line: LineStatus) -> TicketSaleStatus {
        TicketSaleStatus {
            line: Some(line),
            ..TicketSaleStatus::default()
        }
    }

    #[test]
    fn a_line_that_stands_is_not_noted_again() {
        let first = line(&snapshot(T, 40, 7, 3), None);
        assert_eq!(
            (
                first.issued,
                first.serving,
                first.waiting,
                first.active,
                first.sold
            ),
            (1000, 40, 965, 7, 3)
        );
        assert_eq!(first.observed_at, Some(time(T)));
        let same = line(&snapshot(T.plus_s(90), 40, 7, 3), Some(&shows(first.clone())));
        assert_eq!(same, first, "not even the time");
        let moved = line(&snapshot(T.plus_s(90), 41, 7, 3), Some(&shows(first)));
        assert_eq!(moved.observed_at, Some(time(T.plus_s(90))));
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_was() {
        let first = line(&snapshot(T, 40, 7, 3), None);
        let blind = Snapshot::unknown(urr_core::sale::SaleId::nil());
        assert_eq!(line(&blind, Some(&shows(first.clone()))), first);
    }

    #[test]
    fn figures_are_noted_at_the_boundaries_and_seldom_between_them() {
        let shown = shows(line(&snapshot(T, 40, 7, 3), None));
        let due = |phase, new, after_s| is_line_due(phase, Some(&shown), new, T.plus_s(after_s));
        assert!(!due(Phase::Open, false, 29));
        assert!(due(Phase::Open, false, 30) && due(Phase::Open, true, 1));
        assert!(due(Phase::Closed, true, 1) && !due(Phase::Closed, false, 9000));
        assert!(!due(Phase::Scheduled, true, 9000), "nobody is there");
    }

    #[test]
    fn the_most_of_everything_is_kept_and_the_first_time_all_was_sold() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let opens = sale.schedule.opens_at;
        let first = shows(line(&snapshot(opens, 0, 90, 0), None));
        let noted = line(&snapshot(opens.plus_s(40), 400, 20, 10), Some(&first));
        let shown = TicketSaleStatus {
            measured: measured(&sale, Phase::Open, None, first.line.as_ref(), None, opens),
            ..first
        };
        let now = opens.plus_s(40);
        let after = measured(&sale, Phase::SoldOut, None, Some(&noted), Some(&shown), now).unwrap();
        assert_eq!(
            (after.let_in_per_second, after.most_active, after.sold_out_seconds),
            (Some(10), Some(90), Some(40))
        );
        let later = shows(noted);
        let later = TicketSaleStatus {
            measured: Some(after.clone()),
            ..later
        };
        let line = later.line.as_ref();
        let again = measured(&sale, Phase::SoldOut, None, line, Some(&later), now.plus_s(99));
        assert_eq!(again, Some(after));
    }
}
