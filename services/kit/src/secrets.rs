//! The secrets of an installation, and the refusal to start with weak ones.
//!
//! Names are those of api-contract.md section 4. A secret that is missing, too short or not what
//! it says stops the start and names its variable (quirk 37: upstream went on without
//! authentication). Values never appear in `Debug`, errors or logs.

use crate::start::StartError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;
use std::fmt;
use urr_core::token::Keyring;

/// Bytes below which an HMAC key or bearer token can be guessed offline.
const SECRET_BYTES_MIN: usize = 32;
/// A secret of fewer different bytes is a placeholder, not a secret.
const DISTINCT_BYTES_MIN: usize = 8;

const JWT: &str = "JWT_SECRET";
const ENTRY: &str = "QUEUE_ENTRY_TOKEN_SECRET";
const ENTRY_PREVIOUS: &str = "QUEUE_ENTRY_TOKEN_SECRET_PREVIOUS";
const VWR: &str = "VWR_TOKEN_SECRET";
const VWR_PREVIOUS: &str = "VWR_TOKEN_SECRET_PREVIOUS";
const INTERNAL: &str = "INTERNAL_API_TOKEN";
const CONTROL: &str = "CONTROL_API_TOKEN";
const TOSS: &str = "TOSS_SECRET_KEY";

/// The decoded key of access and refresh tokens; at least 32 bytes.
#[derive(Clone)]
pub struct JwtSecret(Vec<u8>);

impl JwtSecret {
    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Every secret, checked.
#[derive(Clone)]
pub struct Secrets {
    /// Signs access and refresh tokens.
    pub jwt: JwtSecret,
    /// Bearer token of calls between services.
    pub internal_api_token: String,
    /// Bearer token of the control API.
    pub control_api_token: String,
    /// Signs tier-2 entry tokens; may hold the previous key during a rotation.
    pub entry_keys: Keyring,
    /// Signs tier-1 tokens and places; may hold the previous key during a rotation.
    pub vwr_keys: Keyring,
    /// Authenticates us to the payment provider.
    pub toss_secret_key: String,
    /// What was read, to hand to child processes.
    env: Vec<(&'static str, String)>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Reads all secrets from the environment.
    ///
    /// # Errors
    /// Names the first variable that is missing or too weak.
    pub fn from_env() -> Result<Self, StartError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`Secrets::from_env`], from any source of variables.
    ///
    /// # Errors
    /// Names the first variable that is missing or too weak.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let mut env = Vec::new();
        let mut take = |variable: &'static str, purpose: &'static str| {
            let value = lookup(variable)
                .filter(|value| !value.is_empty())
                .ok_or(StartError::MissingSetting { variable, purpose })?;
            env.push((variable, value.clone()));
            Ok::<_, StartError>(value)
        };
        let jwt = take(JWT, "it signs access tokens (standard Base64, 32 bytes or more)")?;
        let entry = take(ENTRY, "it signs queue entry tokens")?;
        let vwr = take(VWR, "it signs waiting room tokens")?;
        let internal_api_token = take(INTERNAL, "services prove themselves to each other with it")?;
        let control_api_token = take(CONTROL, "it opens the control API")?;
        let toss_secret_key = take(TOSS, "it authenticates us to the payment provider")?;

        let entry_previous = lookup(ENTRY_PREVIOUS).filter(|value| !value.is_empty());
        let vwr_previous = lookup(VWR_PREVIOUS).filter(|value| !value.is_empty());
        for (variable, value) in [(ENTRY_PREVIOUS, &entry_previous), (VWR_PREVIOUS, &vwr_previous)] {
            if let Some(value) = value {
                env.push((variable, value.clone()));
            }
        }
        strong(INTERNAL, internal_api_token.as_bytes())?;
        strong(CONTROL, control_api_token.as_bytes())?;
        Ok(Self {
            jwt: decode_jwt(&jwt)?,
            entry_keys: keyring(ENTRY, entry, entry_previous)?,
            vwr_keys: keyring(VWR, vwr, vwr_previous)?,
            internal_api_token,
            control_api_token,
            toss_secret_key,
            env,
        })
    }

    /// New random secrets, for a drill or a test.
    ///
    /// # Errors
    /// None in practice: random keys pass the checks.
    pub fn generate() -> Result<Self, StartError> {
        let drawn: Vec<(&str, String)> = [JWT, ENTRY, VWR, INTERNAL, CONTROL, TOSS]
            .into_iter()
            .map(|name| (name, random_base64()))
            .collect();
        Self::from_lookup(|name| {
            drawn
                .iter()
                .find(|(drawn, _)| *drawn == name)
                .map(|(_, value)| value.clone())
        })
    }

