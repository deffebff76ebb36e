//! The only place of this service that speaks to Redis: one script per act, one round trip each.
//!
//! Keys are named as api-contract.md section 6 says and share the hash tag `{eventId}`, so the
//! script also runs in a cluster (R-QUE-14). What Redis loses is given back from what this replica
//! knows ([`Lines`]) before anything else is done.

mod ask;
mod call;
mod elsewhere;
mod listed;
mod lost;
mod view;

pub(crate) use call::{Act, Proof, key};
pub(crate) use listed::untold_key;
pub(crate) use view::{Gate, Life, Standing, View};

use crate::{
    breaker::Breakers,
    durable::Durable,
    ladder::Ladder,
    lines::{Line, Lines},
};
use ask::Asker;
use call::{Call, Knows};
use redis::{AsyncCommands as _, RedisError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    state::{
        StateError,
        limits::{Limits, LimitsStore},
    },
};

/// People moved by one run of the script. Measured (`admit_max_block_ms`): a hundred hold Redis up for some
/// 2 ms with a million in line, and on a host that gives us less of its cores for 6; 5 ms are promised.
pub(crate) const MOVES_MAX: u32 = 50;

/// Runs per act while the script says there is more to do: an admin clears 20,000 people at a time.
const RUNS_MAX: u32 = 400;

/// How old the copy of a sale's limits may get while the sale is in use.
const LIMITS_FRESH_MS: i64 = 1000;

/// People told about in one call: some 0.3 ms of Redis.
const HEARD_MAX: usize = 200;

/// What holds for an event without limits of its own (api-contract.md section 6).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) rate_per_s: u32,
    pub(crate) burst: u32,
    pub(crate) cap: u32,
    pub(crate) silence_s: u32,
    /// An active visitor whose client says it is a phone may be silent for this long.
    pub(crate) phone_silence_s: u32,
    pub(crate) active_ttl_s: u32,
    pub(crate) token_ttl_s: u32,
    /// A waiting visitor silent for this long gives up the place in this line.
    pub(crate) seen_ttl_s: u32,
    /// People who may wait here at once (R-QUE-10).
    pub(crate) line_max: u32,
    pub(crate) moves_max: u32,
}

/// Guards that are off: only where a test or a sabotaged drill shows what they are for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guards {
    pub(crate) cap_off: bool,
    pub(crate) clock_off: bool,
    pub(crate) recovery_off: bool,
}

impl Guards {
    fn letters(self) -> String {
        [
            (self.cap_off, 'c'),
            (self.clock_off, 'k'),
            (self.recovery_off, 'r'),
        ]
        .into_iter()
        .filter_map(|(off, letter)| off.then_some(letter))
        .collect()
    }
}

/// A verified tier-1 place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) epoch: u32,
}

/// Redis did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It was not even asked: it has not answered for a while.
    #[error("Redis is away")]
    Away,
    #[error("Redis failed to act on the line")]
    Redis(#[from] RedisError),
    /// The sale's limits could not be read or written back.
    #[error(transparent)]
    Limits(#[from] StateError),
    /// Redis lost the line and did not take it back; nothing was done to it.
    #[error("the line is lost")]
    Lost,
    /// Script and code are of two versions; a defect.
    #[error("the line's script answered {0:?}")]
    Answer(Vec<i64>),
}

/// The lines, as Redis keeps them.
pub(crate) struct Store {
    redis: Redis,
    defaults: Defaults,
    guards: Guards,
    limits: LimitsStore,
    durable: Durable,
    /// Who is told of admissions.
    tells: &'static [&'static str],
    announced: Mutex<HashMap<SaleId, Millis>>,
    breakers: Breakers,
    started: Instant,
    calls: AtomicU64,
    counted: metrics::Counter,
    pub(crate) lines: Lines,
}

impl Store {
    pub(crate) fn new(redis: Redis, durable: Durable, defaults: Defaults, guards: Guards) -> Self {
        Self {
            limits: LimitsStore::new(redis.clone()),
            durable,
            redis,
            defaults,
            guards,
            tells: &[],
            announced: Mutex::default(),
            breakers: Breakers::default(),
            started: Instant::now(),
            calls: AtomicU64::new(0),
            counted: metrics::counter!("urr_queue_redis_calls_total"),
            lines: Lines::default(),
        }
    }

