//! The only place of this service that speaks to Redis: one script per act, one round trip each.
//!
//! Keys are named as api-contract.md section 6 says and share the hash tag `{eventId}`, so the
//! script also runs in a cluster (R-QUE-14).

use crate::memory::Memory;
use redis::{AsyncCommands as _, RedisError, Script};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    state::{
        StateError,
        limits::{ACTIVE_EVENTS_KEY, limits_key},
    },
};
use uuid::Uuid;

/// People moved by one run of the script. Measured: 1,000 moves hold Redis up for some 10 ms;
/// 200 keep every other call below the 50 ms a status may take.
pub(crate) const MOVES_MAX: u32 = 200;

/// Runs per act while the script says there is more to do: a burst or a mass expiry of 20,000
/// people. What is left is done by the next tick.
const RUNS_MAX: u32 = 100;

/// Sales this process remembers to have announced. Forgotten as a whole when full: the cost is
/// one `SADD` each.
const ANNOUNCED_MAX: usize = 1024;
/// How long an announcement is not repeated.
const ANNOUNCED_MS: i64 = 1000;

static LINE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("line.lua")));

/// What holds for an event without limits of its own (api-contract.md section 6).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) rate_per_s: u32,
    pub(crate) burst: u32,
    pub(crate) cap: u32,
    pub(crate) silence_s: u32,
    pub(crate) active_ttl_s: u32,
    pub(crate) token_ttl_s: u32,
    /// A waiting visitor silent for this long gives up the place in this line.
    pub(crate) seen_ttl_s: u32,
    /// People who may wait here at once (R-QUE-10).
    pub(crate) line_max: u32,
}

/// A verified tier-1 place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) epoch: u32,
}

/// What is done to a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Get in line, or go in if there is room and one's turn.
    Join(Uuid, Option<Place>),
    /// Show that one is still there, and look.
    Touch(Uuid),
    /// Give up the place or the slot.
    Leave(Uuid),
    /// Take out who is gone, let in whose turn it is.
    Tick,
    /// Take out everybody.
    Clear,
    /// Only look.
    Look,
    /// Let a closed, empty sale's keys expire.
    Retire,
}

/// How a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Neither waiting nor inside.
    None,
    /// Waiting with this many people ahead.
    Queued { ahead: u64 },
    /// Inside until then.
    Active { ends_at: Millis },
    /// The line is full; the tier-1 place is untouched.
    Full,
    /// Somebody else came in with this place.
    Taken,
    /// The sale wants a tier-1 place of its present line.
    NoPlace,
}

/// Whether people are let in, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Early,
    Closed,
    SoldOut,
    Paused,
}

impl Gate {
    /// As the wire's `saleState` says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Early => "notYet",
            Self::Closed => "closed",
            Self::SoldOut => "soldOut",
            Self::Paused => "paused",
        }
    }
}

/// The line after an act.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) standing: Standing,
    pub(crate) waiting: u64,
    pub(crate) active: u64,
    pub(crate) cap: u32,
    pub(crate) rate_per_s: u32,
    pub(crate) burst: u32,
    pub(crate) gate: Gate,
    pub(crate) opens_at: Millis,
    pub(crate) token_ttl_s: u32,
    /// People let in by this act.
    pub(crate) moved: u64,
    /// Whether the act stopped at its bound.
    pub(crate) more: bool,
    pub(crate) admitted_total: u64,
    /// Length of the present window of measurement, and admissions in it.
    pub(crate) window_ms: u64,
    pub(crate) window_admitted: u64,
    /// Whether an operator holds the line, whatever else keeps the gate shut.
    pub(crate) paused: bool,
    /// Whether the control plane wrote limits for this event.
    pub(crate) configured: bool,
}

