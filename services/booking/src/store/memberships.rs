//! Memberships: offered, paid once a term, read (R-MEM-01, -02).

use crate::events;
use crate::membership::{self, Refusal, Status};
use crate::store::points::{self, Deed};
use crate::store::purchases::{self, Outcome, Purchase};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use urr_core::presale::Tier;
use urr_core::time::Millis;
use urr_kit::events::{MembershipActivated, MembershipEnded};
use urr_kit::wire;
use uuid::Uuid;

/// A membership with what its artist is called.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Membership {
    /// This term's id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Whose fan he is.
    pub artist_id: Uuid,
    /// Tier by points alone, as stored; `effective_tier` is what counts.
    pub tier: String,
    /// Points.
    pub points: i32,
    /// Where it is in its life.
    pub status: Status,
    /// When it was first paid for.
    #[serde(serialize_with = "wire::ts_opt")]
    pub joined_at: Option<DateTime<Utc>>,
    /// End of the term.
    #[serde(serialize_with = "wire::ts_opt")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was first offered.
    #[serde(serialize_with = "wire::ts")]
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    #[serde(serialize_with = "wire::ts")]
    pub updated_at: DateTime<Utc>,
    /// KRW of this term.
    #[serde(skip)]
    pub price: i64,
    /// From booking's copy of the artist.
    pub artist_name: Option<String>,
    /// Likewise.
    pub artist_image_url: Option<String>,
    /// KRW of a term that is offered now.
    pub membership_price: i64,
}

impl Membership {
    /// The same at `now`: a term that is over is expired.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        self.status = self.status.at(self.expires_at, now);
        self
    }

    /// What it is worth.
    #[must_use]
    pub fn effective_tier(&self) -> Tier {
        membership::tier(Some((self.status, self.points)))
    }
}

/// A line of the log of points.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct PointLog {
    /// Its id.
    pub id: Uuid,
    /// What was done.
    pub action_type: String,
    /// What it was worth.
    pub points: i32,
    /// For people.
    pub description: Option<String>,
    /// Which one it was.
    pub reference_id: Option<Uuid>,
    /// When.
    #[serde(serialize_with = "wire::ts")]
    pub created_at: DateTime<Utc>,
}

const SELECT: &str = "SELECT m.*, a.name AS artist_name, a.image_url AS artist_image_url,
    coalesce(a.membership_price, m.price) AS membership_price
    FROM artist_memberships m LEFT JOIN artist_copies a USING (artist_id)";

/// All memberships of a user, newest first. As many as there are artists; the bound keeps a page a page.
///
/// # Errors
/// What the database fails with.
pub async fn of_user(pool: &PgPool, user: Uuid) -> Result<Vec<Membership>, sqlx::Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE m.user_id = $1 ORDER BY m.created_at DESC, m.id LIMIT 500"
    )))
    .bind(user)
    .fetch_all(pool)
    .await
}

/// A user's membership of one artist.
///
/// # Errors
/// What the database fails with.
pub async fn of_artist(pool: &PgPool, user: Uuid, artist: Uuid) -> Result<Option<Membership>, sqlx::Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE m.user_id = $1 AND m.artist_id = $2"
    )))
    .bind(user)
    .bind(artist)
    .fetch_optional(pool)
    .await
}

/// One membership.
///
/// # Errors
/// What the database fails with.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<Membership>, sqlx::Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE m.id = $1")))
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// The last fifty changes of a membership's points, newest first.
///
/// # Errors
/// What the database fails with.
pub async fn history(pool: &PgPool, id: Uuid) -> Result<Vec<PointLog>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, action_type, points, description, reference_id, created_at FROM membership_point_logs
         WHERE membership_id = $1 ORDER BY created_at DESC, id LIMIT 50",
    )
    .bind(id)
    .fetch_all(pool)
    .await
}

/// What `user` is to `artist` at `now`.
///
/// # Errors
/// What the database fails with.
pub async fn tier(
    db: impl PgExecutor<'_>,
    user: Uuid,
    artist: Uuid,
    now: DateTime<Utc>,
) -> Result<Tier, sqlx::Error> {
    let found: Option<(Status, Option<DateTime<Utc>>, i32)> = sqlx::query_as(
        "SELECT status, expires_at, points FROM artist_memberships WHERE user_id = $1 AND artist_id = $2",
    )
    .bind(user)
    .bind(artist)
    .fetch_optional(db)
    .await?;
    Ok(membership::tier(found.map(|(status, expires_at, points)| {
        (status.at(expires_at, now), points)
    })))
}

