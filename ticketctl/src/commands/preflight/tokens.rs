//! Secrets and tokens end to end: a token made with the secrets we were given is taken by the
//! public entry, and one made with others is not. That is what fails on the day when a secret was
//! rotated in one place only.

use crate::checks::Check;
use reqwest::{Client, StatusCode};
use std::{collections::BTreeMap, time::Duration};
use urr_core::{sale::Sale, token::entry};
use urr_kit::{
    Secrets, SharedClock,
    clock::SystemClock,
    identity::{AccessTokens, Identity, Role},
};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the secrets and, where the public entry is known, sends tokens through.
pub(super) async fn look(
    variables: &BTreeMap<String, String>,
    public: Option<&str>,
    sale: &Sale,
) -> Vec<Check> {
    let secrets = match Secrets::from_lookup(|name| variables.get(name).cloned()) {
        Ok(secrets) => secrets,
        Err(_) if !variables.contains_key("JWT_SECRET") => {
            return vec![
                Check::skip("secrets", "give the services' variables with --env-file FILE"),
                Check::skip("tokens end to end", "needs the secrets"),
            ];
        }
        Err(error) => {
            return vec![Check::fail(
                "secrets",
                crate::failure::with_causes(&error),
                "give the services strong secrets, the same to all of them",
            )];
        }
    };
    let mut checks = vec![Check::pass("secrets", "all are there and strong enough")];
    let Some(public) = public else {
        checks.push(Check::skip(
            "tokens end to end",
            "give the public entry with --public URL",
        ));
        return checks;
    };
    match Client::builder().timeout(PATIENCE).build() {
        Ok(http) => {
            let probe = Probe {
                http,
                public: public.trim_end_matches('/'),
                sale,
                clock: SystemClock::shared(),
            };
            checks.push(probe.access(&secrets).await);
            checks.push(probe.entry(&secrets).await);
        }
        Err(error) => checks.push(Check::fail(
            "tokens end to end",
            error.to_string(),
            "is TLS usable here?",
        )),
    }
    checks
}

struct Probe<'a> {
    http: Client,
    public: &'a str,
    sale: &'a Sale,
    clock: SharedClock,
}

impl Probe<'_> {
    fn visitor(secrets: &Secrets, clock: &SharedClock) -> (Uuid, String) {
        let user = Uuid::new_v4();
        let identity = Identity {
            user_id: user,
            email: "preflight@urr.invalid".to_owned(),
            role: Role::User,
        };
        (
            user,
            AccessTokens::new(secrets).issue_access(&identity, clock.now()),
        )
    }

    async fn status(
        &self,
        path: &str,
        access: &str,
        entry: Option<&str>,
    ) -> Result<StatusCode, reqwest::Error> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.public))
            .bearer_auth(access);
        if let Some(entry) = entry {
            request = request.header("x-queue-entry-token", entry);
        }
        Ok(request.send().await?.status())
    }

    /// An access token of ours is known, one of strangers is not.
    async fn access(&self, secrets: &Secrets) -> Check {
        let name = "access tokens end to end";
        let path = format!("/api/v1/queue/status/{}", self.sale.id);
        let Ok(strangers) = Secrets::generate() else {
            return Check::skip(name, "no random numbers could be drawn");
        };
        let ours = self
            .status(&path, &Self::visitor(secrets, &self.clock).1, None)
            .await;
        let theirs = self
            .status(&path, &Self::visitor(&strangers, &self.clock).1, None)
            .await;
        Self::judge(name, "JWT_SECRET", ours, theirs, StatusCode::UNAUTHORIZED)
    }

    /// An entry token of ours passes the gate, one of strangers does not.
    async fn entry(&self, secrets: &Secrets) -> Check {
        let name = "entry tokens end to end";
        let path = format!("/api/v1/seats/events/{}", self.sale.id);
        let Ok(strangers) = Secrets::generate() else {
            return Check::skip(name, "no random numbers could be drawn");
        };
        let (user, access) = Self::visitor(secrets, &self.clock);
        let now_s = self.clock.now().0 / 1000;
        let claims = entry::Claims {
            sub: self.sale.id,
            uid: user,
            iat: now_s,
            exp: now_s + 60,
        };
        let ours = entry::issue(&secrets.entry_keys, &claims);
        let theirs = entry::issue(&strangers.entry_keys, &claims);
        let ours = self.status(&path, &access, Some(&ours)).await;
        let theirs = self.status(&path, &access, Some(&theirs)).await;
        Self::judge(
            name,
            "QUEUE_ENTRY_TOKEN_SECRET",
            ours,
            theirs,
            StatusCode::FORBIDDEN,
        )
    }

    fn judge(
        name: &str,
        secret: &str,
        ours: Result<StatusCode, reqwest::Error>,
        theirs: Result<StatusCode, reqwest::Error>,
        shut: StatusCode,
    ) -> Check {
        match (ours, theirs) {
            (Err(error), _) | (_, Err(error)) => Check::fail(
                name,
                error.to_string(),
                "is the public entry up, and is its address right?",
            ),
            (Ok(ours), _) if ours == StatusCode::UNAUTHORIZED || ours == StatusCode::FORBIDDEN => {
                Check::fail(
                    name,
                    format!("a token made with the secrets given here is refused ({ours})"),
                    &format!("{secret} is not the same everywhere"),
                )
            }
            (Ok(ours), _) if ours.is_server_error() => Check::fail(
                name,
                format!("the service behind the entry fails ({ours})"),
                "look at its log",
            ),
            (Ok(ours), Ok(theirs)) => Check::that(
                theirs == shut || theirs == StatusCode::UNAUTHORIZED,
                name,
                format!("ours is taken ({ours}), a stranger's is refused ({theirs})"),
                "tokens of strangers are taken: stop the sale, the gate is open",
            ),
        }
    }
}