    /// The same store, knowing who is told of admissions.
    pub(crate) const fn telling(mut self, tells: &'static [&'static str]) -> Self {
        self.tells = tells;
        self
    }

    /// Does `act`, in one run of the script; an admin's `Clear` in as many as it takes (bounded).
    pub(crate) async fn act(&self, sale: SaleId, act: Act<'_>, now: Millis) -> Result<View, StoreError> {
        self.act_with(sale, act, Proof::default(), now).await
    }

    /// As [`Store::act`], with what the caller proves.
    pub(crate) async fn act_with(
        &self,
        sale: SaleId,
        act: Act<'_>,
        proof: Proof,
        now: Millis,
    ) -> Result<View, StoreError> {
        let line = self.lines.get_or_blank(sale);
        let mut view = self.run_on(&line, sale, act, proof, now).await?.0;
        if let Act::Clear = act {
            for _ in 1..RUNS_MAX {
                if !view.more {
                    break;
                }
                view = self.run_on(&line, sale, act, proof, now).await?.0;
            }
        }
        Ok(view)
    }

    /// Looks at the line and measures where in it which places stand.
    pub(crate) async fn survey(&self, sale: SaleId, now: Millis) -> Result<View, StoreError> {
        let line = self.lines.get_or_blank(sale);
        let (view, knots) = self
            .run_on(&line, sale, Act::Survey, Proof::default(), now)
            .await?;
        line.survey(Ladder::of(&knots));
        Ok(view)
    }

    /// Tells Redis who of those waiting has shown himself here; returns how many.
    pub(crate) async fn tell_heard(&self, sale: SaleId, now: Millis) -> Result<usize, StoreError> {
        let line = self.lines.get_or_blank(sale);
        let users = line.take_unsaid(HEARD_MAX);
        if users.is_empty() {
            return Ok(0);
        }
        self.run_on(&line, sale, Act::Heard(&users), Proof::default(), now)
            .await?;
        if line.limits().is_some_and(|limits| limits.one_line_per_user) {
            self.keep_waiting(sale, &users).await?;
        }
        Ok(users.len())
    }

    /// The limits of the sale, at most a second old.
    pub(crate) async fn limits_of(&self, sale: SaleId, now: Millis) -> Result<Option<Limits>, StoreError> {
        let line = self.lines.get_or_blank(sale);
        self.refresh_limits(&line, sale, now).await?;
        Ok(line.limits())
    }

    /// How long a fresh entry token for `sale` lives: not longer than the slot.
    pub(crate) fn entry_life_s(&self, sale: SaleId) -> u32 {
        let limits = self.lines.get(sale).and_then(|line| line.limits());
        limits.map_or_else(
            || self.defaults.token_ttl_s.min(self.defaults.active_ttl_s),
            |limits| limits.token_ttl_s.min(limits.active_ttl_s),
        )
    }

    /// Every how many milliseconds of polling Redis is told that somebody waits: three times within
    /// the silence that would cost the place, should a call fail.
    pub(crate) fn tell_every_ms(&self) -> i64 {
        i64::from(self.defaults.seen_ttl_s) * 1000 / 4
    }

    /// A visitor who waits may be silent for this long.
    pub(crate) fn waiting_silence_ms(&self) -> i64 {
        i64::from(self.defaults.seen_ttl_s) * 1000
    }

    /// Calls to Redis so far: what a poll must not add to.
    #[cfg(test)]
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn breaker(&self, sale: SaleId) -> &crate::breaker::Breaker {
        self.breakers.of(sale)
    }

    /// Sets the admin's threshold.
    pub(crate) async fn set_threshold(&self, sale: SaleId, cap: u32) -> Result<(), StoreError> {
        let key = key(&self.redis, sale, "threshold");
        self.ask(sale, Asker::Visitor, self.redis.conn().set(key, cap))
            .await
    }

    /// One run of the script; first, if Redis lost the line, what is known of it is given back.
    async fn run_on(
        &self,
        line: &Arc<Line>,
        sale: SaleId,
        act: Act<'_>,
        proof: Proof,
        now: Millis,
    ) -> Result<(View, Vec<i64>), StoreError> {
        let life = line.living_head(now).map(|view| view.life);
        let has_limits = line.has_limits() || life.is_none() && self.durable.may_be_a_sale(sale, now).await;
        let mut call = Call {
            sale,
            act,
            proof,
            now,
            knows: Knows { life, has_limits },
        };
        let (view, knots) = match self.run(&call).await {
            Err(StoreError::Lost) => {
                self.give_back(line, sale, now).await?;
                call.knows.life = line.living_head(now).map(|view| view.life);
                self.run(&call).await?
            }
            done => done?,
        };
        let before = line
            .living_head(now)
            .filter(|head| head.life.born != view.life.born);
        if let Some(before) = before
            && !self.guards.recovery_off
        {
            // Somebody else was first to notice; what this replica saw may reach further.
            self.revive(sale, &before, line.has_limits(), now).await?;
        }
        if view.life.born != 0 {
            let line = self.lines.keep(sale, Arc::clone(line));
            line.learn(&view, now);
            if view.configured {
                self.refresh_limits(&line, sale, now).await?;
            }
        }
        Ok((view, knots))
    }

    async fn run(&self, call: &Call<'_>) -> Result<(View, Vec<i64>), StoreError> {
        let invocation = call::prepare(&self.redis, &self.defaults, self.guards, call);
        let asker = if call.act.is_the_tickers() {
            Asker::Ticker
        } else {
            Asker::Visitor
        };
        let mut conn = self.redis.conn();
        let answer: Vec<i64> = self
            .ask(call.sale, asker, invocation.invoke_async(&mut conn))
            .await?;
        if answer.is_empty() {
            return Err(StoreError::Lost);
        }
        match View::parse(&answer) {
            Some((view, knots)) => Ok((view, knots.to_vec())),
            None => Err(StoreError::Answer(answer)),
        }
    }

    async fn refresh_limits(&self, line: &Line, sale: SaleId, now: Millis) -> Result<(), StoreError> {
        if line.must_read_limits(now, LIMITS_FRESH_MS) {
            let read = self.ask(sale, Asker::Visitor, self.limits.read(sale));
            if let Some(limits) = read.await? {
                line.learn_limits(limits);
            }
        }
        Ok(())
    }
}
