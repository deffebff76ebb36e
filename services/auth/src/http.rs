//! The routes of C§7.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json as Body, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::clock::SharedClock;
use urr_kit::extract::{Json, JsonOrDefault, Path};
use urr_kit::identity::{AccessTokens, Identity, Role, require_internal};
use urr_kit::{ApiError, ApiResult, Secrets};
use uuid::Uuid;

use crate::accounts::{Registration, email};
use crate::cookies::{self, Cookies};
use crate::denylist::Denylist;
use crate::error::{bad_login, bad_refresh, bad_token, no_user, not_authenticated, taken};
use crate::google::Google;
use crate::password::Passwords;
use crate::sessions::{Session, Sessions};
use crate::store::{LoginTry, NewUser, Store, User};

/// Users looked up at once: a page of any caller, and one index scan.
const BATCH_MAX: usize = 1_000;

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: AccessTokens,
    pub(crate) denylist: Denylist,
    pub(crate) google: Google,
    pub(crate) cookies: Cookies,
    pub(crate) clock: SharedClock,
    pub(crate) access_ttl_s: i64,
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/auth/me", get(me))
        .route("/api/auth/refresh", post(refresh))
        .route("/api/auth/logout", post(logout))
        .route("/api/auth/verify-token", post(verify_token))
        .route("/api/auth/google", post(google))
        .with_state(app)
}

