//! The only place that speaks to Postgres.

use crate::outgoing;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use urr_core::time::Millis;
use urr_kit::identity::{Identity, Role};
use urr_kit::wire;
use uuid::Uuid;

/// A row of `users`.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) created_at: DateTime<Utc>,
}

impl User {
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            user_id: self.id,
            email: self.email.clone(),
            role: Role::parse(&self.role),
        }
    }
}

/// An account to be made.
pub(crate) struct NewUser<'a> {
    /// In lower case.
    pub(crate) email: &'a str,
    pub(crate) password_hash: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) phone: Option<&'a str>,
    pub(crate) role: Role,
    pub(crate) google_id: Option<&'a str>,
}

/// What was agreed to when signing up.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agreement {
    pub(crate) terms_type: String,
    pub(crate) agreed: bool,
    pub(crate) terms_version: String,
}

/// A try to log in.
pub(crate) struct LoginTry<'a> {
    pub(crate) user: Option<Uuid>,
    pub(crate) ip: Option<&'a str>,
    pub(crate) agent: Option<&'a str>,
    pub(crate) method: &'static str,
    /// `None`: it worked.
    pub(crate) failure: Option<&'static str>,
}

/// What the database knows of a refresh token.
#[derive(Debug, FromRow)]
pub(crate) struct StoredToken {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) family_id: Uuid,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
    pub(crate) replaced: bool,
}

const USER: &str = "id, email, password_hash, name, role, created_at";

#[derive(Clone)]
pub(crate) struct Store {
    pool: PgPool,
}

fn live_user(condition: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE deleted_at IS NULL AND {condition}"
    ))
}

