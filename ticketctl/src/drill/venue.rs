//! The hall and the event, made through the very APIs an organiser uses.

use anyhow::{Context as _, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use urr_core::{
    sale::{Sale, SaleId},
    time::Millis,
};
use urr_kit::{
    Secrets,
    identity::{AccessTokens, Identity, Role},
};
use urr_loadgen::Scenario;
use uuid::Uuid;

use super::services::Services;

/// Making a hall of 200,000 seats takes a while.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A service that says 503 is asked again this often.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// From the opening to the show; any time after the sale will do.
const SHOW_AFTER_S: i64 = 30 * 24 * 3600;

/// An organiser with an admin's token.
pub(super) struct Organiser<'a> {
    http: Client,
    services: &'a Services,
    internal_token: &'a str,
    access_token: String,
}

#[derive(Deserialize)]
struct Created {
    id: Option<Uuid>,
    #[serde(alias = "event")]
    layout: Option<WithId>,
}

#[derive(Deserialize)]
struct WithId {
    id: Uuid,
}

impl<'a> Organiser<'a> {
    /// An organiser at these services.
    pub(super) fn new(services: &'a Services, secrets: &'a Secrets, now: Millis) -> anyhow::Result<Self> {
        let admin = Identity {
            user_id: Uuid::new_v4(),
            email: "drill@urr.example".to_owned(),
            role: Role::Admin,
        };
        Ok(Self {
            http: Client::builder()
                .timeout(TIMEOUT)
                .build()
                .context("building an HTTP client")?,
            services,
            internal_token: &secrets.internal_api_token,
            access_token: AccessTokens::new(secrets).issue_access(&admin, now),
        })
    }

    /// Stores the hall's layout and the event; returns the event's id, which is the sale's.
    pub(super) async fn build(&self, scenario: &Scenario, now: Millis) -> anyhow::Result<SaleId> {
        let layout = json!({
            "name": format!("{} ({})", scenario.sale.venue, scenario.name),
            "description": scenario.title,
            "totalSeats": scenario.seats(),
            "layoutConfig": scenario.hall(),
        });
        let layout = self
            .create(
                self.http
                    .post(format!(
                        "{}/internal/seat-layouts",
                        self.services.settings.urls.booking
                    ))
                    .bearer_auth(self.internal_token)
                    .json(&layout),
            )
            .await
            .context("storing the hall's layout")?;
        // The instants are set for good by `announce`, once the hall stands.
        let provisional = scenario.sale(Uuid::nil(), now);
        self.create(
            self.http
                .post(format!("{}/api/v1/admin/events", self.services.public))
                .bearer_auth(&self.access_token)
                .json(&event(scenario, &provisional, layout)),
        )
        .await
        .context("creating the event")
    }

    /// Writes the sale's final instants into the event.
    pub(super) async fn announce(&self, scenario: &Scenario, sale: &Sale) -> anyhow::Result<()> {
        let request = self
            .http
            .put(format!(
                "{}/api/v1/admin/events/{}",
                self.services.public, sale.id
            ))
            .bearer_auth(&self.access_token)
            .json(&event(scenario, sale, Uuid::nil()));
        send(request).await.context("announcing the event").map(|_| ())
    }

    async fn create(&self, request: RequestBuilder) -> anyhow::Result<Uuid> {
        let body = send(request).await?;
        let created: Created = serde_json::from_value(body.clone())
            .with_context(|| format!("the answer names nothing created: {body}"))?;
        created
            .id
            .or_else(|| created.layout.map(|l| l.id))
            .with_context(|| format!("the answer carries no id: {body}"))
    }
}

fn event(scenario: &Scenario, sale: &Sale, layout: Uuid) -> Value {
    let schedule = &sale.schedule;
    let mut event = json!({
        "title": scenario.title,
        "description": scenario.about,
        "venue": scenario.sale.venue,
        "eventDate": iso(schedule.opens_at.plus_s(SHOW_AFTER_S)),
        "saleStartDate": iso(schedule.opens_at),
        "saleEndDate": iso(schedule.closes_at),
    });
    if !layout.is_nil() {
        event["seatLayoutId"] = json!(layout);
    }
    event
}

fn iso(at: Millis) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Sends `request`, again while a service that has just started says 503: nothing was changed then.
async fn send(request: RequestBuilder) -> anyhow::Result<Value> {
    let until = Instant::now() + TIMEOUT;
    let (status, body) = loop {
        let this = request.try_clone().context("a request that cannot be repeated")?;
        let response = this.send().await.context("no answer")?;
        let status = response.status();
        let body = response.text().await.context("the answer broke off")?;
        if status != StatusCode::SERVICE_UNAVAILABLE || Instant::now() >= until {
            break (status, body);
        }
        tokio::time::sleep(RETRY_EVERY).await;
    };
    if !status.is_success() {
        bail!("{status}: {body}");
    }
    if body.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body).with_context(|| format!("not JSON: {body}"))
}
