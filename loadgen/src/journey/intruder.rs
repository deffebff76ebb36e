//! The back door: every way in that skips the line. All of them must be shut (`no-back-door`).

use super::request::read;
use super::{Account, Journey, Stage};
use crate::http::{Answer, Ask, Passes};
use crate::measure::{Outcome, Step};
use crate::observe::Intrusion;
use crate::scenario::{Behaviour, Trick};
use crate::wire::{Assigned, Queued};
use std::sync::Arc;
use std::time::{Duration, Instant};
use urr_core::token::{Keyring, entry, tier1};
use uuid::Uuid;

/// What an intruder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// A seat, at the gateway's and booking's gate.
    Seat,
    /// A slot, at tier 2.
    Slot,
    /// A place further ahead, at tier 1.
    Place,
}

impl Journey {
    /// Waits for the opening, then tries every trick once.
    pub(super) async fn intrude(&mut self) -> Stage<Outcome> {
        /// Spread over the busiest seconds.
        const WITHIN_MS: u32 = 1000;
        let Behaviour::Intrudes { tricks } = self.behaviour() else {
            return Err(Outcome::Failed);
        };
        let tricks = tricks.clone();
        let opening = self.world.clock.from_opening(0).max(self.arrival());
        let spread = Duration::from_millis(self.standing.dice.around_ms(WITHIN_MS));
        self.stay_until(opening + spread).await?;
        let account = self.world.mint(self.index());
        let mut outcome = Outcome::Blocked;
        for trick in tricks {
            let Some((goal, ask)) = self.attempt(trick, &account).await? else {
                continue;
            };
            let request = format!("{} {}", if ask.post { "POST" } else { "GET" }, ask.path);
            let answer = self.request(Step::Intrude, Instant::now(), ask).await?;
            let got_in = got_in(goal, &answer);
            if got_in {
                outcome = Outcome::BrokeIn;
            }
            let intrusion = Intrusion {
                trick,
                request,
                status: answer.status,
                got_in,
            };
            self.world.observer.note(|notes| notes.intrusion(intrusion));
        }
        Ok(outcome)
    }

    /// The request of one trick; `None` when what it takes cannot be had.
    async fn attempt(&mut self, trick: Trick, account: &Account) -> Stage<Option<(Goal, Ask)>> {
        if trick == Trick::TamperedPlace {
            let place = self.tampered_place().await?;
            return Ok(place.map(|place| {
                let path = format!("{}/{place}?userId={}", self.world.paths.check, self.visitor_key());
                (Goal::Place, Ask::get(path, &Passes::default()))
            }));
        }
        let world = Arc::clone(&self.world);
        let now = world.clock.now();
        let genuine = |sale: Uuid, user: Uuid, at: urr_core::time::Millis| -> Arc<str> {
            let claims = entry::Claims::new(sale, user, at, world.token_ttl_s);
            entry::issue(&world.secrets.entry_keys, &claims).into()
        };
        let mut passes = Passes {
            access: Some(Arc::clone(&account.access)),
            ..Passes::default()
        };
        let mut headers = Vec::new();
        let mut goal = Goal::Seat;
        let mut query = "";
        match trick {
            Trick::NoToken => {}
            Trick::ForgedToken => passes.entry = Some(self.forged(account, now)?),
            Trick::ForeignUser => {
                let other = self.random_id();
                passes.entry = Some(genuine(world.sale, other, now));
            }
            Trick::ForeignSale => {
                let other = self.random_id();
                passes.entry = Some(genuine(other, account.user, now));
            }
            Trick::ExpiredToken => {
                let long_ago = now.plus_s(-2 * i64::from(world.token_ttl_s) - 60);
                passes.entry = Some(genuine(world.sale, account.user, long_ago));
            }
            Trick::Tier1AsEntry => {
                let claims = tier1::Claims {
                    sub: world.sale,
                    uid: account.user.to_string(),
                    tier: 1,
                    pos: 1,
                    epoch: 1,
                    iat: now.0 / 1000,
                    exp: now.0 / 1000 + i64::from(world.token_ttl_s),
                };
                passes.entry = Some(tier1::issue(&world.secrets.vwr_keys, &claims).into());
            }
            Trick::RefreshAsAccess => {
                goal = Goal::Slot;
                let family = self.random_id();
                let refresh = world.tokens.issue_refresh(account.user, family, now);
                passes.access = Some(refresh.token.into());
            }
            Trick::IdentityHeader => {
                goal = Goal::Slot;
                passes.access = None;
                headers = vec![
                    ("X-User-Id", account.user.to_string()),
                    ("X-User-Email", "admin@urr.com".to_owned()),
                    ("X-User-Role", "admin".to_owned()),
                ];
            }
            Trick::MadeUpPosition => {
                goal = Goal::Slot;
                query = "?vwrPosition=1";
            }
            Trick::TamperedToken => {
                goal = Goal::Slot;
                passes.vwr = Some(self.tampered_token(now)?);
            }
            // Told above: it is not a request with passes.
            Trick::TamperedPlace => return Ok(None),
        }
        let mut ask = match goal {
            Goal::Slot => Ask::post(format!("{}{query}", world.paths.queue_check), None, &passes),
            Goal::Seat | Goal::Place => {
                let body = serde_json::json!({
                    "eventId": world.sale, "seatIds": [self.random_id()], "idempotencyKey": self.random_id(),
                });
                Ask::post(world.paths.reserve.clone(), Some(body.to_string()), &passes)
            }
        };
        ask.headers = headers;
        Ok(Some((goal, ask)))
    }

