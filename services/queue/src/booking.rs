//! Who may stand in line, by the terms that booking keeps and holds are judged by (R-BOOK-14, decision 0028).
//!
//! The terms of an event are asked for by the first who joins it, and again behind the backs of those who follow:
//! a join compares instants. Only while a presale lasts is one question more asked about who joins, once. Without
//! an answer the line goes on, as booking, which did not answer, enforces the same.

use arc_swap::{ArcSwap, ArcSwapOption};
use metrics::counter;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};
use urr_core::{
    presale::Tier,
    sale::SaleId,
    terms::{Fan, Refusal, Terms},
    time::Millis,
};
use urr_kit::{
    SharedClock,
    error::chain,
    internal::{InternalClient, InternalError},
    trace,
};
use uuid::Uuid;

/// How old terms may get while people join. What is late here is enforced by booking.
const FRESH_MS: i64 = 10_000;
/// How soon booking is asked again that did not answer.
const RETRY_MS: i64 = 2_000;
/// Questions under way at once: at 5 ms each far more than a line lets in, and a fraction of what booking serves.
const QUESTIONS_MAX: usize = 64;
/// Events remembered; forgotten as a whole when full, which costs a question each.
const EVENTS_MAX: usize = 1024;

/// What booking says.
pub(crate) struct Booking {
    client: InternalClient,
    base: String,
    clock: SharedClock,
    /// Who joins waits this long for an answer.
    patience: Duration,
    // Read by every join, written when an event is first joined.
    events: ArcSwap<HashMap<SaleId, Arc<Event>>>,
    questions: Arc<Semaphore>,
    failing: AtomicBool,
}

/// One event, as booking last told of it.
struct Event {
    /// None: it knows no such event, or nothing was heard yet.
    terms: ArcSwapOption<Terms>,
    /// Whether booking has answered, or had its time to.
    settled: AtomicBool,
    heard: Notify,
    /// When it is asked again, by the wall clock.
    ask_at: AtomicI64,
}