pub(crate) fn internal_router(app: App, secrets: &Secrets) -> Router {
    Router::new()
        .route("/internal/users/{id}", get(user))
        .route("/internal/users/batch", post(users))
        .layer(require_internal(secrets))
        .with_state(app)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoginBody {
    email: String,
    password: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RefreshBody {
    refresh_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenBody {
    token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GoogleBody {
    credential: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchBody {
    user_ids: Vec<String>,
}

async fn register(
    State(app): State<App>,
    headers: HeaderMap,
    Json(body): Json<Registration>,
) -> ApiResult<impl IntoResponse> {
    let body = body.checked()?;
    let now = app.clock.now();
    let hash = app.passwords.hash(body.password).await?;
    let mut tx = app.store.begin().await?;
    let new = NewUser {
        email: &body.email,
        password_hash: Some(&hash),
        name: &body.name,
        phone: body.phone.as_deref(),
        role: Role::User,
        google_id: None,
    };
    let user = Store::insert(&mut tx, &new, now).await?.ok_or_else(taken)?;
    for agreement in &body.agreements {
        Store::agree(&mut tx, user.id, agreement, now).await?;
    }
    Store::note_login(&mut tx, &login_try(&headers, Some(user.id), "register"), now).await?;
    let session = app.sessions.open(&mut tx, user, now).await?;
    tx.commit().await?;
    Ok((
        StatusCode::CREATED,
        app.answer("Registration completed", &session, None),
    ))
}

async fn login(
    State(app): State<App>,
    headers: HeaderMap,
    Json(body): Json<LoginBody>,
) -> ApiResult<impl IntoResponse> {
    let email = email(&body.email)?;
    if body.password.is_empty() {
        return Err(ApiError::bad_request("password must not be blank"));
    }
    let found = app.store.by_email(&email).await?;
    let hash = found.as_ref().and_then(|user| user.password_hash.clone());
    let matches = app.passwords.verify(body.password, hash).await?;
    let now = app.clock.now();
    let id = found.as_ref().map(|user| user.id);
    let Some(user) = found.filter(|_| matches) else {
        let reason = if id.is_some() {
            "wrong_password"
        } else {
            "unknown_email"
        };
        let failed = LoginTry {
            failure: Some(reason),
            ..login_try(&headers, id, "password")
        };
        app.store.note_failed_login(&failed, now).await?;
        return Err(bad_login());
    };
    let mut tx = app.store.begin().await?;
    Store::note_login(&mut tx, &login_try(&headers, id, "password"), now).await?;
    let session = app.sessions.open(&mut tx, user, now).await?;
    tx.commit().await?;
    Ok(app.answer("Login successful", &session, None))
}

async fn me(State(app): State<App>, caller: Identity, headers: HeaderMap) -> ApiResult<Body<Value>> {
    if let Some(token) = access_token(&headers)
        && app.is_denied(token).await
    {
        return Err(not_authenticated());
    }
    let user = app.store.by_id(caller.user_id).await?.ok_or_else(no_user)?;
    Ok(Body(json!({ "user": {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "createdAt": user.created_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    }})))
}

async fn refresh(
    State(app): State<App>,
    headers: HeaderMap,
    JsonOrDefault(body): JsonOrDefault<RefreshBody>,
) -> ApiResult<impl IntoResponse> {
    let token = cookies::sent(&headers, cookies::REFRESH)
        .map(str::to_owned)
        .or(body.refresh_token)
        .filter(|token| !token.is_empty())
        .ok_or_else(bad_refresh)?;
    let session = app.sessions.rotate(&token, app.clock.now()).await?;
    Ok(app.answer("Token refreshed", &session, None))
}

async fn logout(State(app): State<App>, headers: HeaderMap) -> ApiResult<impl IntoResponse> {
    let now = app.clock.now();
    if let Some(token) = access_token(&headers)
        && let Ok(caller) = app.tokens.verify_access(token, now)
    {
        app.store.revoke_user(caller.user_id, now).await?;
        // At most this long is left of it: remembering it longer costs a key, shorter frees it.
        app.denylist
            .deny(token, now.plus_s(app.access_ttl_s), now)
            .await?;
    }
    Ok((
        app.cookies.cleared(),
        Body(json!({ "message": "Logged out successfully" })),
    ))
}

async fn verify_token(State(app): State<App>, Json(body): Json<TokenBody>) -> ApiResult<Body<Value>> {
    if body.token.trim().is_empty() {
        return Err(ApiError::bad_request("token must not be blank"));
    }
    let now = app.clock.now();
    let caller = app
        .tokens
        .verify_access(&body.token, now)
        .map_err(|_| bad_token())?;
    if app.is_denied(&body.token).await {
        return Err(bad_token());
    }
    let user = app.store.by_id(caller.user_id).await?.ok_or_else(bad_token)?;
    Ok(Body(json!({ "valid": true, "user": {
        "userId": user.id, "email": user.email, "name": user.name, "role": user.role,
    }})))
}

async fn google(
    State(app): State<App>,
    headers: HeaderMap,
    Json(body): Json<GoogleBody>,
) -> ApiResult<impl IntoResponse> {
    if body.credential.trim().is_empty() {
        return Err(ApiError::bad_request("Google credential is required"));
    }
    let profile = app.google.verify(&body.credential).await?;
    let address = email(&profile.email)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let user = match known_to_google(&mut tx, &profile.sub, &address, now).await? {
        Some(user) => user,
        None => {
            let name: String = profile
                .name
                .as_deref()
                .unwrap_or("Google user")
                .chars()
                .take(100)
                .collect();
            let new = NewUser {
                email: &address,
                password_hash: None,
                name: &name,
                phone: None,
                role: Role::User,
                google_id: Some(&profile.sub),
            };
            match Store::insert(&mut tx, &new, now).await? {
                Some(user) => user,
                // Another call of his was first, or the address is not to be had.
                None => Store::by_google(&mut tx, &profile.sub).await?.ok_or_else(taken)?,
            }
        }
    };
    Store::note_login(&mut tx, &login_try(&headers, Some(user.id), "google"), now).await?;
    let session = app.sessions.open(&mut tx, user, now).await?;
    tx.commit().await?;
    Ok(app.answer("Google login successful", &session, Some(profile.picture)))
}

/// The account of a Google user, or one of his address that becomes his.
async fn known_to_google(
    tx: &mut PgConnection,
    google_id: &str,
    address: &str,
    now: Millis,
) -> sqlx::Result<Option<User>> {
    match Store::by_google(tx, google_id).await? {
        Some(user) => Ok(Some(user)),
        None => Store::adopt_google(tx, google_id, address, now).await,
    }
}

async fn user(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Body<Value>> {
    let user = app.store.by_id(id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("User not found"))?;
    Ok(Body(json!({ "user": public(&user) })))
}

async fn users(State(app): State<App>, Json(body): Json<BatchBody>) -> ApiResult<Body<Value>> {
    let invalid = || ApiError::bad_request("Invalid userIds");
    if body.user_ids.is_empty() || body.user_ids.len() > BATCH_MAX {
        return Err(invalid());
    }
    let ids: Result<Vec<Uuid>, _> = body.user_ids.iter().map(|id| id.parse()).collect();
    let users = app.store.by_ids(&ids.map_err(|_| invalid())?).await?;
    let users: Vec<Value> = users.iter().map(public).collect();
    Ok(Body(json!({ "users": users })))
}

impl App {
    /// The `AuthResponse` of C§7 with both cookies.
    fn answer(
        &self,
        message: &str,
        session: &Session,
        picture: Option<Option<String>>,
    ) -> (HeaderMap, Body<Value>) {
        let user = &session.user;
        let mut shown = json!({
            "id": user.id, "userId": user.id, "email": user.email, "name": user.name, "role": user.role,
        });
        if let Some(picture) = picture {
            shown["picture"] = json!(picture);
        }
        let body = json!({
            "message": message,
            "token": session.access,
            "refreshToken": session.refresh,
            "user": shown,
        });
        (self.cookies.of(session), Body(body))
    }

    /// Whether a token was given up. Without Redis it counts as good: its signature and expiry
    /// hold, and locking everybody out would be worse than a log-out that takes half an hour.
    async fn is_denied(&self, token: &str) -> bool {
        match self.denylist.denies(token).await {
            Ok(denied) => denied,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to read the denylist"
                );
                false
            }
        }
    }
}

fn public(user: &User) -> Value {
    json!({ "id": user.id, "email": user.email, "name": user.name, "role": user.role })
}

/// The access token as the gateway takes it: the header wins, else the cookie.
fn access_token(headers: &HeaderMap) -> Option<&str> {
    match headers.get(header::AUTHORIZATION) {
        Some(value) => value.to_str().ok()?.strip_prefix("Bearer ").map(str::trim),
        None => cookies::sent(headers, cookies::ACCESS),
    }
}

/// A successful try; failures override the outcome. The address is the last hop the gateway saw.
fn login_try<'a>(headers: &'a HeaderMap, user: Option<Uuid>, method: &'static str) -> LoginTry<'a> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    LoginTry {
        user,
        ip: text("x-forwarded-for")
            .and_then(|hops| hops.rsplit(',').next())
            .map(str::trim),
        agent: text("user-agent"),
        method,
        failure: None,
    }
}
