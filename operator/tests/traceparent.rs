//! A call of the control API says which look it belongs to (R-OBS-02). A process of its own: traces are
//! installed once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode};
use std::sync::{Arc, Mutex};
use urr_kit::telemetry::{self, LogSettings};
use urr_kit::trace::{self, SamplerName, TraceSettings};
use urr_operator::control_api::ControlApi;
use uuid::Uuid;

type Heard = Arc<Mutex<Vec<Option<String>>>>;

async fn hear(State(heard): State<Heard>, headers: HeaderMap) -> StatusCode {
    let said = headers
        .get("traceparent")
        .map(|said| said.to_str().unwrap().to_owned());
    heard.lock().unwrap().push(said);
    StatusCode::NOT_FOUND
}

#[tokio::test]
async fn a_call_of_the_control_api_belongs_to_the_look_it_is_made_in() {
    let settings = TraceSettings {
        // Nobody listens there, and that is nobody's trouble.
        otlp_endpoint: Some("http://127.0.0.1:1".to_owned()),
        traces_sampler: SamplerName::AlwaysOn,
        ..TraceSettings::default()
    };
    let traces = telemetry::start_log(&LogSettings::default(), &settings, "test").unwrap();
    assert!(traces.is_some());
    let heard = Heard::default();
    let router = Router::new().fallback(hear).with_state(Arc::clone(&heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let control = ControlApi::new(http, &base, "token");

    let look = trace::within(trace::root("look"), async {
        assert!(control.get(Uuid::new_v4()).await.unwrap().is_none());
        trace::traceparent().expect("a look has a trace")
    });
    let look = look.await;
    assert!(control.get(Uuid::new_v4()).await.unwrap().is_none());

    let heard = heard.lock().unwrap().clone();
    let [Some(within), None] = &heard[..] else {
        panic!("{heard:?}");
    };
    let trace_of = |traceparent: &str| traceparent.split('-').nth(1).unwrap().to_owned();
    assert_eq!(trace_of(within), trace_of(&look));
    assert_ne!(within, &look, "the call is a span of its own");
}