    /// The variables [`Secrets::from_env`] reads, to hand to a child process.
    #[must_use]
    pub fn to_env(&self) -> Vec<(String, String)> {
        self.env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

/// The keys that tokens are checked with, for a process at the edge that must hold no other secret.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    /// Of tier-1 passes and places.
    pub vwr: Keyring,
    /// Of entry tokens, if the process was given them.
    pub entry: Option<Keyring>,
}

impl TokenKeys {
    /// Reads `VWR_TOKEN_SECRET` and, if it is there, `QUEUE_ENTRY_TOKEN_SECRET` from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or too weak.
    pub fn from_env() -> Result<Self, StartError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let ring = |variable, previous| {
            given(variable)
                .map(|current| keyring(variable, current, given(previous)))
                .transpose()
        };
        Ok(Self {
            vwr: ring(VWR, VWR_PREVIOUS)?.ok_or(StartError::MissingSetting {
                variable: VWR,
                purpose: "it signs waiting room tokens",
            })?,
            entry: ring(ENTRY, ENTRY_PREVIOUS)?,
        })
    }
}

fn random_base64() -> String {
    let mut key = [0u8; 48];
    rand::rng().fill_bytes(&mut key);
    STANDARD.encode(key)
}

fn decode_jwt(text: &str) -> Result<JwtSecret, StartError> {
    let key = STANDARD.decode(text.trim()).map_err(|_| StartError::WeakSecret {
        variable: JWT,
        problem: "it is not standard Base64".to_owned(),
    })?;
    strong(JWT, &key)?;
    Ok(JwtSecret(key))
}

fn strong(variable: &'static str, secret: &[u8]) -> Result<(), StartError> {
    if secret.len() < SECRET_BYTES_MIN {
        let problem = format!("{} bytes, at least {SECRET_BYTES_MIN} are needed", secret.len());
        return Err(StartError::WeakSecret { variable, problem });
    }
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    if seen.iter().filter(|seen| **seen).count() < DISTINCT_BYTES_MIN {
        let problem = "it repeats the same few characters".to_owned();
        return Err(StartError::WeakSecret { variable, problem });
    }
    Ok(())
}

fn keyring(variable: &'static str, current: String, previous: Option<String>) -> Result<Keyring, StartError> {
    strong(variable, current.as_bytes())?;
    let keys: Vec<String> = std::iter::once(current).chain(previous).collect();
    Keyring::new(&keys).map_err(|weak| StartError::WeakSecret {
        variable,
        problem: weak.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Result<Secrets, StartError> {
        let good = Secrets::generate().unwrap().to_env();
        Secrets::from_lookup(move |wanted| {
            if wanted == name {
                return Some(value.to_owned());
            }
            good.iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn weak_secrets_stop_the_start_and_name_their_variable() {
        // R-SEC-01, api-contract section 15 quirk 37.
        for (name, value) in [
            (JWT, "not base64!"),
            (JWT, "c2hvcnQ="),
            (JWT, ""),
            (ENTRY, "short"),
            (VWR, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            (INTERNAL, "change-me"),
            (CONTROL, ""),
        ] {
            let message = with(name, value).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
            assert!(
                value.is_empty() || !message.contains(value),
                "leaks the value: {message}"
            );
        }
    }

    #[test]
    fn generated_secrets_pass_the_checks_and_travel_by_environment() {
        let secrets = Secrets::generate().unwrap();
        let env = secrets.to_env();
        let again = Secrets::from_lookup(|name| {
            env.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        })
        .unwrap();
        assert_eq!(again.internal_api_token, secrets.internal_api_token);
        assert_eq!(again.jwt.as_bytes(), secrets.jwt.as_bytes());
    }

    #[test]
    fn an_edge_needs_the_tokens_keys_and_no_other_secret() {
        let all = Secrets::generate().unwrap().to_env();
        let only = |wanted: &'static [&'static str]| {
            let all = all.clone();
            TokenKeys::from_lookup(move |name| {
                let (_, value) = all.iter().find(|(known, _)| known == name)?;
                wanted.contains(&name).then(|| value.clone())
            })
        };
        assert!(only(&[VWR]).unwrap().entry.is_none());
        assert!(only(&[VWR, ENTRY]).unwrap().entry.is_some());
        assert!(only(&[ENTRY]).unwrap_err().to_string().contains(VWR));
    }

    #[test]
    fn debug_shows_no_secret() {
        let secrets = Secrets::generate().unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(..)");
    }
}
