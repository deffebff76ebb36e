//! What a visitor asks: to get in line, how it stands, that he is there, to leave.
//!
//! Who waits behind the watermark is answered from this process ([`Line::glance`]); everybody else,
//! and everybody when this replica knows too little, is one call to Redis.
//!
//! [`Line::glance`]: crate::lines::Line::glance

use super::{
    App,
    caller::{Caller, proof},
    shapes::{Settled, Waiting},
    unavailable,
};
use crate::{
    lines::{Glance, Remembered},
    place,
    store::{Act, Proof, Standing, View},
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use metrics::counter;
use serde_json::{Value, json};
use std::sync::Arc;
use urr_core::{sale::SaleId, terms, time::Millis, token::entry};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path},
};
use uuid::Uuid;

pub(super) async fn check(
    State(app): State<Arc<App>>,
    Caller(user): Caller,
    Path(sale): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (view, stands) = app.stand(sale, user, &headers, Wish::Join).await?;
    let event_info = app.titles.of(sale).await;
    Ok(match stands {
        Stands::Queued { ahead } => {
            let mut body = Waiting::of(&view, ahead);
            body.threshold = Some(view.cap);
            body.event_info = Some(event_info);
            Json(body).into_response()
        }
        // Joining never leaves one outside; a slot that ended in the same instant may.
        settled => {
            let mut body = Settled::of(&view, app.entry_token(sale, user, &settled, &view));
            body.threshold = Some(view.cap);
            body.event_info = Some(event_info);
            Json(body).into_response()
        }
    })
}

pub(super) async fn status(
    State(app): State<Arc<App>>,
    Caller(user): Caller,
    Path(sale): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (view, stands) = app.stand(sale, user, &headers, Wish::Look).await?;
    Ok(match stands {
        Stands::Queued { ahead } => {
            let mut body = Waiting::of(&view, ahead);
            body.queue_size = Some(view.waiting);
            Json(body).into_response()
        }
        settled => {
            let token = app.entry_token(sale, user, &settled, &view);
            let message = token.as_ref().map_or("Not in queue", |_| "Entry allowed");
            let mut body = Settled::of(&view, token);
            body.message = Some(message);
            Json(body).into_response()
        }
    })
}

