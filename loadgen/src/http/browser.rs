//! A browser's client: its own connections and cookie jar, one per visitor.
//!
//! Tokens travel as the web app sends them: the access token as the `access_token` cookie, the
//! waiting room's and the entry token as cookies that the page's scripts set, the entry token also
//! as a header.

use super::{ANSWER_WITHIN, Answer, Ask, Http, Lost, retry_after};
use crate::measure::{Lane, Live, Up};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::cookie::Jar;
use reqwest::{Client, ClientBuilder, Url};
use std::sync::Arc;
use std::time::Instant;

/// See the module.
#[derive(Clone)]
pub struct Browser {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    jar: Arc<Jar>,
    base: Url,
    live: Arc<Live>,
}

impl Browser {
    /// A client builder with an empty jar, for goose to build the client from.
    pub fn builder() -> (ClientBuilder, Arc<Jar>) {
        let jar = Arc::new(Jar::default());
        let builder = Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .timeout(ANSWER_WITHIN)
            .user_agent("Mozilla/5.0 (urr-loadgen browser share)");
        (builder, jar)
    }

    /// The browser that owns `client` and `jar`.
    #[must_use]
    pub fn new(client: Client, jar: Arc<Jar>, base: Url, live: Arc<Live>) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                jar,
                base,
                live,
            }),
        }
    }
}

impl Inner {
    async fn send(self: Arc<Self>, ask: Ask) -> Result<Answer, Lost> {
        let _open = Up::raise(&self.live, |counters| &counters.in_flight);
        let sent = Instant::now();
        let cookies = [
            ("access_token", &ask.passes.access),
            ("urr-vwr-token", &ask.passes.vwr),
            ("urr-entry-token", &ask.passes.entry),
        ];
        for (name, token) in cookies {
            if let Some(token) = token {
                self.jar
                    .add_cookie_str(&format!("{name}={token}; Path=/"), &self.base);
            }
        }
        let url = self.base.join(&ask.path).map_err(|_| Lost::Broken(sent))?;
        let mut request = if ask.post {
            self.client.post(url)
        } else {
            self.client.get(url)
        };
        if let Some(entry) = &ask.passes.entry {
            request = request.header("x-queue-entry-token", entry.as_ref());
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if let Some(body) = ask.body {
            request = request
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        let lost = |error: reqwest::Error| {
            if error.is_timeout() {
                Lost::Silence(sent)
            } else {
                Lost::Broken(sent)
            }
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let retry_after_s = retry_after(response.headers());
        let body = response.bytes().await.map_err(lost)?;
        Ok(Answer {
            status,
            retry_after_s,
            body,
            sent,
        })
    }
}

impl Http for Browser {
    fn send(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Lost>> {
        Arc::clone(&self.inner).send(ask).boxed()
    }

    fn lane(&self) -> Lane {
        Lane::Browser
    }
}
