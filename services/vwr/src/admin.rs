//! The operator's hand on a waiting room (R-VWR-08): switch it on and off, push the line.
//!
//! For a sale the control plane drives, its plan is written over these; they are for events
//! without a sale and for emergencies. What its plan would make of it is worse than nothing is
//! refused: see [`deactivate`]. Every change is decided from the record it replaces and
//! fenced by its revision; on a lost race it is decided again.

use crate::http::App;
use urr_core::{
    draw::DrawRecord,
    room::{Mode, Room, ServingClock, epoch_at},
    sale::{Ordering, SaleId},
    time::Millis,
};
use urr_kit::state::StateError;

/// People served at once by `advance` unless it says otherwise (api-contract.md section 5).
pub(crate) const ADVANCE_DEFAULT: u32 = 500;

/// Decisions per request: an idle line re-anchored by joins changes its revision too, some tens of
/// times a second at most.
const TRIES_MAX: u32 = 16;

/// A room without a sale has no end, and is known by that; this is after anybody's sale (the year
/// 2100).
const NO_END: Millis = Millis(4_102_444_800_000);

/// Values of api-contract.md and core's defaults for a room without a sale.
const DEFAULT_BURST: u32 = 50;
const DEFAULT_POLL_BUDGET_PER_S: u32 = 5000;
const DEFAULT_TOKEN_TTL_S: u32 = 600;

/// The change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the record changed {TRIES_MAX} times in a row")]
    Contended,
    /// Switching it off would void every place; see [`deactivate`].
    #[error("the waiting room belongs to a sale")]
    OfASale,
}

/// A room that is on.
pub(crate) struct Activated {
    pub(crate) room: Room,
    /// Whether a new line began.
    pub(crate) new_line: bool,
}

/// What `advance` did.
pub(crate) enum Advanced {
    By { serving: u64, people: u64 },
    CaughtUp(&'static str),
}

/// Switches the room on. A line that lives goes on with its numbers; one that was switched off
/// begins anew with a new epoch, so no old place counts in it (quirk 32).
pub(crate) async fn activate(app: &App, sale: SaleId) -> Result<Activated, HandError> {
    for _ in 0..TRIES_MAX {
        let now = app.shared.clock.now();
        let room = match app.shared.store.room(sale).await? {
            Some(room) if room.mode != Mode::Inactive => {
                return Ok(Activated {
                    room,
                    new_line: false,
                });
            }
            Some(old) => next_line(&old, now),
            None => first_line(sale, app.default_rate_per_s, now),
        };
        match app.shared.store.create_room(&room).await {
            Ok(room) => {
                tracing::info!(%sale, epoch = room.epoch, "a waiting room was activated by hand");
                app.cache.absorb(&room);
                return Ok(Activated { room, new_line: true });
            }
            Err(StateError::Fenced { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(HandError::Contended)
}

/// Switches the room off. Who waits is let pass to tier 2, which decides.
///
/// The room of a sale is not switched off by hand: the control plane wants it on, and a line that was
/// off comes back as a new one, in which no place of the old one counts. So within a second
/// everybody who waits would have lost his place for good.
pub(crate) async fn deactivate(app: &App, sale: SaleId) -> Result<Room, HandError> {
    let mut refused = false;
    let room = change(app, sale, |room, now| {
        let is_on = room.mode != Mode::Inactive;
        refused = is_on && room.closes_at != NO_END;
        (is_on && !refused).then(|| room.deactivated(now))
    })
    .await?;
    if refused {
        return Err(HandError::OfASale);
    }
    tracing::info!(%sale, epoch = room.epoch, "a waiting room was deactivated by hand");
    Ok(room)
}

/// Serves `people` more, at most as many as wait.
pub(crate) async fn advance(app: &App, sale: SaleId, people: u32) -> Result<Advanced, HandError> {
    let mut outcome = Advanced::CaughtUp("Nobody waits");
    change(app, sale, |room, now| {
        outcome = Advanced::CaughtUp("Nobody waits");
        if now < room.opens_at || room.is_undrawn() {
            outcome = Advanced::CaughtUp("The line does not move before the sale opens");
            return None;
        }
        let people = room.waiting(now).min(people.into());
        if people == 0 {
            return None;
        }
        let serving = room.serving(now) + people;
        outcome = Advanced::By { serving, people };
        let since = room.clock.since.max(now);
        Some(Room {
            clock: ServingClock {
                base: serving,
                since,
                ..room.clock
            },
            ..room.clone()
        })
    })
    .await?;
    Ok(outcome)
}

/// Replaces the record by what `decide` makes of it (`None`: leave it), again after a lost race.
async fn change(
    app: &App,
    sale: SaleId,
    mut decide: impl FnMut(&Room, Millis) -> Option<Room> + Send,
) -> Result<Room, HandError> {
    for _ in 0..TRIES_MAX {
        let seen = app.shared.store.room(sale).await?.ok_or(StateError::NotFound)?;
        let Some(next) = decide(&seen, app.shared.clock.now()) else {
            return Ok(seen);
        };
        match app.shared.store.replace_room(seen.revision, &next).await {
            Ok(room) => {
                app.cache.absorb(&room);
                return Ok(room);
            }
            Err(StateError::Fenced { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(HandError::Contended)
}

/// A new line with the settings of the old one. It moves from now on, or from the opening if
/// that is still to come. It has no end and so belongs to no sale: if the old one did, that sale is
/// over or gone, or the control plane writes its schedule over this.
fn next_line(old: &Room, now: Millis) -> Room {
    Room {
        epoch: old.epoch.saturating_add(1).max(epoch_at(now)),
        voids: old.epoch,
        blocks: 0,
        draw: DrawRecord::default(),
        restoring_until: None,
        revision: old.revision.saturating_add(1),
        mode: Mode::Active,
        closes_at: NO_END,
        issued: 0,
        clock: ServingClock {
            base: 0,
            since: old.opens_at.max(now),
            ..old.clock
        },
        ..old.clone()
    }
}

fn first_line(sale: SaleId, rate_per_s: u32, now: Millis) -> Room {
    Room {
        sale,
        epoch: epoch_at(now),
        revision: 1,
        mode: Mode::Active,
        pre_queue_at: now,
        opens_at: now,
        closes_at: NO_END,
        issued: 0,
        blocks: 0,
        ordering: Ordering::Fifo,
        draw: DrawRecord::default(),
        voids: 0,
        restoring_until: None,
        clock: ServingClock {
            base: 0,
            since: now,
            rate_per_s,
            burst: DEFAULT_BURST,
        },
        poll_budget_per_s: DEFAULT_POLL_BUDGET_PER_S,
        token_ttl_s: DEFAULT_TOKEN_TTL_S,
    }
}