pub(super) async fn heartbeat(
    State(app): State<Arc<App>>,
    Caller(user): Caller,
    Path(sale): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Json<Value>> {
    let (_, stands) = app.stand(sale, user, &headers, Wish::Look).await?;
    let (status, queued) = match stands {
        Stands::Queued { .. } => ("queued", true),
        Stands::Active { .. } => ("active", false),
        Stands::Outside => ("not_in_queue", false),
    };
    Ok(Json(json!({"status": status, "queued": queued})))
}

pub(super) async fn leave(
    State(app): State<Arc<App>>,
    Caller(user): Caller,
    Path(sale): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Json<Value>> {
    let line = app.store.lines.get_or_blank(sale);
    let now = app.clock.now();
    let proof = proof(&headers, &app.entry_keys, sale, user, now);
    app.act(sale, Act::Leave(user), proof, now).await?;
    line.waits_no_more(user);
    if line.limits().is_some_and(|limits| limits.one_line_per_user) {
        app.store.wait_no_more(sale, user).await.map_err(unavailable)?;
    }
    Ok(Json(json!({"message": "Left queue"})))
}

/// What the visitor wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Join,
    Look,
}

/// A standing that is an answer.
enum Stands {
    Outside,
    Queued { ahead: u64 },
    Active { ends_at: Millis },
}

impl App {
    async fn stand(
        &self,
        sale: SaleId,
        user: Uuid,
        headers: &HeaderMap,
        wish: Wish,
    ) -> ApiResult<(View, Stands)> {
        let now = self.clock.now();
        let line = self.store.lines.get(sale);
        let remembered = match line.map(|line| line.glance(user, now, self.store.tell_every_ms())) {
            Some(Glance::Waits { view, ahead }) => {
                self.free.increment(1);
                return Ok((view, Stands::Queued { ahead }));
            }
            Some(Glance::Ask(remembered)) => remembered,
            None => None,
        };
        let view = self.ask(sale, user, headers, wish, remembered, now).await?;
        counter!("urr_queue_admitted_total").increment(view.moved);
        if let Some(line) = self.store.lines.get(sale) {
            match view.standing {
                Standing::Queued { .. } => line.waits(user, &view, now),
                _ if remembered.is_some() => line.waits_no_more(user),
                _ => {}
            }
        }
        Ok((view, refuse(view.standing, sale)?))
    }

    /// Asks Redis, which may have lost the line since: then the place comes from what this replica
    /// remembers, or from the tier-1 token, and the slot from the entry token.
    async fn ask(
        &self,
        sale: SaleId,
        user: Uuid,
        headers: &HeaderMap,
        wish: Wish,
        remembered: Option<Remembered>,
        now: Millis,
    ) -> ApiResult<View> {
        let proof = proof(headers, &self.entry_keys, sale, user, now);
        let place = || place::of_request(headers, &self.vwr_keys, sale, user, now);
        // Who is in line or inside already is not judged again, so that is looked at first.
        if remembered.is_none() && wish == Wish::Join && self.booking.lets_everybody(sale, now) {
            return self.join(sale, user, Act::Join(user, place()), proof, now).await;
        }
        let view = self.act(sale, Act::Touch(user), proof, now).await?;
        if view.standing != Standing::None {
            return Ok(view);
        }
        if let Some(seen) = remembered
            && seen.life.born != view.life.born
        {
            return self
                .join(sale, user, Act::Rejoin(user, seen.place), proof, now)
                .await;
        }
        let place = place();
        if wish == Wish::Join || view.recovering && place.is_some() {
            return self.join(sale, user, Act::Join(user, place), proof, now).await;
        }
        Ok(view)
    }

    async fn join(
        &self,
        sale: SaleId,
        user: Uuid,
        join: Act<'_>,
        proof: Proof,
        now: Millis,
    ) -> ApiResult<View> {
        if let Act::Join(..) = join {
            let judged = self.booking.judge(sale, user, now).await;
            judged.map_err(|refusal| turned_away(refusal, sale))?;
        }
        self.store.announce(sale, now).await.map_err(unavailable)?;
        let limits = self.store.limits_of(sale, now).await.map_err(unavailable)?;
        let one_line = limits.is_some_and(|limits| limits.one_line_per_user);
        if one_line
            && let Some(other) = self
                .store
                .wait_only_in(sale, user, now)
                .await
                .map_err(unavailable)?
        {
            return Err(ApiError::conflict("You are already waiting for another event")
                .with_field("eventId", other.to_string()));
        }
        let view = self.act(sale, join, proof, now).await?;
        if one_line && !matches!(view.standing, Standing::Queued { .. }) {
            self.store.wait_no_more(sale, user).await.map_err(unavailable)?;
        }
        Ok(view)
    }

    pub(super) async fn act(&self, sale: SaleId, act: Act<'_>, proof: Proof, now: Millis) -> ApiResult<View> {
        self.store
            .act_with(sale, act, proof, now)
            .await
            .map_err(unavailable)
    }

    /// The token of a user who is inside. It never outlives the slot, however often it is given.
    fn entry_token(&self, sale: SaleId, user: Uuid, stands: &Stands, view: &View) -> Option<String> {
        let Stands::Active { ends_at } = *stands else {
            return None;
        };
        let now = self.clock.now();
        let left_s = u32::try_from(ends_at.since(now).max(0) / 1000).unwrap_or(u32::MAX);
        let ttl_s = view.token_ttl_s.min(left_s);
        let claims = entry::Claims::new(sale, user, now, ttl_s);
        Some(entry::issue(&self.entry_keys, &claims))
    }
}

/// He takes no place and no slot, and his tier-1 place stays what it is: the waiting page keeps it for him and
/// shows it again at his hour.
fn turned_away(refusal: terms::Refusal, sale: SaleId) -> ApiError {
    let error = ApiError::from(refusal);
    match refusal.opens_at() {
        Some(opens_at) => error.with_field("redirectTo", format!("/vwr/{sale}?opensAt={}", opens_at.0)),
        None => error,
    }
}

/// Sorts out the standings that are refusals.
fn refuse(standing: Standing, sale: SaleId) -> ApiResult<Stands> {
    let to_tier_1 =
        |message: &'static str| ApiError::forbidden(message).with_field("redirectTo", format!("/vwr/{sale}"));
    match standing {
        Standing::None => Ok(Stands::Outside),
        Standing::Queued { ahead } => Ok(Stands::Queued { ahead }),
        Standing::Active { ends_at } => Ok(Stands::Active { ends_at }),
        Standing::NoPlace => Err(to_tier_1("Waiting room token required")),
        Standing::Taken => Err(to_tier_1("This waiting room place is in use by another account")),
        // Nothing was taken from the visitor: the tier-1 place is as good at the next try.
        Standing::Full => Err(ApiError::unavailable(
            "The queue for this event is full. You keep your place; please retry.",
        )
        .with_field("retryAfter", 10)),
    }
}
