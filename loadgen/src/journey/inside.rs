//! Behind the door: look, choose, hold, leave.

use super::request::{read, readable};
use super::{Account, Journey, Stage};
use crate::http::{Answer, Ask};
use crate::measure::{Counters, Outcome, Step};
use crate::scenario::{AbandonsAt, Behaviour};
use crate::seat_map::SeatMap;
use crate::wire::{Reservation, Reserved};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Races for a seat a visitor takes part in before losing heart.
pub(super) const RACES_MAX: u32 = 10;
/// Looks at a hall in which nothing is free before leaving: a held seat may come back.
const EMPTY_LOOKS_MAX: u32 = 3;
/// Times an entry token is renewed.
const RENEWALS_MAX: u32 = 3;

/// What a look at a section showed.
pub(super) enum Look {
    /// Seats chosen.
    Seats(Vec<Uuid>),
    /// This section is full; that one has seats.
    Elsewhere(String),
    /// Nothing free anywhere.
    Nothing,
}

/// Seats that are held.
pub(super) struct Held {
    pub(super) reservation: Reservation,
    pub(super) seats: Vec<Uuid>,
}

impl Journey {
    /// Does what this visitor came for and gives the slot back, whatever happened.
    pub(super) async fn be_inside(&mut self, account: Account, entry: Arc<str>) -> Stage<Outcome> {
        self.passes.entry = Some(entry);
        // The waiting room's token has done its duty; without it a request is shorter.
        self.passes.vwr = None;
        let outcome = match *self.behaviour() {
            Behaviour::Browses { think_ms, looks } => self.browse(think_ms, looks).await,
            Behaviour::Grabs { reaches, .. } => self.grab(&account, reaches).await,
            // Without a word: neither slot nor seats are given back.
            Behaviour::Abandons { at, .. } => return self.abandon(&account, at).await,
            _ => self.buy(&account).await,
        };
        self.leave().await;
        outcome
    }

    /// Mean time between two steps, ms.
    fn think_ms(&self) -> u32 {
        match *self.behaviour() {
            Behaviour::Buys { think_ms }
            | Behaviour::Browses { think_ms, .. }
            | Behaviour::LosesHeart { think_ms, .. }
            | Behaviour::Mashes { think_ms, .. }
            | Behaviour::OpensTabs { think_ms, .. }
            | Behaviour::Sleeps { think_ms, .. }
            | Behaviour::Abandons { think_ms, .. }
            | Behaviour::DoubleClicks { think_ms, .. } => think_ms,
            // People who waited and may leave, or pay late, choose quickly.
            Behaviour::GivesUp { .. } | Behaviour::PaysLate { .. } => 300,
            // A script does not think.
            Behaviour::Grabs { .. } | Behaviour::Intrudes { .. } => 0,
        }
    }

    /// Thinks, and yields the moment at which the next step is due.
    pub(super) async fn think(&mut self) -> Stage<Instant> {
        let mean = self.think_ms();
        let due = Instant::now() + Duration::from_millis(self.standing.dice.around_ms(mean));
        self.linger_until(due).await?;
        Ok(due)
    }

    /// Stays until `until`, telling tier 2 often enough that the slot is not taken for silent.
    pub(super) async fn linger_until(&mut self, until: Instant) -> Stage<()> {
        let beat = self.world.silence / 3;
        while Instant::now() + beat < until {
            self.stay_until(Instant::now() + beat).await?;
            let ask = Ask::post(self.world.paths.queue_heartbeat.clone(), None, &self.passes);
            self.mention(Step::Heartbeat, ask).await;
        }
        self.stay_until(until).await
    }

    async fn browse(&mut self, think_ms: u32, looks: u8) -> Stage<Outcome> {
        for _ in 0..looks {
            let section = self.any_section();
            let due = Instant::now() + Duration::from_millis(self.standing.dice.around_ms(think_ms));
            self.linger_until(due).await?;
            self.look(due, &section, 1).await?;
        }
        Ok(Outcome::Browsed)
    }

    /// Goes as far as `at` says and walks away.
    async fn abandon(&mut self, account: &Account, at: AbandonsAt) -> Stage<Outcome> {
        match at {
            AbandonsAt::Door => {}
            AbandonsAt::Seats => {
                let (due, section) = (self.think().await?, self.any_section());
                self.look(due, &section, 1).await?;
            }
            AbandonsAt::Hold => {
                self.hold(account).await?;
            }
        }
        Ok(Outcome::WalkedAway)
    }

    async fn buy(&mut self, account: &Account) -> Stage<Outcome> {
        let Some(held) = self.hold(account).await? else {
            return Ok(Outcome::LostRace);
        };
        if let Behaviour::PaysLate { after_ms } = *self.behaviour() {
            self.linger_until(Instant::now() + Duration::from_millis(u64::from(after_ms)))
                .await?;
        }
        self.pay(account, &held).await
    }

