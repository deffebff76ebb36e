//! Every sale of a control API: what the commands ask for. One sale's stream and steering for
//! screens is [`super::ControlClient`].

use super::{
    ControlError,
    client::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, answered},
};
use reqwest::{Client, Method, RequestBuilder};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use urr_controlplane::http::{AuditLog, SaleList, SaleState};
use urr_core::{
    sale::{Sale, SaleId},
    snapshot::Snapshot,
};

/// An override as the wire has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Hand {
    /// `pause`, `resume`, `rate`, `cap`, `drain` or `reset`.
    pub(crate) action: &'static str,
    /// The figure of `rate` and `cap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<u32>,
    /// Who.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: String,
}

/// A control API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client,
    /// Its base URL, without a slash at the end.
    base: String,
    /// Where it is, for people.
    pub(crate) shown: String,
    token: String,
    timeout: Duration,
    names: Vec<(String, SaleId)>,
}

impl Api {
    /// The control API at `base`, with its bearer `token`; answers are awaited for `timeout`.
    pub(crate) fn new(base: &str, token: &str, timeout: Option<Duration>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?,
            base: base.trim_end_matches('/').to_owned(),
            shown: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            timeout: timeout.unwrap_or(ANSWER_TIMEOUT),
            names: Vec::new(),
        })
    }

    /// The same, where the base URL is a way of our own that would tell people nothing; `names` are
    /// those under which the place it leads to knows sales.
    #[cfg(feature = "cluster")]
    pub(crate) fn seen_as(mut self, shown: String, names: Vec<(String, SaleId)>) -> Self {
        self.shown = shown;
        self.names = names;
        self
    }

    /// The sale that the place itself calls `name`.
    pub(crate) fn id_of(&self, name: &str) -> Option<SaleId> {
        let mut names = self.names.iter();
        names.find(|(known, _)| known == name).map(|(_, id)| *id)
    }

    /// One of its sales, for following and steering.
    pub(crate) fn sale(&self, sale: SaleId) -> Result<super::ControlClient, reqwest::Error> {
        Ok(super::ControlClient::new(&self.base, &self.token, sale)?.seen_as(&self.shown))
    }

    /// All sales, in the order in which they open.
    pub(crate) async fn list(&self) -> Result<Vec<SaleState>, ControlError> {
        Ok(self.listed().await?.sales)
    }

    /// The same, with what the control plane says of itself.
    pub(crate) async fn listed(&self) -> Result<SaleList, ControlError> {
        self.get("").await
    }

    /// A sale.
    pub(crate) async fn state(&self, sale: SaleId) -> Result<SaleState, ControlError> {
        self.get(&format!("/{sale}")).await
    }

    /// A sale right now.
    pub(crate) async fn snapshot(&self, sale: SaleId) -> Result<Snapshot, ControlError> {
        self.get(&format!("/{sale}/snapshot")).await
    }

    /// The newest entries of a sale's audit log, oldest first.
    pub(crate) async fn audit(&self, sale: SaleId) -> Result<AuditLog, ControlError> {
        self.get(&format!("/{sale}/audit?limit=500")).await
    }

    /// Announces a sale, or changes it, with who and why for the audit log.
    pub(crate) async fn put_by(
        &self,
        sale: &Sale,
        actor: &str,
        reason: &str,
    ) -> Result<SaleState, ControlError> {
        let request = self
            .request(Method::PUT, &format!("/{}", sale.id))
            .query(&[("actor", actor), ("reason", reason)])
            .json(sale);
        self.read(request).await
    }

    /// Carries out a change by hand.
    pub(crate) async fn hand(&self, sale: SaleId, hand: &Hand) -> Result<SaleState, ControlError> {
        let request = self
            .request(Method::POST, &format!("/{sale}/overrides"))
            .json(hand);
        self.read(request).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ControlError> {
        self.read(self.request(Method::GET, path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/control/v1/sales{path}", self.base))
            .timeout(self.timeout)
            .bearer_auth(&self.token)
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ControlError> {
        let response = answered(&self.shown, request).await?;
        response.json().await.map_err(|source| ControlError::Garbled {
            url: self.shown.clone(),
            source,
        })
    }
}
