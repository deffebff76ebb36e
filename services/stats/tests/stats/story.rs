//! Two fans, a hall, a card that was refused, accounts and memberships.

use crate::world::History;
use urr_core::seating::{Hall, Section};
use urr_core::time::Millis;
use urr_kit::events::{
    ACCOUNT_EVENTS, ACCOUNT_OPENED, AccountOpened, MEMBERSHIP_ACTIVATED, MEMBERSHIP_ENDED, MEMBERSHIP_EVENTS,
    MembershipActivated, MembershipEnded, PAYMENT_EVENTS, PAYMENT_FAILED, PaymentFailed,
    RESERVATION_CANCELLED, RESERVATION_CONFIRMED, RESERVATION_CREATED, RESERVATION_EVENTS,
    ReservationCancelled, ReservationConfirmed, ReservationCreated, SEATING_CHANGED, SeatingChanged,
    SoldSeat,
};
use uuid::Uuid;

/// What a user did with one seat: in which section, for how much, when, and how it ended.
struct Deed {
    user: Uuid,
    section: &'static str,
    price: i64,
    minutes_ago: i64,
    /// Minutes until it was paid, or given up.
    ended: Result<i64, i64>,
}

impl History {
    fn deed(&mut self, deed: &Deed) {
        let (reservation_id, event_id, user_id) = (Uuid::new_v4(), self.event, deed.user);
        let (total_amount, seat_ids) = (deed.price, vec![Uuid::new_v4()]);
        let now = self.now;
        self.now = now.plus_s(-60 * deed.minutes_ago);
        let created = ReservationCreated {
            reservation_id,
            user_id,
            event_id,
            total_amount,
            seat_ids: seat_ids.clone(),
        };
        self.add(RESERVATION_EVENTS, RESERVATION_CREATED, &created);
        let (Ok(minutes) | Err(minutes)) = deed.ended;
        self.now = self.now.plus_s(60 * minutes);
        if deed.ended.is_ok() {
            let sold = ReservationConfirmed {
                reservation_id,
                user_id,
                event_id,
                total_amount,
                seat_ids,
                payment_method: None,
                seats: vec![SoldSeat {
                    section: deed.section.to_owned(),
                    row: 1,
                    price: deed.price,
                }],
            };
            self.add(RESERVATION_EVENTS, RESERVATION_CONFIRMED, &sold);
        } else {
            let gone = ReservationCancelled {
                reservation_id,
                user_id,
                event_id,
                total_amount,
                seat_ids,
                reason: "USER_REQUEST".to_owned(),
                was_paid: false,
                transfer_id: None,
            };
            self.add(RESERVATION_EVENTS, RESERVATION_CANCELLED, &gone);
        }
        self.now = now;
    }

    fn account(&mut self, role: &str, days_ago: i64) {
        let now = self.now;
        self.now = now.plus_s(-86_400 * days_ago);
        let opened = AccountOpened {
            user_id: Uuid::new_v4(),
            role: role.to_owned(),
        };
        self.add(ACCOUNT_EVENTS, ACCOUNT_OPENED, &opened);
        self.now = now;
    }

    fn refusal(&mut self) {
        let failed = PaymentFailed {
            payment_id: Uuid::new_v4(),
            order_id: "ORD".to_owned(),
            user_id: Uuid::new_v4(),
            reservation_id: None,
            reference_id: None,
            payment_type: "reservation".to_owned(),
            amount: 50_000,
            reason: "REJECT_CARD_PAYMENT".to_owned(),
        };
        self.add(PAYMENT_EVENTS, PAYMENT_FAILED, &failed);
    }

    /// A term that lasts `days` from now on.
    fn membership(&mut self, days: i64) -> Uuid {
        let joined = MembershipActivated {
            membership_id: Uuid::new_v4(),
            user_id: Uuid::new_v4(),
            artist_id: None,
            expires_at: Some(self.now.plus_s(86_400 * days)),
        };
        self.add(MEMBERSHIP_EVENTS, MEMBERSHIP_ACTIVATED, &joined);
        joined.membership_id
    }
}

fn hall() -> Hall {
    let section = |name: &str, rows, seats_per_row, price_krw| Section {
        name: name.to_owned(),
        rows,
        seats_per_row,
        price_krw,
        start_row: 1,
        grade: None,
    };
    Hall {
        sections: vec![section("VIP", 2, 2, 150_000), section("A", 1, 4, 90_000)],
    }
}

/// Two fans: one has known the house for forty days, the other came today.
pub(crate) fn story(now: Millis) -> History {
    let mut history = History {
        now,
        event: Uuid::new_v4(),
        all: Vec::new(),
    };
    let (known, new) = (Uuid::new_v4(), Uuid::new_v4());
    let deed = |user, section, price, minutes_ago, ended| Deed {
        user,
        section,
        price,
        minutes_ago,
        ended,
    };
    let shown = history.event;
    // Of a hall nobody told of.
    history.event = Uuid::new_v4();
    history.deed(&deed(known, "Z", 70_000, 40 * 24 * 60, Ok(1)));
    history.event = shown;
    let seating = SeatingChanged {
        event_id: shown,
        hall: Some(hall()),
    };
    history.add(RESERVATION_EVENTS, SEATING_CHANGED, &seating);
    history.deed(&deed(known, "VIP", 150_000, 20, Ok(2)));
    history.deed(&deed(new, "A", 90_000, 20, Ok(4)));
    history.deed(&deed(new, "A", 90_000, 10, Err(1)));
    history.payment(false);
    history.refusal();
    history.account("admin", 40);
    history.account("user", 0);
    history.account("user", 0);
    history.membership(-1);
    history.membership(1);
    let ended = MembershipEnded {
        membership_id: history.membership(1),
        user_id: Uuid::new_v4(),
        artist_id: Uuid::new_v4(),
    };
    history.add(MEMBERSHIP_EVENTS, MEMBERSHIP_ENDED, &ended);
    history
}