/// Redis did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("Redis failed to act on the line")]
    Redis(#[from] RedisError),
    /// The sale's limits could not be read or written back.
    #[error(transparent)]
    Limits(#[from] StateError),
    /// Redis lost the limits and did not take them back; nothing was done to the line.
    #[error("the limits of the sale are lost")]
    Lost,
    /// Script and code are of two versions; a defect.
    #[error("the line's script answered {0:?}")]
    Answer(Vec<i64>),
}

/// The lines, as Redis keeps them.
pub(crate) struct Store {
    redis: Redis,
    defaults: Defaults,
    hard_cap: bool,
    announced: Mutex<HashMap<SaleId, Millis>>,
    memory: Memory,
}

impl Store {
    /// `hard_cap` is off only where a test or a sabotaged drill shows what the guard is for.
    pub(crate) fn new(redis: Redis, defaults: Defaults, hard_cap: bool) -> Self {
        let memory = Memory::new(redis.clone());
        Self {
            redis,
            defaults,
            hard_cap,
            announced: Mutex::default(),
            memory,
        }
    }

    /// Does `act`, in as many runs of the script as it takes (bounded). The view is the last
    /// run's, with all people moved.
    pub(crate) async fn act(&self, sale: SaleId, act: Act, now: Millis) -> Result<View, StoreError> {
        let mut view = match self.run(sale, act, now).await {
            Err(StoreError::Lost) => {
                self.memory.restore(sale).await?;
                self.run(sale, act, now).await?
            }
            done => done?,
        };
        if view.configured {
            self.memory.refresh(sale, now).await?;
        }
        if let Act::Tick | Act::Clear = act {
            for _ in 1..RUNS_MAX {
                if !view.more {
                    break;
                }
                let moved = view.moved;
                view = self.run(sale, act, now).await?;
                view.moved += moved;
            }
        }
        Ok(view)
    }

    async fn run(&self, sale: SaleId, act: Act, now: Millis) -> Result<View, StoreError> {
        let (op, user, place) = match act {
            Act::Join(user, place) => ("join", Some(user), place),
            Act::Touch(user) => ("touch", Some(user), None),
            Act::Leave(user) => ("leave", Some(user), None),
            Act::Tick => ("tick", None, None),
            Act::Clear => ("clear", None, None),
            Act::Look => ("look", None, None),
            Act::Retire => ("retire", None, None),
        };
        let d = &self.defaults;
        let mut call = LINE.prepare_invoke();
        for name in ["queue", "active", "seen", "active-seen"] {
            call.key(self.key(sale, name));
        }
        call.key(self.redis.key(&limits_key(sale)));
        for name in ["claims", "log", "state", "threshold"] {
            call.key(self.key(sale, name));
        }
        call.arg(op)
            .arg(now.0)
            .arg(user.map(|user| user.to_string()).unwrap_or_default())
            .arg(place.map(|place| place.position.to_string()).unwrap_or_default())
            .arg(place.map(|place| place.epoch.to_string()).unwrap_or_default())
            .arg(d.rate_per_s)
            .arg(d.burst)
            .arg(d.cap)
            .arg(d.silence_s)
            .arg(d.active_ttl_s)
            .arg(d.token_ttl_s)
            .arg(d.seen_ttl_s)
            .arg(d.line_max)
            .arg(MOVES_MAX)
            .arg(u8::from(self.hard_cap))
            .arg(u8::from(self.memory.knows(sale)));
        let answer: Vec<i64> = call.invoke_async(&mut self.redis.conn()).await?;
        if answer.is_empty() {
            return Err(StoreError::Lost);
        }
        View::parse(&answer).ok_or(StoreError::Answer(answer))
    }

    /// Puts the sale on the list of lines to tick, at most once a second.
    pub(crate) async fn announce(&self, sale: SaleId, now: Millis) -> Result<(), StoreError> {
        {
            let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |at: &Millis| (0..ANNOUNCED_MS).contains(&now.since(*at));
            if announced.get(&sale).is_some_and(fresh) {
                return Ok(());
            }
            if announced.len() >= ANNOUNCED_MAX {
                announced.clear();
            }
            announced.insert(sale, now);
        }
        self.list(sale).await
    }

    /// Puts the sale on the list of lines to tick.
    pub(crate) async fn list(&self, sale: SaleId) -> Result<(), StoreError> {
        let key = self.redis.key(ACTIVE_EVENTS_KEY);
        Ok(self.redis.conn().sadd(key, sale.to_string()).await?)
    }

    /// Takes the sale off the list of lines to tick.
    pub(crate) async fn unlist(&self, sale: SaleId) -> Result<(), StoreError> {
        self.memory.forget(sale);
        let key = self.redis.key(ACTIVE_EVENTS_KEY);
        Ok(self.redis.conn().srem(key, sale.to_string()).await?)
    }

    /// The lines to tick.
    pub(crate) async fn listed(&self) -> Result<Vec<SaleId>, StoreError> {
        let members: Vec<String> = self
            .redis
            .conn()
            .smembers(self.redis.key(ACTIVE_EVENTS_KEY))
            .await?;
        Ok(members.iter().filter_map(|member| member.parse().ok()).collect())
    }

    /// Sets the admin's threshold.
    pub(crate) async fn set_threshold(&self, sale: SaleId, cap: u32) -> Result<(), StoreError> {
        Ok(self.redis.conn().set(self.key(sale, "threshold"), cap).await?)
    }

    fn key(&self, sale: SaleId, name: &str) -> String {
        self.redis.key(&format!("{{{sale}}}:{name}"))
    }
}

impl View {
    /// The order is that of the script's last statement.
    fn parse(answer: &[i64]) -> Option<Self> {
        let &[
            outcome,
            rank,
            ends_at,
            waiting,
            active,
            cap,
            rate_per_s,
            burst,
            gate,
            opens_at,
            token_ttl_s,
            moved,
            more,
            paused,
            admitted_total,
            window_ms,
            window_admitted,
            configured,
        ] = answer
        else {
            return None;
        };
        let standing = match outcome {
            0 => Standing::None,
            1 => Standing::Queued {
                ahead: rank.try_into().ok()?,
            },
            2 => Standing::Active {
                ends_at: Millis(ends_at),
            },
            3 => Standing::Full,
            4 => Standing::Taken,
            5 => Standing::NoPlace,
            _ => return None,
        };
        let gate = match gate {
            0 => Gate::Open,
            1 => Gate::Early,
            2 => Gate::Closed,
            3 => Gate::SoldOut,
            4 => Gate::Paused,
            _ => return None,
        };
        Some(Self {
            standing,
            waiting: waiting.try_into().ok()?,
            active: active.try_into().ok()?,
            cap: cap.try_into().ok()?,
            rate_per_s: rate_per_s.try_into().ok()?,
            burst: burst.try_into().ok()?,
            gate,
            opens_at: Millis(opens_at),
            token_ttl_s: token_ttl_s.try_into().ok()?,
            moved: moved.try_into().ok()?,
            more: more != 0,
            admitted_total: admitted_total.try_into().ok()?,
            window_ms: window_ms.try_into().ok()?,
            window_admitted: window_admitted.try_into().ok()?,
            paused: paused != 0,
            configured: configured != 0,
        })
    }
}
