//! Sessions: a pair of tokens, the refresh token of which is good once (R-AUTH-04).
//!
//! Each use replaces it by the next of its family. A token that comes a second time was stolen, or
//! its thief was first: the family ends, and that is committed before the refusal is answered
//! (C§15.7: upstream rolled it back with its own exception).

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::identity::AccessTokens;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

use crate::error::bad_refresh;
use crate::store::{Store, User};

/// A user and the tokens he gets.
pub(crate) struct Session {
    pub(crate) user: User,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

#[derive(Clone)]
pub(crate) struct Sessions {
    store: Store,
    tokens: AccessTokens,
}

impl Sessions {
    pub(crate) const fn new(store: Store, tokens: AccessTokens) -> Self {
        Self { store, tokens }
    }

    /// Opens a session in the caller's transaction.
    pub(crate) async fn open(&self, tx: &mut PgConnection, user: User, now: Millis) -> sqlx::Result<Session> {
        self.issue(tx, user, Uuid::new_v4(), now).await
    }

    /// Exchanges a refresh token for the next pair.
    ///
    /// # Errors
    /// 400 when it is unknown, expired, revoked or was used before.
    pub(crate) async fn rotate(&self, token: &str, now: Millis) -> ApiResult<Session> {
        let claims = self
            .tokens
            .verify_refresh(token, now)
            .map_err(|_| bad_refresh())?;
        let mut tx = self.store.begin().await?;
        let Some(stored) = Store::lock_token(&mut tx, &hash(token)).await? else {
            return Err(bad_refresh());
        };
        if stored.revoked_at.is_some() {
            Store::revoke_family(&mut tx, stored.family_id, now).await?;
            tx.commit().await?;
            if stored.replaced {
                metrics_reuse();
                tracing::warn!(user = %stored.user_id, family = %stored.family_id,
                    "a refresh token was used twice; its family is revoked");
            }
            return Err(bad_refresh());
        }
        let lapsed = stored.expires_at.timestamp_millis() <= now.0;
        if lapsed || stored.user_id != claims.user_id || stored.family_id != claims.family {
            return Err(bad_refresh());
        }
        let user = Store::by_id_in(&mut tx, stored.user_id)
            .await?
            .ok_or_else(bad_refresh)?;
        Store::use_token(&mut tx, stored.id, now).await?;
        let session = self.issue(&mut tx, user, stored.family_id, now).await?;
        tx.commit().await.map_err(ApiError::from)?;
        Ok(session)
    }

    async fn issue(
        &self,
        tx: &mut PgConnection,
        user: User,
        family: Uuid,
        now: Millis,
    ) -> sqlx::Result<Session> {
        let refresh = self.tokens.issue_refresh(user.id, family, now);
        let hash = hash(&refresh.token);
        Store::keep_token(tx, user.id, family, &hash, refresh.expires_at, now).await?;
        Ok(Session {
            access: self.tokens.issue_access(&user.identity(), now),
            refresh: refresh.token,
            user,
        })
    }
}

fn metrics_reuse() {
    metrics::counter!("urr_auth_refresh_reuse_total").increment(1);
}

/// SHA-256 in hex: the token has 128 random bits, so no salt is needed.
pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
