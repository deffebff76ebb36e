//! What community tells the others: that somebody wrote something, which earns a fan points (R-MEM-03, C§9).
//!
//! By event and not by a call of booking: who writes waits for nobody, booking may be away, and what is told twice counts
//! once, by the id of what was written. Who is a member, and whether of the artist the text is about, booking knows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::events::{COMMUNITY_EVENTS, Envelope, POINTS_EARNED, PointsEarned, outbox};
use uuid::Uuid;

/// Something that was written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written {
    Post,
    Comment,
    News,
}

impl Written {
    const fn action(self) -> &'static str {
        match self {
            Self::Post => "COMMUNITY_POST",
            Self::Comment => "COMMUNITY_COMMENT",
            Self::News => "NEWS_CREATION",
        }
    }

    /// As the contract has them (section 9).
    const fn points(self) -> i32 {
        match self {
            Self::Post | Self::News => 30,
            Self::Comment => 10,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Post => "Post written",
            Self::Comment => "Comment written",
            Self::News => "News written",
        }
    }
}

/// Puts the news into the outbox, in the transaction that writes the text.
pub(crate) async fn written(
    tx: &mut PgConnection,
    what: Written,
    id: Uuid,
    author: Uuid,
    artist: Option<Uuid>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let told = PointsEarned {
        user_id: author,
        action_type: what.action().to_owned(),
        points: what.points(),
        description: what.description().to_owned(),
        reference_id: Some(id),
        artist_id: artist,
    };
    let now = Millis(now.timestamp_millis());
    let envelope = Envelope::new(POINTS_EARNED, "text", id, now, &told)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .by(author);
    outbox::enqueue(tx, COMMUNITY_EVENTS, &envelope).await
}
