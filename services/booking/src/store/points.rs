//! Points of members: each change is logged, and one thing earns its points once (R-MEM-03).
//!
//! The tier is stored beside the points for people who look at the table; what counts is
//! [`crate::membership::tier`].

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use urr_kit::events::PointsEarned;
use uuid::Uuid;

/// Points of one deed: more is a mistake of the caller.
const POINTS_MAX: i32 = 10_000;
/// Longest name of a deed the table takes.
const ACTION_MAX: usize = 50;

/// A ticket was bought.
pub const TICKET_PURCHASE: &str = "TICKET_PURCHASE";
/// It was given back, and its points with it.
pub const TICKET_RETURN: &str = "TICKET_RETURN";
/// A first term.
pub const MEMBERSHIP_JOIN: &str = "MEMBERSHIP_JOIN";
/// A further term.
pub const MEMBERSHIP_RENEW: &str = "MEMBERSHIP_RENEW";

/// What somebody did, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Who did it.
    pub user: Uuid,
    /// For which artist; without one, for the only one whose member he is.
    pub artist: Option<Uuid>,
    /// What it was.
    pub action: &'a str,
    /// What it is worth.
    pub points: i32,
    /// For people.
    pub description: &'a str,
    /// Which one it was, so that it counts once.
    pub reference: Option<Uuid>,
}

/// Why what others tell is no deed. The text is what the caller reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No name, or one the log cannot keep.
    #[error("actionType must have 1 to 50 characters")]
    Action,
    /// No points, or more than anything is worth.
    #[error("points must be between 1 and 10000")]
    Points,
}

impl<'a> TryFrom<&'a PointsEarned> for Deed<'a> {
    type Error = Unfit;

    fn try_from(told: &'a PointsEarned) -> Result<Self, Unfit> {
        let action = told.action_type.trim();
        if action.is_empty() || action.chars().count() > ACTION_MAX {
            return Err(Unfit::Action);
        }
        if !(1..=POINTS_MAX).contains(&told.points) {
            return Err(Unfit::Points);
        }
        Ok(Self {
            user: told.user_id,
            artist: told.artist_id,
            action,
            points: told.points,
            description: &told.description,
            reference: told.reference_id,
        })
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Award {
    /// Active memberships the deed could be for; only one is a member's.
    pub members: i64,
    /// Whether points were given: not when they had been before.
    pub given: bool,
}

const AWARD_SQL: &str = "
WITH member AS MATERIALIZED (
    SELECT id FROM artist_memberships
    WHERE user_id = $1 AND ($2::uuid IS NULL OR artist_id = $2) AND status = 'active' AND expires_at > $7
), logged AS (
    INSERT INTO membership_point_logs (id, membership_id, action_type, points, description, reference_id, created_at)
    SELECT gen_random_uuid(), id, $3, $4, $5, $6, $7 FROM member WHERE (SELECT count(*) FROM member) = 1
    ON CONFLICT DO NOTHING
    RETURNING membership_id
), paid AS (
    UPDATE artist_memberships m
    SET points = m.points + $4, updated_at = $7,
        tier = CASE WHEN m.points + $4 >= $9 THEN 'DIAMOND' WHEN m.points + $4 >= $8 THEN 'GOLD' ELSE 'SILVER' END
    FROM logged WHERE m.id = logged.membership_id
)
SELECT (SELECT count(*) FROM member) AS members, EXISTS (SELECT FROM logged) AS given
";

/// Gives points for a deed, once.
///
/// # Errors
/// What the database fails with.
pub async fn award(
    conn: &mut PgConnection,
    deed: &Deed<'_>,
    now: DateTime<Utc>,
) -> Result<Award, sqlx::Error> {
    sqlx::query_as(AWARD_SQL)
        .bind(deed.user)
        .bind(deed.artist)
        .bind(deed.action)
        .bind(deed.points)
        .bind(deed.description)
        .bind(deed.reference)
        .bind(now)
        .bind(urr_core::presale::GOLD_POINTS)
        .bind(urr_core::presale::DIAMOND_POINTS)
        .fetch_one(conn)
        .await
}

/// Takes back what a ticket earned, whoever had it then: points are a ticket's holder's.
///
/// # Errors
/// What the database fails with.
pub async fn take_back(
    conn: &mut PgConnection,
    reference: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH earned AS (
             SELECT membership_id, points FROM membership_point_logs WHERE reference_id = $1 AND action_type = $2
         ), logged AS (
             INSERT INTO membership_point_logs
                 (id, membership_id, action_type, points, description, reference_id, created_at)
             SELECT gen_random_uuid(), membership_id, $3, -points, 'Ticket given back', $1, $4 FROM earned
             ON CONFLICT DO NOTHING
             RETURNING membership_id, points
         )
         UPDATE artist_memberships m
         SET points = m.points + logged.points, updated_at = $4,
             tier = CASE WHEN m.points + logged.points >= $6 THEN 'DIAMOND'
                         WHEN m.points + logged.points >= $5 THEN 'GOLD' ELSE 'SILVER' END
         FROM logged WHERE m.id = logged.membership_id",
    )
    .bind(reference)
    .bind(TICKET_PURCHASE)
    .bind(TICKET_RETURN)
    .bind(now)
    .bind(urr_core::presale::GOLD_POINTS)
    .bind(urr_core::presale::DIAMOND_POINTS)
    .execute(conn)
    .await
    .map(drop)
}

/// A change of points that must not undo the booking it comes with (R-MEM-03): its failure is said, and that is all.
pub async fn aside(conn: &mut PgConnection, change: Change<'_>, now: DateTime<Utc>) {
    let attempt = async {
        let mut savepoint = conn.begin().await?;
        match change {
            Change::Earned(deed) => drop(award(&mut savepoint, &deed, now).await?),
            Change::Returned(reference) => take_back(&mut savepoint, reference, now).await?,
        }
        savepoint.commit().await
    };
    if let Err(error) = attempt.await {
        tracing::warn!(%error, ?change, "points were not written; the booking stands");
    }
}

/// What [`aside`] does.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Points for a deed.
    Earned(Deed<'a>),
    /// The points of a ticket go.
    Returned(Uuid),
}
