//! Tier 2 on a real Redis, single or clustered. Replicas are several `App`s on the same keys.

mod cap;
mod conformance;
mod events;
mod line;
mod turns;
mod wire;

use crate::{
    Config, assemble,
    durable::Durable,
    http,
    store::{Act, Guards, Place, Standing, View},
};
use axum::{Router, body::Body, http::Request, http::StatusCode};
use redis::{AsyncCommands as _, streams::StreamRangeReply};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tower::ServiceExt as _;
use urr_core::{
    admission::{LogEntry, LogKind},
    sale::SaleId,
    time::Millis,
    token::tier1,
};
use urr_kit::{
    Ctx, Redis,
    state::limits::{Limits, LimitsStore, Written},
    testing::TestBed,
};
use uuid::Uuid;

/// When every test's sale opens.
pub(super) const OPENS_AT: Millis = Millis(1_800_000_000_000);

/// A world with one sale that has just opened.
pub(super) struct Sale {
    pub(super) bed: TestBed,
    pub(super) id: SaleId,
    pub(super) redis: Redis,
    pub(super) app: Arc<http::App>,
    pub(super) router: Router,
    revision: AtomicU64,
}

/// One line of the log, as the audit reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logged {
    pub(super) kind: LogKind,
    pub(super) at: i64,
    pub(super) user: Option<Uuid>,
    pub(super) position: Option<u64>,
    pub(super) active_after: u64,
    pub(super) cap: u32,
    pub(super) rate: u32,
    pub(super) reason: Option<String>,
}

impl Sale {
    pub(super) async fn new() -> Self {
        Self::with(&Config::default(), Guards::default()).await
    }

    pub(super) async fn with(config: &Config, guards: Guards) -> Self {
        // The same tests run on both.
        let bed = if module_path!().contains("on_a_cluster") {
            TestBed::clustered(OPENS_AT).await
        } else {
            TestBed::at(OPENS_AT).await
        };
        Self::on(bed, config, guards).await
    }

    pub(super) async fn on(bed: TestBed, config: &Config, guards: Guards) -> Self {
        let ctx = bed.ctx();
        Self::of(bed, ctx, config, guards).await
    }

    /// With other settings than `bed`'s own.
    pub(super) async fn of(bed: TestBed, ctx: Ctx, config: &Config, guards: Guards) -> Self {
        let redis = ctx.redis().await.unwrap();
        let app = assemble(&ctx, config, redis.clone(), Durable::new(None), guards);
        let router = http::router(Arc::clone(&app));
        Self {
            bed,
            id: Uuid::new_v4(),
            redis,
            app,
            router,
            revision: AtomicU64::new(0),
        }
    }

    /// 10 a second, cap 5, burst 5, places wanted.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            sale: self.id,
            revision: 0,
            epoch: 1,
            rate_per_s: 10,
            cap: 5,
            burst: 5,
            opens_at: OPENS_AT,
            closes_at: OPENS_AT.plus_s(3600),
            silence_s: 30,
            active_ttl_s: 600,
            token_ttl_s: 600,
            paused: false,
            sold_out: false,
            require_place: true,
            one_line_per_user: false,
        }
    }

    /// Makes `limits` hold, as the next revision.
    pub(super) async fn limit(&self, limits: Limits) {
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        let store = LimitsStore::new(self.redis.clone());
        let written = store.write(&Limits { revision, ..limits }).await.unwrap();
        assert_eq!(written, Written::Applied);
    }

    /// A world whose sale lets in `cap` at once.
    pub(super) async fn capped(cap: u32) -> Self {
        let sale = Self::new().await;
        sale.limit(Limits { cap, ..sale.limits() }).await;
        sale
    }

    /// A world in which one may be inside, for 100 s.
    pub(super) async fn one_at_a_time() -> Self {
        let sale = Self::new().await;
        sale.limit(Limits {
            cap: 1,
            active_ttl_s: 100,
            ..sale.limits()
        })
        .await;
        sale
    }

    pub(super) fn now(&self) -> Millis {
        self.app.clock.now()
    }

    pub(super) async fn act(&self, act: Act<'_>) -> View {
        self.app.store.act(self.id, act, self.now()).await.unwrap()
    }

    pub(super) async fn join(&self, user: Uuid, position: u64) -> Standing {
        self.act(Act::Join(user, Some(Place { position, epoch: 1 })))
            .await
            .standing
    }

    pub(super) async fn standing(&self, user: Uuid) -> Standing {
        self.act(Act::Touch(user)).await.standing
    }

    pub(super) async fn log(&self) -> Vec<Logged> {
        let key = self.redis.key(&format!("{{{}}}:log", self.id));
        let entries: StreamRangeReply = self.redis.conn().xrange_all(key).await.unwrap();
        entries
            .ids
            .iter()
            .map(|entry| Logged {
                kind: LogKind::from_name(&entry.get::<String>("k").unwrap()).unwrap(),
                at: entry.get("t").unwrap(),
                user: entry.get::<String>("u").map(|user| user.parse().unwrap()),
                position: entry.get("p"),
                active_after: entry.get("a").unwrap(),
                cap: entry.get("c").unwrap(),
                rate: entry.get("r").unwrap(),
                reason: entry.get("w"),
            })
            .collect()
    }

    /// The log as the auditor reads it.
    pub(super) async fn entries(&self) -> Vec<LogEntry> {
        let log = self.log().await;
        log.into_iter()
            .map(|l| LogEntry {
                kind: l.kind,
                at: Millis(l.at),
                user: l.user,
                position: l.position,
                active_after: l.active_after,
                cap: l.cap,
                rate_per_s: l.rate,
                reason: l.reason,
            })
            .collect()
    }

    /// Users in the order in which they were let in.
    pub(super) async fn admitted(&self) -> Vec<Uuid> {
        let log = self.log().await;
        log.iter()
            .filter(|l| l.kind == LogKind::Admit)
            .map(|l| l.user.unwrap())
            .collect()
    }

    pub(super) async fn reasons(&self) -> Vec<String> {
        self.log()
            .await
            .into_iter()
            .filter_map(|entry| entry.reason)
            .collect()
    }

    /// A tier-1 token as the waiting room gives it.
    pub(super) fn place_token(&self, position: u64) -> String {
        let claims = tier1::Claims::new(self.id, "v", position, 1, self.now(), 600);
        tier1::issue(&self.app.vwr_keys, &claims)
    }

    /// A call as the gateway passes it on.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        user: Option<(Uuid, &str)>,
        token: Option<String>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((user, role)) = user {
            request = request
                .header("x-user-id", user.to_string())
                .header("x-user-role", role);
        }
        if let Some(token) = token {
            request = request.header("cookie", format!("urr-vwr-token={token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

pub(super) fn is_active(standing: Standing) -> bool {
    matches!(standing, Standing::Active { .. })
}