    /// Takes a place as everybody may and alters it; `None` when none was given.
    async fn tampered_place(&mut self) -> Stage<Option<Uuid>> {
        let body = format!(r#"{{"userId":"{}"}}"#, self.visitor_key());
        let ask = Ask::post(self.world.paths.assign.clone(), Some(body), &Passes::default());
        let answer = self.request(Step::Join, Instant::now(), ask).await?;
        if !(200..300).contains(&answer.status) {
            return Ok(None);
        }
        let assigned: Assigned = read(&answer, Step::Join)?;
        let mut bytes = assigned.request_id.into_bytes();
        // One bit of the place; which one means "further ahead" the intruder cannot know.
        let bit = self.standing.dice.below(40);
        bytes[bit / 8] ^= 1 << (bit % 8);
        Ok(Some(Uuid::from_bytes(bytes)))
    }

    /// A tier-1 token for place 1 under the signature of a genuine one far behind.
    fn tampered_token(&mut self, now: urr_core::time::Millis) -> Stage<Arc<str>> {
        let claims = |pos| tier1::Claims {
            sub: self.world.sale,
            uid: self.visitor_key(),
            tier: 1,
            pos,
            epoch: 1,
            iat: now.0 / 1000,
            exp: now.0 / 1000 + i64::from(self.world.token_ttl_s),
        };
        let genuine = tier1::issue(&self.world.secrets.vwr_keys, &claims(1_000_000_000));
        let wished = claims(1);
        let wished = tier1::issue(&self.own_keys()?, &wished);
        let signed = genuine.rsplit_once('.').map_or("", |(_, signature)| signature);
        let said = wished.rsplit_once('.').map_or("", |(said, _)| said);
        Ok(format!("{said}.{signed}").into())
    }

    /// Keys that nobody but the intruder has.
    fn own_keys(&mut self) -> Stage<Keyring> {
        let secret = format!(
            "{:032x}{:032x}",
            self.standing.dice.wide(),
            self.standing.dice.wide()
        );
        Keyring::new(&[secret]).map_err(|error| {
            tracing::warn!(%error, "an intruder's own key was refused");
            Outcome::Failed
        })
    }

    /// An entry token signed with a key of the intruder's own.
    fn forged(&mut self, account: &Account, now: urr_core::time::Millis) -> Stage<Arc<str>> {
        let keys = self.own_keys()?;
        let claims = entry::Claims::new(self.world.sale, account.user, now, self.world.token_ttl_s);
        Ok(entry::issue(&keys, &claims).into())
    }

    fn random_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.standing.dice.wide().to_be_bytes()).into_uuid()
    }
}

/// Whether `answer` means that the door did not hold.
///
/// At a gate everything but 401 and 403 got past it, even "no such seat". At tier 2 being queued
/// behind everybody is harmless; a slot is not.
fn got_in(goal: Goal, answer: &Answer) -> bool {
    match goal {
        Goal::Seat => !matches!(answer.status, 401 | 403),
        Goal::Place => (200..300).contains(&answer.status),
        Goal::Slot => {
            (200..300).contains(&answer.status)
                && serde_json::from_slice::<Queued>(&answer.body)
                    .is_ok_and(|queued| queued.entry_token.is_some() || queued.status == "active")
        }
    }
}
