//! What the operator says of itself: `/live`, `/ready` with what is missing, `/metrics`.

use crate::load_run;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kube::ResourceExt as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::net::TcpListener;
use urr_api::TicketSale;

/// Lateness in milliseconds; 250 is the promise.
const LATENESS_BUCKETS_MS: [f64; 9] = [10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0, 60_000.0];

/// What must be so for this replica to be of use. Each says what is missing until it is not.
#[derive(Debug, Clone)]
pub struct Gates {
    missing: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

/// The API server answers and knows the definitions.
pub const CLUSTER: &str = "cluster";
/// This replica leads, or stands by for one that does.
pub const LEASE: &str = "lease";
/// While it leads: it has seen all sales once.
pub const SALES: &str = "sales";
/// While it leads: the control API answered when it was last asked.
pub const CONTROL: &str = "control";

impl Default for Gates {
    fn default() -> Self {
        let missing = BTreeMap::from([
            (CLUSTER, "not asked yet".to_owned()),
            (LEASE, "not asked yet".to_owned()),
        ]);
        Self {
            missing: Arc::new(Mutex::new(missing)),
        }
    }
}

impl Gates {
    /// `gate` is as it must be.
    pub fn open(&self, gate: &'static str) {
        self.lock().remove(gate);
    }

    /// `gate` is not, because of `what`.
    pub fn shut(&self, gate: &'static str, what: impl Into<String>) {
        self.lock().insert(gate, what.into());
    }

    /// What is missing, by gate.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<&'static str, String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers on `listener` until it is dropped.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, gates: Gates) -> std::io::Result<()> {
    let ready = move || async move { answer(&gates) };
    let routes = Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(|| async { metrics_text() }))
        // Where all of URR's processes have them.
        .route("/actuator/prometheus", get(|| async { metrics_text() }));
    axum::serve(listener, routes).await
}

fn answer(gates: &Gates) -> Response {
    let missing = gates.missing();
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({"ready": missing.is_empty(), "missing": missing});
    (status, axum::Json(body)).into_response()
}

/// Metrics go to the recorder of this process from here on. A second call, or one after somebody
/// else's recorder, changes nothing.
pub fn record_metrics() {
    let _ = recorder();
}

fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let lateness = Matcher::Suffix("_lateness_ms".to_owned());
            PrometheusBuilder::new()
                .set_buckets_for_metric(lateness, &LATENESS_BUCKETS_MS)
                .ok()?
                .install_recorder()
                .ok()
        })
        .as_ref()
}

fn metrics_text() -> String {
    let text = recorder().map_or_else(String::new, |handle| {
        handle.run_upkeep();
        handle.render()
    });
    text + &slacks().to_text() + &load_run::last_failures::text()
}

/// Seconds by which capacity is early for each sale. The recorder cannot forget a series, and a sale that
/// was deleted must not be told of for ever: an alert would go on about it.
#[derive(Debug, Default)]
struct Slacks(BTreeMap<(String, String), i64>);

impl Slacks {
    fn to_text(&self) -> String {
        let mut text = String::new();
        if !self.0.is_empty() {
            text.push_str("# TYPE operator_slack_seconds gauge\n");
        }
        for ((namespace, sale), slack) in &self.0 {
            // Names of objects have no quotes in them.
            let labels = format!("namespace=\"{namespace}\",sale=\"{sale}\"");
            text.push_str(&format!("operator_slack_seconds{{{labels}}} {slack}\n"));
        }
        text
    }
}

fn slacks() -> MutexGuard<'static, Slacks> {
    static SLACKS: Mutex<Slacks> = Mutex::new(Slacks(BTreeMap::new()));
    SLACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn series(sale: &TicketSale) -> (String, String) {
    (sale.namespace().unwrap_or_default(), sale.name_any())
}

/// Shows `slack_s` as the slack of `sale` from here on.
pub fn note_slack(sale: &TicketSale, slack_s: i64) {
    slacks().0.insert(series(sale), slack_s);
}

/// The sale is gone, and its slack with it.
pub fn forget_slack(sale: &TicketSale) {
    slacks().0.remove(&series(sale));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slack_of_a_sale_goes_with_the_sale() {
        let mut slacks = Slacks::default();
        assert_eq!(slacks.to_text(), "");
        slacks.0.insert(("urr".into(), "club-night".into()), -12);
        slacks.0.insert(("urr".into(), "arena".into()), 90);
        assert_eq!(
            slacks.to_text(),
            "# TYPE operator_slack_seconds gauge\n\
             operator_slack_seconds{namespace=\"urr\",sale=\"arena\"} 90\n\
             operator_slack_seconds{namespace=\"urr\",sale=\"club-night\"} -12\n"
        );
    }

    #[test]
    fn a_replica_is_ready_when_nothing_is_missing() {
        let gates = Gates::default();
        assert_eq!(answer(&gates).status(), StatusCode::SERVICE_UNAVAILABLE);
        gates.open(CLUSTER);
        gates.open(LEASE);
        assert_eq!(answer(&gates).status(), StatusCode::OK);
        gates.shut(CONTROL, "it does not answer");
        assert_eq!(gates.missing().get(CONTROL).unwrap(), "it does not answer");
    }
}
