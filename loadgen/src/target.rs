//! What is loaded, and whether it may be.
//!
//! A generator that can send 50,000 people somewhere must not be pointed at a stranger's house by
//! a typing error: only loopback is loaded, unless the target itself proves that it expects this.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use urr_core::load_consent::{ConsentKey, PATH, SECRET_ENV};
use urr_core::sale::Sale;
use urr_core::seating::Hall;
use urr_core::token::WeakSecret;
use urr_kit::Secrets;
use uuid::Uuid;

/// The opening under load.
#[derive(Debug, Clone)]
pub struct Target {
    /// Root of the public entry, such as `http://127.0.0.1:3001`; `/api/v1` and `/vwr-api` are
    /// below it.
    pub base_url: String,
    /// The sale, with its instants.
    pub sale: Sale,
    /// Its hall.
    pub hall: Hall,
    /// Secrets shared with the services, to mint access tokens and to try the back door.
    pub secrets: Arc<Secrets>,
    /// Proof that a target elsewhere agreed to be loaded; [`OptIn::ask`] obtains it.
    pub opt_in: Option<OptIn>,
}

/// A target's consent to be loaded, given to a fresh question. Nothing else constructs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    /// Who consented: host and, if it was named, port.
    authority: String,
}

/// Longest wait for a target's consent.
const CONSENT_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer read; a proof is 64 characters.
const CONSENT_BYTES_MAX: usize = 1024;

/// Why a target is not loaded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unsafe {
    /// Not an `http://host[:port]` address.
    #[error("`{0}` is not an http address such as http://127.0.0.1:3001")]
    NotAnAddress(String),
    /// Not this machine, and without consent.
    #[error(
        "refusing to load `{0}`: it is not loopback and has not opted in; point the load at 127.0.0.1, or have the target answer {PATH} by giving it and the generator the same {SECRET_ENV}"
    )]
    NotLoopback(String),
    /// Asked, and it did not consent.
    #[error("refusing to load `{url}`: asked for consent at {PATH}, {why}")]
    NoConsent {
        /// Whom.
        url: String,
        /// What came instead.
        why: String,
    },
    /// The secret to ask with is too weak to prove anything.
    #[error("{SECRET_ENV} proves nothing")]
    WeakSecret(#[source] WeakSecret),
}

#[derive(Debug, serde::Deserialize)]
struct Consent {
    proof: String,
}

impl OptIn {
    /// Asks the target at `base_url` whether it expects load, with the secret shared with its operator.
    ///
    /// # Errors
    /// [`Unsafe`] when it does not prove that it does.
    pub async fn ask(base_url: &str, secret: &str) -> Result<Self, Unsafe> {
        let key = ConsentKey::new(secret).map_err(Unsafe::WeakSecret)?;
        let (url, authority) = address(base_url)?;
        let no = |why: String| Unsafe::NoConsent {
            url: base_url.to_owned(),
            why,
        };
        let nonce = Uuid::new_v4().to_string();
        let question = url
            .join(&format!("{PATH}?nonce={nonce}"))
            .map_err(|_| Unsafe::NotAnAddress(base_url.to_owned()))?;
        // Consent of whoever a redirect leads to would be another's.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CONSENT_WITHIN)
            .build()
            .map_err(|error| no(format!("no client could be built: {error}")))?;
        let mut answer = client
            .get(question)
            .send()
            .await
            .map_err(|error| no(format!("it did not answer: {}", error.without_url())))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(no(format!("it answered {}", answer.status())));
        }
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > CONSENT_BYTES_MAX {
                return Err(no("its answer is too long to be a proof".to_owned()));
            }
        }
        let consent: Consent =
            serde_json::from_slice(&body).map_err(|_| no("its answer is not a proof".to_owned()))?;
        if !key.accepts(&authority, &nonce, &consent.proof) {
            return Err(no("its proof is wrong: the secrets differ".to_owned()));
        }
        Ok(Self { authority })
    }
}

/// The address, and host with port as they stand in a `Host` header.
fn address(base_url: &str) -> Result<(reqwest::Url, String), Unsafe> {
    let not_an_address = || Unsafe::NotAnAddress(base_url.to_owned());
    let url = reqwest::Url::parse(base_url).map_err(|_| not_an_address())?;
    let host = url.host_str().ok_or_else(not_an_address)?;
    if url.scheme() != "http" {
        return Err(not_an_address());
    }
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Ok((url, authority))
}

impl Target {
    /// Checks that loading this target harms nobody.
    ///
    /// # Errors
    /// [`Unsafe`], naming the address.
    pub fn check(&self) -> Result<reqwest::Url, Unsafe> {
        let (url, authority) = address(&self.base_url)?;
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A name other than `localhost` could resolve to anywhere, so it is not loopback.
        let loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let agreed = self
            .opt_in
            .as_ref()
            .is_some_and(|opt_in| opt_in.authority == authority);
        if loopback || agreed {
            Ok(url)
        } else {
            Err(Unsafe::NotLoopback(self.base_url.clone()))
        }
    }
}

#[cfg(test)]
mod tests;