impl Booking {
    pub(crate) fn new(client: InternalClient, base: &str, clock: SharedClock, patience: Duration) -> Self {
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            clock,
            patience,
            events: ArcSwap::default(),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            failing: AtomicBool::new(false),
        }
    }

    /// Whether, as far as is known here, anybody may stand in line at `now`: nothing needs to be asked first.
    pub(crate) fn lets_everybody(&self, sale: SaleId, now: Millis) -> bool {
        let events = self.events.load();
        events.get(&sale).is_some_and(|event| {
            let everybody = |terms: Terms| terms.in_line(now).is_ok() && terms.presale_at(now).is_none();
            event.is_settled() && event.terms().is_none_or(everybody)
        })
    }

    /// Whether `user` may get in line at `now`.
    pub(crate) async fn judge(
        self: &Arc<Self>,
        sale: SaleId,
        user: Uuid,
        now: Millis,
    ) -> Result<(), Refusal> {
        let Some(terms) = self.terms(sale, now).await else {
            return Ok(());
        };
        let judged = match terms.in_line(now) {
            Ok(()) if terms.presale_at(now).is_some() => match self.tier(sale, user).await {
                Some(tier) => terms.turn(tier, now),
                None => Ok(()),
            },
            judged => judged,
        };
        if let Err(refusal) = judged {
            counter!("urr_queue_refused_joins_total", "code" => refusal.code()).increment(1);
        }
        judged
    }

    /// What was heard of the event, if anything was.
    #[cfg(test)]
    pub(crate) fn known(&self, sale: SaleId) -> Option<Option<Terms>> {
        let events = self.events.load();
        let event = events.get(&sale).filter(|event| event.is_settled());
        event.map(|event| event.terms())
    }

    /// The terms of an event, waited for only by the first who join it.
    async fn terms(self: &Arc<Self>, sale: SaleId, now: Millis) -> Option<Terms> {
        let event = self.event(sale);
        if event.is_due(now) {
            self.ask_for_terms(sale, &event);
        }
        if !event.is_settled() {
            event.wait(self.patience).await;
        }
        event.terms()
    }

    fn event(&self, sale: SaleId) -> Arc<Event> {
        if let Some(event) = self.events.load().get(&sale) {
            return Arc::clone(event);
        }
        let fresh = Arc::new(Event::unheard());
        self.events.rcu(|events| {
            let mut events = if events.len() >= EVENTS_MAX {
                HashMap::new()
            } else {
                HashMap::clone(events)
            };
            events.entry(sale).or_insert_with(|| Arc::clone(&fresh));
            events
        });
        self.events.load().get(&sale).map_or(fresh, Arc::clone)
    }

    fn ask_for_terms(self: &Arc<Self>, sale: SaleId, event: &Arc<Event>) {
        let Ok(permit) = Arc::clone(&self.questions).try_acquire_owned() else {
            return event.settle();
        };
        let (booking, event) = (Arc::clone(self), Arc::clone(event));
        tokio::spawn(trace::carried(async move {
            let _permit = permit;
            let url = format!("{}/internal/sales/{sale}/terms", booking.base);
            let told = match booking.client.get_json::<Terms>(&url).await {
                Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => Ok(None),
                told => told.map(|terms| Some(Arc::new(terms))),
            };
            match told {
                Ok(terms) => {
                    event.terms.store(terms);
                    event
                        .ask_at
                        .store(booking.clock.now().plus_ms(FRESH_MS).0, Ordering::Relaxed);
                    booking.answered();
                }
                Err(error) => booking.failed(sale, &error),
            }
            event.settle();
        }));
    }

    /// What `user` is to whose show it is, if booking says so in time.
    async fn tier(&self, sale: SaleId, user: Uuid) -> Option<Tier> {
        let url = format!("{}/internal/sales/{sale}/tiers/{user}", self.base);
        let answer = async {
            let permit = Arc::clone(&self.questions).acquire_owned().await.ok()?;
            let client = self.client.clone();
            // It goes on when nobody waits for it any more: the breaker must learn how it ends.
            let question = tokio::spawn(trace::carried(async move {
                let _permit = permit;
                client.get_json::<Fan>(&url).await
            }));
            question.await.ok()
        };
        match timeout(self.patience, answer).await {
            Ok(Some(Ok(fan))) => {
                self.answered();
                return Some(fan.tier);
            }
            Ok(Some(Err(error))) => self.failed(sale, &error),
            Ok(None) | Err(_) => {}
        }
        counter!("urr_queue_unjudged_joins_total").increment(1);
        None
    }

    fn answered(&self) {
        // Reading is what everybody does all the time.
        if self.failing.load(Ordering::Relaxed) {
            self.failing.store(false, Ordering::Relaxed);
        }
    }

    /// Said once until it answers again.
    fn failed(&self, sale: SaleId, error: &InternalError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%sale, error = chain(error),
                "booking does not say who may stand in line; everybody may, and booking refuses");
        }
    }
}

impl Event {
    fn unheard() -> Self {
        Self {
            terms: ArcSwapOption::empty(),
            settled: AtomicBool::new(false),
            heard: Notify::new(),
            ask_at: AtomicI64::new(i64::MIN),
        }
    }

    fn terms(&self) -> Option<Terms> {
        self.terms.load().as_deref().copied()
    }

    /// Whether booking should be asked. Says so to one caller, so that a crowd asks once.
    fn is_due(&self, now: Millis) -> bool {
        let ask_at = self.ask_at.load(Ordering::Relaxed);
        // Too far ahead: the clock was set back.
        let due = now.0 >= ask_at || ask_at > now.plus_ms(FRESH_MS).0;
        due && self
            .ask_at
            .compare_exchange(
                ask_at,
                now.plus_ms(RETRY_MS).0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    fn settle(&self) {
        self.settled.store(true, Ordering::Release);
        self.heard.notify_waiters();
    }

    async fn wait(&self, patience: Duration) {
        let heard = self.heard.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        if !self.is_settled() && timeout(patience, heard).await.is_err() {
            // Who comes after this one does not wait in vain.
            self.settle();
        }
    }
}
