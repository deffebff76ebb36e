//! Tells others who was let in (R-QUE-16): each admission of the log goes to the event bus, to an SQS
//! FIFO queue, or to both, in the order of its line. Off by default.
//!
//! The log is the outbox: the script writes it in the step in which it acts, and admission never
//! waits for anybody here. Replicas share the work by a lease that is only for economy. Order needs
//! none: whoever publishes starts where the destination's cursor stands, goes forward without leaving
//! anything out, and moves the cursor only past what was settled. So at every instant what was told is the
//! beginning of the line, and a publisher that died, or was thought dead, can only repeat: under the
//! same event ids (bus) and deduplication ids (SQS). What was not published when Redis was lost is lost with
//! the log.

mod bus;
mod log;
mod sqs;

pub(crate) use bus::Bus;
pub(crate) use sqs::Sqs;

use crate::store::Store;
use futures::future::BoxFuture;
use log::{Batch, Log, Next};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis, SharedClock,
    error::{BoxError, chain},
    events::{
        ADMISSION_EVENTS, Envelope, EventBus as _, RedisStreams, USER_ADMITTED, UserAdmitted, bus::Message,
    },
};
use uuid::Uuid;

/// How often the logs are looked at.
const EVERY: Duration = Duration::from_millis(200);
/// The longest pause while a destination is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Somebody was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Its entry in the log.
    entry: String,
    pub(crate) sale: SaleId,
    pub(crate) user: Uuid,
    pub(crate) position: Option<u64>,
    pub(crate) at: Millis,
    /// The same for the same entry, whoever tells it.
    pub(crate) event_id: Uuid,
}

impl Admission {
    /// As an event of the topic `admissions`.
    fn message(&self) -> Result<Message, serde_json::Error> {
        let admitted = UserAdmitted {
            action: "admitted".to_owned(),
            event_id: self.sale,
            user_id: self.user,
            position: self.position,
        };
        let event = Envelope::new(USER_ADMITTED, "sale", self.sale, self.at, &admitted)?;
        let event = Envelope {
            event_id: self.event_id,
            ..event
        };
        Message::new(ADMISSION_EVENTS, &event.by(self.user))
    }
}

/// Who is told.
pub(crate) trait Destination: Send + Sync + 'static {
    /// Its name in keys and metrics.
    fn name(&self) -> &'static str;

    /// Tells of some admissions of some lines, each line's in their order: one is begun only when all
    /// before it are settled.
    fn tell<'a>(&'a self, lines: &'a [&'a [Admission]]) -> BoxFuture<'a, Told>;
}

/// How far telling came.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Of each line.
    pub(crate) lines: Vec<Settled>,
    /// Why not everything is settled.
    pub(crate) failure: Option<BoxError>,
}

/// The beginning of a line's admissions that needs no more telling.
#[derive(Debug, Default, Clone)]
pub(crate) struct Settled {
    pub(crate) count: usize,
    /// Which of these the destination will never take, and why.
    pub(crate) refused: Vec<(usize, String)>,
}

/// Publishes the logs of all lines this replica knows, and of those that ended untold.
pub(crate) struct Publisher {
    store: Arc<Store>,
    log: Log,
    letters: RedisStreams,
    clock: SharedClock,
    to: Box<dyn Destination>,
}

impl Publisher {
    pub(crate) fn new(store: Arc<Store>, redis: Redis, clock: SharedClock, to: Box<dyn Destination>) -> Self {
        Self {
            store,
            log: Log::new(redis.clone(), to.name()),
            letters: RedisStreams::new(redis),
            clock,
            to,
        }
    }

    /// Publishes until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let to = self.to.name();
        let (mut pause, mut failing) = (EVERY, false);
        while tokio::time::timeout(pause, shutdown.cancelled()).await.is_err() {
            let Round { more, failure } = self.round().await;
            pause = match (more, &failure) {
                (true, _) => Duration::ZERO,
                (false, Some(_)) => (pause * 2).clamp(EVERY, PAUSE_MAX),
                (false, None) => EVERY,
            };
            // Once per outage.
            match &failure {
                Some(error) if !failing => {
                    tracing::warn!(to, error = chain(error.as_ref()), "admissions wait to be told");
                }
                None if failing => tracing::info!(to, "admissions are told again"),
                _ => {}
            }
            failing = failure.is_some();
        }
    }

    /// Publishes what is new, at most a batch of each line. A line that fails leaves the others alone.
    pub(crate) async fn round(&self) -> Round {
        let mut round = Round::default();
        let batches = self.batches(&mut round).await;
        let lines: Vec<&[Admission]> = batches.iter().map(|batch| &batch.admissions[..]).collect();
        let told = self.to.tell(&lines).await;
        round.failure = round.failure.or(told.failure);
        let mut oldest: Option<Millis> = None;
        for (batch, settled) in batches.iter().zip(&told.lines) {
            let waits = batch.admissions.get(settled.count).map(|admission| admission.at);
            oldest = oldest.into_iter().chain(waits).min();
            match self.settle(batch, settled).await {
                Ok(()) => round.more |= batch.is_full && waits.is_none(),
                Err(error) => round.failure = round.failure.or(Some(error)),
            }
        }
        let behind_ms = oldest.map_or(0, |oldest| self.clock.now().since(oldest).max(0));
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of an outage are far below 2^52"
        )]
        metrics::gauge!("urr_queue_admissions_behind_ms", "to" => self.to.name()).set(behind_ms as f64);
        round
    }

    /// What is new in each line that nobody else is at.
    async fn batches(&self, round: &mut Round) -> Vec<Batch> {
        let mut batches = Vec::new();
        let ended = match self.log.ended().await {
            Ok(ended) => ended,
            Err(error) => {
                round.failure = Some(error.into());
                return batches;
            }
        };
        let mut sales = self.store.lines.all();
        sales.extend(ended.iter().filter(|sale| self.store.lines.get(**sale).is_none()));
        for sale in sales {
            let next = match self.log.next(sale).await {
                Ok(Next::Nothing) if ended.contains(&sale) => self.log.all_told(sale).await.map(|()| None),
                Ok(Next::Batch(batch)) => Ok(Some(batch)),
                Ok(Next::Nothing | Next::OfAnother) => Ok(None),
                Err(error) => Err(error),
            };
            match next {
                Ok(batch) => batches.extend(batch),
                Err(error) => round.failure = round.failure.take().or(Some(error.into())),
            }
        }
        batches
    }

    /// Notes what needs no more telling; what was refused goes where people look after it.
    async fn settle(&self, batch: &Batch, settled: &Settled) -> Result<(), BoxError> {
        let to = self.to.name();
        for (at, why) in &settled.refused {
            let reason = format!("{to}: {why}");
            self.letters
                .bury(&batch.admissions[*at].message()?, &reason)
                .await?;
        }
        self.log.advance(batch, settled.count).await?;
        let refused = settled.refused.len() as u64;
        metrics::counter!("urr_queue_admissions_refused_total", "to" => to).increment(refused);
        metrics::counter!("urr_queue_admissions_published_total", "to" => to)
            .increment(settled.count as u64 - refused);
        Ok(())
    }
}

/// What came of a round.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Whether a line has more to tell at once.
    pub(crate) more: bool,
    /// Why something waits.
    pub(crate) failure: Option<BoxError>,
}
