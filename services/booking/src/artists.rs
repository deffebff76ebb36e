//! What an artist is called and what his membership costs: catalog's word, and booking's copy of it while
//! catalog is away (R-RES-03).

use crate::store::artists::{self, Artist};
use serde::Deserialize;
use sqlx::PgPool;
use urr_kit::internal::{InternalClient, InternalError};
use urr_kit::{ApiError, SharedClock, wire};
use uuid::Uuid;

/// A copy is asked for again after this, seconds: a new price shows within it.
const COPY_MAX_AGE_S: i64 = 60;

/// Why there is no artist to be told of.
#[derive(Debug, thiserror::Error)]
pub enum ArtistError {
    /// Catalog knows none of that id.
    #[error("Artist not found")]
    NotFound,
    /// Catalog does not answer, and booking never heard of him.
    #[error("catalog did not answer")]
    Away(#[source] InternalError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
}

impl From<ArtistError> for ApiError {
    fn from(error: ArtistError) -> Self {
        match error {
            ArtistError::NotFound => Self::not_found(error.to_string()),
            ArtistError::Away(error) => error.into(),
            ArtistError::Store(error) => error.into(),
        }
    }
}

#[derive(Deserialize)]
struct Told {
    name: String,
    image_url: Option<String>,
    membership_price: i64,
}

/// Artists. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Artists {
    pool: PgPool,
    client: InternalClient,
    catalog: String,
    clock: SharedClock,
}

impl Artists {
    pub(crate) fn new(pool: PgPool, client: InternalClient, catalog: &str, clock: SharedClock) -> Self {
        Self {
            pool,
            client,
            catalog: catalog.trim_end_matches('/').to_owned(),
            clock,
        }
    }

    /// The artist as catalog has him, at most a minute ago if it answers.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Artist, ArtistError> {
        let now = wire::at(self.clock.now());
        let copy = artists::get(&self.pool, id).await?;
        let copy = match copy {
            Some(copy) if (now - copy.as_of).num_seconds() < COPY_MAX_AGE_S => return Ok(copy),
            copy => copy,
        };
        let url = format!("{}/internal/artists/{id}", self.catalog);
        let told: Told = match (self.client.get_json(&url).await, copy) {
            (Ok(told), _) => told,
            (Err(error), _) if error.status().is_some_and(|status| status.as_u16() == 404) => {
                return Err(ArtistError::NotFound);
            }
            (Err(error), Some(copy)) => {
                tracing::warn!(artist = %id, %error, "catalog is away; an older copy of the artist serves");
                return Ok(copy);
            }
            (Err(error), None) => return Err(ArtistError::Away(error)),
        };
        let artist = Artist {
            artist_id: id,
            name: told.name,
            image_url: told.image_url,
            membership_price: told.membership_price,
            as_of: now,
        };
        artists::put(&self.pool, &artist).await?;
        Ok(artist)
    }
}