impl Store {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn begin(&self) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        self.pool.begin().await
    }

    pub(crate) async fn by_email(&self, email: &str) -> sqlx::Result<Option<User>> {
        sqlx::query_as(live_user("email = $1"))
            .bind(email)
            .fetch_optional(&self.pool)
            .await
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> sqlx::Result<Option<User>> {
        let mut conn = self.pool.acquire().await?;
        Self::by_id_in(&mut conn, id).await
    }

    /// On the caller's connection: who holds one must not wait for a second of the same pool.
    pub(crate) async fn by_id_in(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<User>> {
        sqlx::query_as(live_user("id = $1"))
            .bind(id)
            .fetch_optional(conn)
            .await
    }

    pub(crate) async fn by_ids(&self, ids: &[Uuid]) -> sqlx::Result<Vec<User>> {
        sqlx::query_as(live_user("id = ANY($1)"))
            .bind(ids)
            .fetch_all(&self.pool)
            .await
    }

    /// A new account, and its event. `None` when the address (or Google id) is taken, by anybody, even one who left.
    pub(crate) async fn insert(
        tx: &mut PgConnection,
        new: &NewUser<'_>,
        now: Millis,
    ) -> sqlx::Result<Option<User>> {
        let statement = sqlx::AssertSqlSafe(format!(
            "INSERT INTO users (id, email, password_hash, name, phone, role, google_id, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
             ON CONFLICT DO NOTHING RETURNING {USER}"
        ));
        let made: Option<User> = sqlx::query_as(statement)
            .bind(Uuid::new_v4())
            .bind(new.email)
            .bind(new.password_hash)
            .bind(new.name)
            .bind(new.phone)
            .bind(new.role.as_str())
            .bind(new.google_id)
            .bind(wire::at(now))
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(user) = &made {
            outgoing::account_opened(tx, user, now).await?;
        }
        Ok(made)
    }

    pub(crate) async fn agree(
        tx: &mut PgConnection,
        user: Uuid,
        agreement: &Agreement,
        now: Millis,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO terms_agreements (user_id, terms_type, agreed, terms_version, agreed_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(user)
        .bind(&agreement.terms_type)
        .bind(agreement.agreed)
        .bind(&agreement.terms_version)
        .bind(wire::at(now))
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(crate) async fn by_google(tx: &mut PgConnection, google_id: &str) -> sqlx::Result<Option<User>> {
        sqlx::query_as(live_user("google_id = $1"))
            .bind(google_id)
            .fetch_optional(tx)
            .await
    }

    /// Ties an existing account to the Google user of the same address.
    ///
    /// Google has proved the address; whoever registered the account never did. So its password and its
    /// sessions end here: they may be somebody else's, who waited for the owner to come. An
    /// administrator's account is not had this way at all.
    pub(crate) async fn adopt_google(
        tx: &mut PgConnection,
        google_id: &str,
        email: &str,
        now: Millis,
    ) -> sqlx::Result<Option<User>> {
        let statement = sqlx::AssertSqlSafe(format!(
            "UPDATE users SET google_id = $1, password_hash = NULL, updated_at = $3 \
             WHERE deleted_at IS NULL AND email = $2 AND google_id IS NULL AND role <> 'admin' \
             RETURNING {USER}"
        ));
        let adopted: Option<User> = sqlx::query_as(statement)
            .bind(google_id)
            .bind(email)
            .bind(wire::at(now))
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(user) = &adopted {
            Self::revoke_all(tx, user.id, now).await?;
        }
        Ok(adopted)
    }

    pub(crate) async fn note_login(
        conn: &mut PgConnection,
        login: &LoginTry<'_>,
        now: Millis,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO login_history (user_id, ip_address, user_agent, login_method, success, \
             failure_reason, created_at) VALUES ($1, left($2, 64), left($3, 255), $4, $5, $6, $7)",
        )
        .bind(login.user)
        .bind(login.ip)
        .bind(login.agent)
        .bind(login.method)
        .bind(login.failure.is_none())
        .bind(login.failure)
        .bind(wire::at(now))
        .execute(&mut *conn)
        .await?;
        if let (Some(user), None) = (login.user, login.failure) {
            sqlx::query("UPDATE users SET last_login_at = $2, status = 'ACTIVE' WHERE id = $1")
                .bind(user)
                .bind(wire::at(now))
                .execute(conn)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn note_failed_login(&self, login: &LoginTry<'_>, now: Millis) -> sqlx::Result<()> {
        let mut conn = self.pool.acquire().await?;
        Self::note_login(&mut conn, login, now).await
    }

    pub(crate) async fn keep_token(
        tx: &mut PgConnection,
        user: Uuid,
        family: Uuid,
        hash: &str,
        expires_at: Millis,
        now: Millis,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO refresh_tokens (id, user_id, token_hash, family_id, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(Uuid::new_v4())
        .bind(user)
        .bind(hash)
        .bind(family)
        .bind(wire::at(expires_at))
        .bind(wire::at(now))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// The token with this hash, locked until the transaction ends: of two uses at once the second
    /// sees that the first one used it.
    pub(crate) async fn lock_token(tx: &mut PgConnection, hash: &str) -> sqlx::Result<Option<StoredToken>> {
        sqlx::query_as(
            "SELECT id, user_id, family_id, expires_at, revoked_at, replaced FROM refresh_tokens \
             WHERE token_hash = $1 FOR UPDATE",
        )
        .bind(hash)
        .fetch_optional(tx)
        .await
    }

    pub(crate) async fn use_token(tx: &mut PgConnection, id: Uuid, now: Millis) -> sqlx::Result<()> {
        sqlx::query("UPDATE refresh_tokens SET revoked_at = $2, replaced = true WHERE id = $1")
            .bind(id)
            .bind(wire::at(now))
            .execute(tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn revoke_family(tx: &mut PgConnection, family: Uuid, now: Millis) -> sqlx::Result<()> {
        sqlx::query("UPDATE refresh_tokens SET revoked_at = $2 WHERE family_id = $1 AND revoked_at IS NULL")
            .bind(family)
            .bind(wire::at(now))
            .execute(tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn revoke_user(&self, user: Uuid, now: Millis) -> sqlx::Result<()> {
        let mut conn = self.pool.acquire().await?;
        Self::revoke_all(&mut conn, user, now).await
    }

    async fn revoke_all(conn: &mut PgConnection, user: Uuid, now: Millis) -> sqlx::Result<()> {
        sqlx::query("UPDATE refresh_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
            .bind(user)
            .bind(wire::at(now))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Deletes up to `limit` tokens that expired before `before`; returns how many.
    pub(crate) async fn forget_tokens(&self, before: Millis, limit: i64) -> sqlx::Result<u64> {
        let done = sqlx::query(
            "DELETE FROM refresh_tokens WHERE id IN \
             (SELECT id FROM refresh_tokens WHERE expires_at < $1 LIMIT $2)",
        )
        .bind(wire::at(before))
        .bind(limit)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes up to `limit` log-ins from before `before`; returns how many. The oldest have the lowest ids.
    pub(crate) async fn forget_logins(&self, before: Millis, limit: i64) -> sqlx::Result<u64> {
        let done = sqlx::query(
            "DELETE FROM login_history WHERE id IN (SELECT id FROM \
             (SELECT id, created_at FROM login_history ORDER BY id LIMIT $2) AS oldest WHERE created_at < $1)",
        )
        .bind(wire::at(before))
        .bind(limit)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Marks accounts unseen since `before` dormant (R-AUTH-08); logging in wakes them.
    pub(crate) async fn mark_dormant(&self, before: Millis) -> sqlx::Result<u64> {
        let done = sqlx::query(
            "UPDATE users SET status = 'DORMANT' WHERE status = 'ACTIVE' \
             AND COALESCE(last_login_at, created_at) < $1",
        )
        .bind(wire::at(before))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
