//! Making accounts, and what an account may look like.

use serde::Deserialize;
use urr_core::time::Millis;
use urr_kit::identity::Role;
use urr_kit::{ApiError, ApiResult, BoxError, StartError};

use crate::password::{BYTES_MAX, Passwords};
use crate::store::{Agreement, NewUser, Store};

const ADMIN_EMAIL: &str = "admin@urr.com";
const EMAIL_MAX: usize = 255;
const NAME_MAX: usize = 100;
const PHONE_MAX: usize = 20;
/// One of each kind, and room for a changed mind.
const AGREEMENTS_MAX: usize = 6;

/// The body of a registration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    #[serde(default)]
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
    /// Not on upstream's wire: which terms were agreed to, if the form asks (R-AUTH-02).
    #[serde(default)]
    pub(crate) agreements: Vec<Agreement>,
}

impl Registration {
    /// Trims, lowers and checks; the order is that of the form.
    pub(crate) fn checked(mut self) -> ApiResult<Self> {
        self.email = email(&self.email)?;
        if self.password.chars().count() < 8 {
            return Err(ApiError::bad_request("Password must be at least 8 characters"));
        }
        if self.password.len() > BYTES_MAX {
            return Err(ApiError::bad_request("Password must be at most 72 bytes"));
        }
        self.name = self.name.trim().to_owned();
        if self.name.is_empty() {
            return Err(ApiError::bad_request("name must not be blank"));
        }
        if self.name.chars().count() > NAME_MAX {
            return Err(ApiError::bad_request("name must be at most 100 characters"));
        }
        self.phone = self
            .phone
            .map(|phone| phone.trim().to_owned())
            .filter(|phone| !phone.is_empty());
        if self
            .phone
            .as_ref()
            .is_some_and(|phone| phone.chars().count() > PHONE_MAX)
        {
            return Err(ApiError::bad_request("phone must be at most 20 characters"));
        }
        let known = ["SERVICE", "PRIVACY", "MARKETING"];
        let odd = self
            .agreements
            .iter()
            .any(|a| !known.contains(&a.terms_type.as_str()) || a.terms_version.chars().count() > 20);
        if odd || self.agreements.len() > AGREEMENTS_MAX {
            return Err(ApiError::bad_request("Invalid agreements"));
        }
        Ok(self)
    }
}

/// An address as it is kept: trimmed, in lower case. The form is checked loosely, as only a mail
/// that arrives proves an address.
pub(crate) fn email(text: &str) -> ApiResult<String> {
    let email = text.trim().to_lowercase();
    if email.is_empty() {
        return Err(ApiError::bad_request("email must not be blank"));
    }
    let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if !well_formed || email.len() > EMAIL_MAX || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ApiError::bad_request("must be a well-formed email address"));
    }
    Ok(email)
}

/// Makes the administrator's account unless it is there. An existing one keeps its password: a
/// setting that is left in place must not undo a change of password at the next start.
pub(crate) async fn seed_admin(
    store: &Store,
    passwords: &Passwords,
    password: &str,
    now: Millis,
) -> Result<(), StartError> {
    if password.chars().count() < 8 || password.len() > BYTES_MAX {
        return Err(StartError::WeakSecret {
            variable: "AUTH_ADMIN_PASSWORD",
            problem: "8 characters to 72 bytes are needed".to_owned(),
        });
    }
    let failed = |error: BoxError| StartError::other("the administrator's account could not be made", error);
    if store
        .by_email(ADMIN_EMAIL)
        .await
        .map_err(|e| failed(e.into()))?
        .is_some()
    {
        return Ok(());
    }
    let hash = passwords
        .hash(password.to_owned())
        .await
        .map_err(|e| failed(e.into()))?;
    let admin = NewUser {
        email: ADMIN_EMAIL,
        password_hash: Some(&hash),
        name: "Admin",
        phone: None,
        role: Role::Admin,
        google_id: None,
    };
    let seed = async {
        let mut tx = store.begin().await?;
        Store::insert(&mut tx, &admin, now).await?;
        tx.commit().await
    };
    seed.await.map_err(|e| failed(e.into()))
}

#[cfg(test)]
mod tests {
    use super::email;

    #[test]
    fn addresses_are_kept_in_lower_case() {
        assert_eq!(email(" Kim@URR.kr ").unwrap(), "kim@urr.kr");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in [
            "",
            " ",
            "kim",
            "@urr.kr",
            "kim@urr",
            "kim@.kr",
            "a b@urr.kr",
            "a@b@urr.kr",
        ] {
            assert!(email(text).is_err(), "{text} was accepted");
        }
    }
}
