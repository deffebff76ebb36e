//! What a sale needs done once, by whichever replica comes first: its draw committed to and
//! closed, a lost record restored. All of it survives a dead control plane (law `on-time`).

use crate::{line::Shared, watched::Watched};
use urr_core::{
    draw::Seed,
    room::{Mode, Room},
    sale::Ordering,
    time::Millis,
};
use urr_kit::{error::chain, state::StateError};

/// How long a line's places stay in memory after its end: stragglers ask again.
const KEPT_AFTER_CLOSE_MS: i64 = 600_000;

impl Watched {
    /// Does what is due for this sale; called by the clock.
    pub(crate) async fn tend(&self, shared: &Shared) {
        let now = shared.clock.now();
        if let Err(error) = self.tend_draw(shared, now).await {
            tracing::error!(sale = %self.sale, error = chain(&error), "the draw waits for the store");
        }
        let known = self.known_arc();
        let room = &known.room;
        if let Some(number) = self.unheard_by(room)
            && room.mode != Mode::Inactive
        {
            let missing = number - room.issued;
            match self.restore(shared, room, number, now).await {
                Ok(true) => {
                    // Numbers whose holders the ledger does not name any more.
                    shared.meters.holes.increment(missing);
                    tracing::warn!(sale = %self.sale, epoch = room.epoch, issued = room.issued, number, missing,
                        "the record was lost; places that people hold are counted again");
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(sale = %self.sale, error = chain(&error), "the record is restored later");
                }
            }
        }
        let over = room.mode == Mode::Inactive || now.since(room.closes_at) > KEPT_AFTER_CLOSE_MS;
        if over {
            self.line.forget();
        }
    }

    /// Reads what others have appended, unless that is being done; called by the clock.
    pub(crate) async fn follow(&self, shared: &Shared) {
        if !self.line.is_used() {
            return;
        }
        let known = self.known_arc();
        if let Err(error) = self.follow_ledger(shared, &known.room).await {
            tracing::debug!(sale = %self.sale, error = chain(&error), "the ledger is followed later");
        }
    }

    /// Commits to the draw before the first ticket, and closes it from the opening on. Costs
    /// nothing where nothing is due.
    pub(crate) async fn tend_draw(&self, shared: &Shared, now: Millis) -> Result<(), StateError> {
        let known = self.known_arc();
        if known.room.ordering == Ordering::Fifo || known.room.mode == Mode::Inactive {
            return Ok(());
        }
        if known.room.draw.commitment.is_none() {
            let seed = seed_of(shared, &known.room);
            self.absorb_written(shared.store.commit_draw(&known.room, seed.commitment()).await)?;
        }
        // Each refusal brings the present record: the second try knows it.
        for _ in 0..2 {
            let known = self.known_arc();
            if !known.room.draw_is_due(now) {
                break;
            }
            let seed = seed_of(shared, &known.room);
            if !shared.guards.one_draw {
                // Sabotaged: every replica closes the draw for itself, over what it knows.
                self.absorb(&known.room.draw_closed(seed, now));
                break;
            }
            self.absorb_written(shared.store.close_draw(&known.room, seed, now).await)?;
            if let Some(drawn) = self.known().room.draw.drawn {
                tracing::info!(sale = %self.sale, drawn, late_ms = now.since(known.room.opens_at), "the draw is closed");
            }
        }
        Ok(())
    }

    /// Takes in what a write returned, or what stood in its way.
    fn absorb_written(&self, written: Result<Room, StateError>) -> Result<(), StateError> {
        match written {
            Ok(room) => self.absorb(&room),
            Err(StateError::Fenced { current }) => self.absorb(&current),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Has `room`, which was just read, count the number beyond it that somebody has shown. Whether
    /// it was this call that did: a record that has moved on meanwhile was not lost.
    pub(crate) async fn restore(
        &self,
        shared: &Shared,
        room: &Room,
        number: u64,
        now: Millis,
    ) -> Result<bool, StateError> {
        match shared.store.restore(room, number, now).await {
            Ok(restored) => {
                self.absorb(&restored);
                Ok(true)
            }
            Err(StateError::Fenced { current }) => {
                self.absorb(&current);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The seed that was committed to. Two rotations of the keys within one pre-queue lose it: then
/// the sale opens all the same, and whoever checks its draw finds it broken.
fn seed_of(shared: &Shared, room: &Room) -> Seed {
    let seeds = Seed::derive(&shared.keys, room.sale, room.epoch);
    let committed = seeds
        .iter()
        .find(|seed| room.draw.commitment.is_none_or(|to| seed.commitment() == to));
    match committed.or_else(|| seeds.first()) {
        Some(seed) => {
            if committed.is_none() {
                tracing::error!(sale = %room.sale, "no key in force made the draw's commitment");
            }
            *seed
        }
        // A ring has at least one key.
        None => Seed::from_bytes([0; 32]),
    }
}