/// Offers a term at `price`; the id to pay for. An offer that is open stays the same, at the new price; a term
/// that is over is followed by one with an id of its own. `None`: he is an active member.
///
/// # Errors
/// What the database fails with.
pub async fn offer(
    pool: &PgPool,
    user: Uuid,
    artist: Uuid,
    price: i64,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO artist_memberships AS m (id, user_id, artist_id, price, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (user_id, artist_id) DO UPDATE
         SET id = CASE WHEN m.status = 'pending' THEN m.id ELSE excluded.id END,
             status = 'pending', price = excluded.price, updated_at = excluded.updated_at
         WHERE m.status <> 'active' OR m.expires_at <= $5
         RETURNING id",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(artist)
    .bind(price)
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// What a payment came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<R> {
    /// It bought what it was for; `fresh` is false for a repeat.
    Done {
        /// Whether this call made it so.
        fresh: bool,
    },
    /// It bought nothing, now and for ever, and must go back. To be committed all the same.
    Refused(R),
    /// There is no such thing.
    NotFound,
}

#[derive(FromRow)]
struct Locked {
    id: Uuid,
    user_id: Uuid,
    artist_id: Uuid,
    status: Status,
    joined_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

/// A payment for a membership has come: the term begins, once, with its points and its event.
///
/// # Errors
/// What the database fails with.
pub async fn activate(
    conn: &mut PgConnection,
    purchase: Purchase<'_>,
    now: DateTime<Utc>,
) -> Result<Verdict<Refusal>, sqlx::Error> {
    let found: Option<Locked> = sqlx::query_as(
        "SELECT id, user_id, artist_id, status, joined_at, expires_at FROM artist_memberships
         WHERE id = $1 FOR UPDATE",
    )
    .bind(purchase.target)
    .fetch_optional(&mut *conn)
    .await?;
    match purchases::decided(conn, purchase.payment).await? {
        Some(Outcome::Fulfilled) => return Ok(Verdict::Done { fresh: false }),
        Some(Outcome::Refused | Outcome::Refunded) => return Ok(Verdict::Refused(Refusal::NotPending)),
        None => {}
    }
    let Some(member) = found else {
        let gone = Some("no such membership");
        purchases::decide(
            conn,
            purchase.payment,
            purchase.target,
            Outcome::Refused,
            gone,
            now,
        )
        .await?;
        return Ok(Verdict::NotFound);
    };
    let status = member.status.at(member.expires_at, now);
    let expires_at = membership::term_end(now);
    if let Err(refusal) = membership::may_pay(member.user_id, purchase.payer, status) {
        let why = refusal.to_string();
        purchases::decide(
            conn,
            purchase.payment,
            member.id,
            Outcome::Refused,
            Some(&why),
            now,
        )
        .await?;
        return Ok(Verdict::Refused(refusal));
    }
    sqlx::query(
        "UPDATE artist_memberships
         SET status = 'active', joined_at = coalesce(joined_at, $2), expires_at = $3, updated_at = $2
         WHERE id = $1",
    )
    .bind(member.id)
    .bind(now)
    .bind(expires_at)
    .execute(&mut *conn)
    .await?;
    let (action, description) = match member.joined_at {
        None => (points::MEMBERSHIP_JOIN, "Membership joined"),
        Some(_) => (points::MEMBERSHIP_RENEW, "Membership renewed"),
    };
    let deed = Deed {
        user: member.user_id,
        artist: Some(member.artist_id),
        action,
        points: membership::TERM_POINTS,
        description,
        reference: Some(purchase.payment),
    };
    points::award(conn, &deed, now).await?;
    let told = MembershipActivated {
        membership_id: member.id,
        user_id: member.user_id,
        artist_id: Some(member.artist_id),
        expires_at: Some(Millis(expires_at.timestamp_millis())),
    };
    events::membership_activated(conn, &told, now).await?;
    purchases::decide(conn, purchase.payment, member.id, Outcome::Fulfilled, None, now).await?;
    Ok(Verdict::Done { fresh: true })
}

/// The money for a membership went back: if that payment had bought it, the term is over.
///
/// # Errors
/// What the database fails with.
pub async fn refunded(
    conn: &mut PgConnection,
    id: Uuid,
    payment: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT FROM artist_memberships WHERE id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    if purchases::refunded(conn, payment, id, now).await? != Some(Outcome::Fulfilled) {
        return Ok(());
    }
    let ended: Option<(Uuid, Uuid)> = sqlx::query_as(
        "UPDATE artist_memberships SET status = 'expired', expires_at = $2, updated_at = $2
         WHERE id = $1 AND status = 'active' RETURNING user_id, artist_id",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((user_id, artist_id)) = ended else {
        return Ok(());
    };
    let told = MembershipEnded {
        membership_id: id,
        user_id,
        artist_id,
    };
    events::membership_ended(conn, &told, now).await
}
