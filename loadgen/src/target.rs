//! What is loaded, and whether it may be.
//!
//! A generator that can send 50,000 people somewhere must not be pointed at a stranger's house by
//! a typing error: only loopback is loaded, unless the target itself says that it expects this.

use std::net::IpAddr;
use std::sync::Arc;
use urr_core::sale::Sale;
use urr_core::seating::Hall;
use urr_kit::Secrets;

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
    /// Proof that a target elsewhere agreed to be loaded. There is no way to obtain one yet: the
    /// services do not answer an opt-in request, so every address but loopback is refused.
    pub opt_in: Option<OptIn>,
}

/// A target's consent to be loaded. Nothing constructs it outside this crate.
#[derive(Debug, Clone)]
pub struct OptIn {
    /// The host that consented.
    pub(crate) host: String,
}

/// Why a target is not loaded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unsafe {
    /// Not an `http://host[:port]` address.
    #[error("`{0}` is not an http address such as http://127.0.0.1:3001")]
    NotAnAddress(String),
    /// Not this machine, and without consent.
    #[error(
        "refusing to load `{0}`: it is not loopback and has not opted in; run the drill on one machine, or point it at 127.0.0.1"
    )]
    NotLoopback(String),
}

impl Target {
    /// Checks that loading this target harms nobody.
    ///
    /// # Errors
    /// [`Unsafe`], naming the address.
    pub fn check(&self) -> Result<reqwest::Url, Unsafe> {
        let not_an_address = || Unsafe::NotAnAddress(self.base_url.clone());
        let url = reqwest::Url::parse(&self.base_url).map_err(|_| not_an_address())?;
        let host = url.host_str().ok_or_else(not_an_address)?;
        if url.scheme() != "http" {
            return Err(not_an_address());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A name other than `localhost` could resolve to anywhere, so it is not loopback.
        let loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let agreed = self.opt_in.as_ref().is_some_and(|opt_in| opt_in.host == host);
        if loopback || agreed {
            Ok(url)
        } else {
            Err(Unsafe::NotLoopback(self.base_url.clone()))
        }
    }
}
