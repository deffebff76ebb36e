//! What an author is called: the name he registered with, asked from auth once per text.
//!
//! Upstream showed the local part of the e-mail address (quirk 16), which told strangers how to
//! write to every member.

use serde::Deserialize;
use urr_kit::internal::InternalClient;
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Authors {
    client: InternalClient,
    auth_url: String,
}

#[derive(Deserialize)]
struct Answer {
    user: User,
}

#[derive(Deserialize)]
struct User {
    name: String,
}

impl Authors {
    pub(crate) fn new(client: InternalClient, auth_url: &str) -> Self {
        Self {
            client,
            auth_url: auth_url.trim_end_matches('/').to_owned(),
        }
    }

    /// The user's name; if auth cannot say, a neutral one: a text is not lost for a label.
    pub(crate) async fn name_of(&self, user: Uuid) -> String {
        let url = format!("{}/internal/users/{user}", self.auth_url);
        match self.client.get_json::<Answer>(&url).await {
            Ok(Answer { user }) if !user.name.trim().is_empty() => user.name.chars().take(100).collect(),
            Ok(_) => neutral(user),
            Err(error) => {
                tracing::warn!(%user, %error, "author's name unknown");
                neutral(user)
            }
        }
    }
}

/// `member-1a2b`: stable per user, says nothing about him.
fn neutral(user: Uuid) -> String {
    let hex = user.simple().to_string();
    format!("member-{}", &hex[..4])
}
