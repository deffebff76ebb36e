//! What a music service knows of an artist: a picture, and what kind of music it is (R-CAT-06).
//!
//! An adapter of Spotify's Web API, with the application's own credentials (its client-credentials flow); off unless
//! they are configured. The service searches by similarity, so a hit counts only if it is called the same.

use reqwest::{StatusCode, header};
use serde::Deserialize;
use std::time::Duration;

/// Usually it answers in 200 ms; an admin waits for a row of such calls.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Hits looked through for one of the same name.
const HITS: u32 = 5;

/// Who we are to the music service, and where it is.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub struct MusicConfig {
    /// Spotify's id of this application; without it artists are not enriched.
    #[arg(long = "spotify-client-id", env = "SPOTIFY_CLIENT_ID")]
    pub spotify_client_id: Option<String>,

    /// Its secret.
    #[arg(
        long = "spotify-client-secret",
        env = "SPOTIFY_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub spotify_client_secret: Option<String>,

    /// Where Spotify gives access tokens.
    #[arg(
        long = "spotify-accounts-url",
        env = "SPOTIFY_ACCOUNTS_URL",
        default_value = "https://accounts.spotify.com"
    )]
    pub spotify_accounts_url: String,

    /// Where Spotify's Web API is.
    #[arg(
        long = "spotify-api-url",
        env = "SPOTIFY_API_URL",
        default_value = "https://api.spotify.com"
    )]
    pub spotify_api_url: String,
}

impl Default for MusicConfig {
    fn default() -> Self {
        Self {
            spotify_client_id: None,
            spotify_client_secret: None,
            spotify_accounts_url: "https://accounts.spotify.com".to_owned(),
            spotify_api_url: "https://api.spotify.com".to_owned(),
        }
    }
}

/// Why the music service did not help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MusicError {
    #[error("the music service did not answer")]
    Unreachable(#[from] reqwest::Error),
    #[error("the music service does not accept our credentials ({0})")]
    Credentials(StatusCode),
    #[error("the music service wants to be asked later")]
    Busy,
    #[error("the music service answered {0}")]
    Odd(StatusCode),
}

/// What is known of an artist; never empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// The largest picture.
    pub(crate) image_url: Option<String>,
    /// Genres, for people.
    pub(crate) description: Option<String>,
}

/// The music service.
pub(crate) struct Music {
    http: reqwest::Client,
    id: String,
    secret: String,
    accounts_url: String,
    api_url: String,
}

/// A run of questions under one access token, which is good for an hour.
pub(crate) struct Session<'a> {
    music: &'a Music,
    token: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Found {
    artists: Hits,
}

#[derive(Deserialize)]
struct Hits {
    items: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    name: String,
    #[serde(default)]
    images: Vec<Picture>,
    #[serde(default)]
    genres: Vec<String>,
}

#[derive(Deserialize)]
struct Picture {
    url: String,
    width: Option<u32>,
}

impl Music {
    /// `None`: no credentials are configured.
    pub(crate) fn new(http: reqwest::Client, config: &MusicConfig) -> Option<Self> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let url = |text: &str| text.trim_end_matches('/').to_owned();
        Some(Self {
            http,
            id: set(&config.spotify_client_id)?,
            secret: set(&config.spotify_client_secret)?,
            accounts_url: url(&config.spotify_accounts_url),
            api_url: url(&config.spotify_api_url),
        })
    }

    pub(crate) async fn session(&self) -> Result<Session<'_>, MusicError> {
        let request = self
            .http
            .post(format!("{}/api/token", self.accounts_url))
            .basic_auth(&self.id, Some(&self.secret))
            .form(&[("grant_type", "client_credentials")]);
        let answer = sent(request).await?;
        let Token { access_token } = answer.json().await.map_err(reqwest::Error::without_url)?;
        Ok(Session {
            music: self,
            token: access_token,
        })
    }
}

impl Session<'_> {
    /// What is known of the artist of exactly this name, but for upper and lower case.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Profile>, MusicError> {
        let request = self
            .music
            .http
            .get(format!("{}/v1/search", self.music.api_url))
            .bearer_auth(&self.token)
            .query(&[("type", "artist"), ("q", name), ("limit", &HITS.to_string())]);
        let found: Found = sent(request)
            .await?
            .json()
            .await
            .map_err(reqwest::Error::without_url)?;
        let same = |hit: &Hit| hit.name.trim().to_lowercase() == name.trim().to_lowercase();
        Ok(found.artists.items.into_iter().find(same).and_then(profile))
    }
}

fn profile(hit: Hit) -> Option<Profile> {
    let largest = hit.images.into_iter().max_by_key(|picture| picture.width);
    let profile = Profile {
        // Browsers load it: nothing but the web.
        image_url: largest
            .map(|picture| picture.url)
            .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        description: (!hit.genres.is_empty()).then(|| hit.genres.join(", ")),
    };
    (profile.image_url.is_some() || profile.description.is_some()).then_some(profile)
}

async fn sent(request: reqwest::RequestBuilder) -> Result<reqwest::Response, MusicError> {
    let answer = request
        .timeout(TIMEOUT)
        .header(header::ACCEPT, "application/json")
        .send()
        .await
        .map_err(reqwest::Error::without_url)?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::TOO_MANY_REQUESTS => Err(MusicError::Busy),
        // The token's endpoint says 400 to a client it does not know.
        status @ (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(MusicError::Credentials(status))
        }
        status => Err(MusicError::Odd(status)),
    }
}