    /// Looks and reaches for seats until some are held; `None` when others were always quicker.
    async fn hold(&mut self, account: &Account) -> Stage<Option<Held>> {
        let mut section = self.any_section();
        let (mut races, mut empty_looks) = (0, 0);
        while races < RACES_MAX {
            let due = self.think().await?;
            match self.look(due, &section, 1).await? {
                Look::Elsewhere(name) => section = name,
                // Once every seat is paid for, none comes back.
                Look::Nothing if empty_looks < EMPTY_LOOKS_MAX && !self.world.is_sold_out() => {
                    empty_looks += 1;
                    let again = Instant::now() + Duration::from_millis(self.standing.dice.around_ms(1500));
                    self.linger_until(again).await?;
                }
                Look::Nothing => return Err(Outcome::SoldOut),
                Look::Seats(seats) => {
                    races += 1;
                    let due = self.think().await?;
                    if let Some(reservation) = self.reach_for(due, account, &seats).await? {
                        return Ok(Some(Held { reservation, seats }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// How many seats this visitor wants together; a script wants all it may have.
    fn wanted(&self) -> usize {
        let most = self.world.seats_per_booking;
        match *self.behaviour() {
            Behaviour::Grabs { .. } => usize::from(most),
            _ => usize::from(self.world.crowd.party_of(self.world.seed, self.index(), most)),
        }
    }

    /// A section of the hall, larger ones more often.
    pub(super) fn any_section(&mut self) -> String {
        let sections = &self.world.hall.sections;
        let seats = |rows: u32, per_row: u32| u64::from(rows) * u64::from(per_row);
        let total: u64 = sections.iter().map(|s| seats(s.rows, s.seats_per_row)).sum();
        let mut throw = self
            .standing
            .dice
            .below(usize::try_from(total).unwrap_or(usize::MAX)) as u64;
        for section in sections {
            let n = seats(section.rows, section.seats_per_row);
            if throw < n {
                return section.name.clone();
            }
            throw -= n;
        }
        String::new()
    }

    /// Looks at `section` and chooses seats there at random: enough for one booking, or for as many
    /// as `bookings` if there are.
    pub(super) async fn look(&mut self, due: Instant, section: &str, bookings: usize) -> Stage<Look> {
        let answer = self.look_behind_gate(due, section).await?;
        let mut map = readable(SeatMap::read(&answer.body), answer.status, Step::SeatMap)?;
        let wanted = self.wanted();
        if map.free.len() >= wanted {
            let reach = wanted * bookings.clamp(1, map.free.len() / wanted);
            let chosen = (0..reach).map(|_| {
                let at = self.standing.dice.below(map.free.len());
                seat(&map.free.swap_remove(at))
            });
            return Ok(Look::Seats(chosen.collect::<Stage<_>>()?));
        }
        let with = |least: u64| -> Vec<&str> {
            let lines = map.sections.iter();
            lines
                .filter(|line| line.available >= least && line.name != section)
                .map(|line| line.name.as_ref())
                .collect()
        };
        let mut elsewhere = with(wanted as u64);
        if elsewhere.is_empty() {
            // Nowhere are so many left: a group then takes what there is.
            if !map.free.is_empty() {
                let last = map.free.iter().map(|id| seat(id));
                return Ok(Look::Seats(last.collect::<Stage<_>>()?));
            }
            elsewhere = with(1);
        }
        Ok(if elsewhere.is_empty() {
            Look::Nothing
        } else {
            Look::Elsewhere(elsewhere[self.standing.dice.below(elsewhere.len())].to_owned())
        })
    }

    /// The seat map of `section`; renews an entry token that ran out while the slot lasts.
    async fn look_behind_gate(&mut self, mut due: Instant, section: &str) -> Stage<Answer> {
        for _ in 0..RENEWALS_MAX {
            let path = format!("{}?section={}", self.world.paths.seats, percent_encode(section));
            let ask = Ask::get(path, &self.passes);
            let answer = self.request(Step::SeatMap, due, ask).await?;
            match answer.status {
                200..=299 => return Ok(answer),
                401 | 403 => match self.renew_entry().await? {
                    Some(entry) => self.passes.entry = Some(entry),
                    None => return Err(Outcome::Refused),
                },
                _ => return Err(Outcome::Failed),
            }
            due = Instant::now();
        }
        Err(Outcome::Refused)
    }

    /// Tries to hold `seats`; `None` when somebody was quicker.
    async fn reach_for(
        &mut self,
        due: Instant,
        account: &Account,
        seats: &[Uuid],
    ) -> Stage<Option<Reservation>> {
        let body = serde_json::json!({
            "eventId": self.world.sale, "seatIds": seats, "idempotencyKey": self.fresh_key(),
        })
        .to_string();
        for _ in 0..RENEWALS_MAX {
            let ask = Ask::post(self.world.paths.reserve.clone(), Some(body.clone()), &self.passes);
            let answer = self.request(Step::Hold, due, ask).await?;
            match answer.status {
                200..=299 => {
                    let reserved: Reserved = read(&answer, Step::Hold)?;
                    Counters::add(&self.world.live.counters.held);
                    let now = self.world.clock.now();
                    self.world.observer.note(|notes| notes.hold(now));
                    return Ok(Some(reserved.reservation));
                }
                409 => {
                    Counters::add(&self.world.live.counters.conflicts);
                    return Ok(None);
                }
                401 | 403 => match self.renew_entry().await? {
                    Some(entry) => self.passes.entry = Some(entry),
                    None => return Err(Outcome::Refused),
                },
                status => {
                    tracing::warn!(user = %account.user, status, body = %text(&answer), "hold refused");
                    return Err(Outcome::Failed);
                }
            }
        }
        Err(Outcome::Refused)
    }

    /// A key nobody else uses: seeded, and tied to the sale so that a second drill differs.
    pub(super) fn fresh_key(&mut self) -> Uuid {
        let bits = self.standing.dice.wide() ^ self.world.sale.as_u128();
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

/// A seat's id as the map has it.
fn seat(id: &str) -> Stage<Uuid> {
    Uuid::try_parse(id).map_err(|error| {
        tracing::warn!(id, %error, "a seat without an id");
        Outcome::Failed
    })
}

/// The start of an answer's body, for a log line.
fn text(answer: &Answer) -> String {
    const SHOWN: usize = 200;
    String::from_utf8_lossy(&answer.body)
        .chars()
        .take(SHOWN)
        .collect()
}

/// A section's name in a query: everything but letters and digits is escaped.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
