//! Traces of the real processes, as a collector gets them (R-OBS-02, decision 0025).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod collector;
mod house;

use collector::{Collector, Span};
use house::{Process, Show, answer, client, traced};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpListener;
use urr_kit::testing::{TestBed, eventually};

/// A stranger's, with the flag that asks to be recorded. By its low bits a sampler by share takes it always.
const FORGED: &str = "00-0af7651916cd43dd0000000000000000-b7ad6b7169203331-01";
const FORGED_TRACE: &str = "0af7651916cd43dd0000000000000000";

const RESERVE: &str = "POST /api/seats/reserve";
const HEARD: &str = "process RESERVATION_CREATED";
/// What payment asks booking.
const ASK: &str = "GET /internal/reservations";
const ASKED: &str = "GET /internal/reservations/{id}/validate";

fn is_root_at(service: &str) -> impl Fn(&Span) -> bool {
    move |span| span.service == service && span.kind == SpanKind::Server && span.parent.is_empty()
}

/// A span with these properties.
fn find<'a>(spans: &'a [Span], service: &str, kind: SpanKind, name: &str) -> Option<&'a Span> {
    spans
        .iter()
        .find(|span| span.service == service && span.kind == kind && span.name == name)
}

fn asks(spans: &[Span], service: &str, store: &str) -> bool {
    spans
        .iter()
        .any(|span| span.service == service && span.store.as_deref() == Some(store))
}

#[tokio::test]
async fn one_trace_from_the_gateway_to_the_store_and_to_who_hears_of_it() {
    let (bed, collector) = (TestBed::new().await, Collector::start().await);
    let env = traced(&collector);
    let listen = ["--listen", "127.0.0.1:0"];
    let start = async |args: &[&str], name: &str| {
        Process::start(&bed, &[args, &listen].concat(), &env, &[name]).await
    };
    let booking = start(&["booking"], "booking").await;
    let there = booking.at("booking").to_owned();
    let payment = start(&["payment", "--booking-url", &there], "payment").await;
    let paying = payment.at("payment").to_owned();
    let stats = start(&["stats"], "stats").await;
    let args = ["gateway", "--booking-url", &there, "--payment-url", &paying];
    let gateway = start(&args, "gateway").await;
    let show = Show::put(&bed, &there, gateway.at("gateway")).await;

    let reservation = show.reserve(gateway.at("gateway")).await;
    let spans = collector
        .trace(
            |span| span.name == RESERVE,
            |spans| {
                spans.iter().any(is_root_at("urr-gateway"))
                    && find(spans, "urr-gateway", SpanKind::Client, "booking").is_some()
                    && find(spans, "urr-booking", SpanKind::Server, RESERVE).is_some()
                    && asks(spans, "urr-booking", "postgresql")
                    && find(
                        spans,
                        "urr-booking",
                        SpanKind::Producer,
                        "publish reservation-events",
                    )
                    .is_some()
                    && find(spans, "urr-stats", SpanKind::Consumer, HEARD).is_some()
                    && asks(spans, "urr-stats", "postgresql")
            },
        )
        .await;
    let entry = spans.iter().find(|span| is_root_at("urr-gateway")(span)).unwrap();
    let hop = find(&spans, "urr-gateway", SpanKind::Client, "booking").unwrap();
    let served = find(&spans, "urr-booking", SpanKind::Server, RESERVE).unwrap();
    let heard = find(&spans, "urr-stats", SpanKind::Consumer, HEARD).unwrap();
    assert_eq!(hop.parent, entry.id, "the call to booking is the gateway's");
    assert_eq!(served.parent, hop.id, "and what booking does is the call's");
    assert_eq!(
        heard.parent, served.id,
        "what made the event true is what it follows from"
    );
    assert!(
        spans.iter().all(|span| !span.name.contains(&reservation)),
        "names say no values: {spans:#?}"
    );

    // From service to service: payment asks booking what the reservation is worth.
    let wish = json!({"amount": 1000, "reservationId": reservation});
    let prepare = client().post(format!("{}/api/v1/payments/prepare", gateway.at("gateway")));
    let (status, said) = answer(show.signed(prepare).json(&wish)).await;
    assert_eq!(status, 200, "{said}");
    let spans = collector
        .trace(
            |span| span.name == "POST /api/payments/prepare",
            |spans| {
                find(spans, "urr-payment", SpanKind::Client, ASK).is_some()
                    && find(spans, "urr-booking", SpanKind::Server, ASKED).is_some()
            },
        )
        .await;
    let call = find(&spans, "urr-payment", SpanKind::Client, ASK).unwrap();
    let served = find(&spans, "urr-booking", SpanKind::Server, ASKED).unwrap();
    assert_eq!(served.parent, call.id);
    for process in [gateway, payment, booking, stats] {
        process.end().await;
    }
}

#[tokio::test]
async fn services_in_the_gateways_process_are_in_its_trace() {
    let (bed, collector) = (TestBed::new().await, Collector::start().await);
    let args = [
        "all",
        "--listen",
        "127.0.0.1:0",
        "--internal-listen",
        "127.0.0.1:0",
    ];
    let house = Process::start(&bed, &args, &traced(&collector), &["gateway", "internal"]).await;
    let show = Show::put(&bed, house.at("internal"), house.at("gateway")).await;
    show.reserve(house.at("gateway")).await;
    let spans = collector
        .trace(
            |span| span.name == RESERVE,
            |spans| {
                find(spans, "urr", SpanKind::Server, RESERVE).is_some()
                    && find(spans, "urr", SpanKind::Internal, "booking").is_some()
                    && find(spans, "urr", SpanKind::Consumer, HEARD).is_some()
                    && asks(spans, "urr", "postgresql")
                    && asks(spans, "urr", "redis")
            },
        )
        .await;
    let entry = find(&spans, "urr", SpanKind::Server, RESERVE).unwrap();
    let inside = find(&spans, "urr", SpanKind::Internal, "booking").unwrap();
    assert_eq!((entry.parent.as_str(), &inside.parent), ("", &entry.id));

    // DynamoDB: a room is opened by hand.
    let open = client().post(format!(
        "{}/api/v1/admin/vwr/activate/{}",
        house.at("gateway"),
        uuid::Uuid::new_v4()
    ));
    // Whatever it thinks of a sale it does not know: it has looked.
    let (_, said) = answer(show.signed(open).json(&json!({}))).await;
    let what = format!("a call to DynamoDB ({said})");
    collector
        .until(&what, |spans| asks(spans, "urr", "aws-api"))
        .await;
    for span in collector.spans() {
        if span.store.as_deref() == Some("aws-api") {
            assert!(span.name.starts_with("DynamoDB "), "{}", span.name);
        }
        assert!(
            !span.parent.is_empty() || span.kind == SpanKind::Server,
            "what runs in the background begins no trace: {span:?}"
        );
    }
}

#[tokio::test]
async fn a_stranger_cannot_have_himself_recorded() {
    let (bed, collector) = (TestBed::new().await, Collector::start().await);
    for sampler in [
        [
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ],
        [
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_TRACES_SAMPLER_ARG", ""),
        ],
    ] {
        let gateway = Process::gateway(&bed, &[&traced(&collector)[..], &sampler].concat()).await;
        let asked = client().get(format!("{}/api/v1/time", gateway.at("gateway")));
        let (status, _) = answer(asked.header("traceparent", FORGED)).await;
        assert_eq!(status, 503, "there is no booking");
        // The log has ids all the same: they are not a matter of sampling.
        let (trace, span) = gateway.ids_in_its_log().await;
        assert_eq!((trace.len(), span.len()), (32, 16));
        assert_ne!(trace, FORGED_TRACE);
        // It sends what it has before it ends.
        gateway.end().await;
        assert!(collector.spans().is_empty(), "{:#?}", collector.spans());
    }
}

#[tokio::test]
async fn a_strangers_trace_is_a_link_and_a_known_proxys_goes_on() {
    let (bed, collector) = (TestBed::new().await, Collector::start().await);
    let env = traced(&collector);
    let gateway = Process::gateway(&bed, &env).await;
    let time = format!("{}/api/v1/time", gateway.at("gateway"));
    answer(client().get(&time).header("traceparent", FORGED)).await;
    collector
        .until("the stranger's span", |spans| {
            spans.iter().any(is_root_at("urr-gateway"))
        })
        .await;
    let span = collector
        .spans()
        .into_iter()
        .find(is_root_at("urr-gateway"))
        .unwrap();
    assert_ne!(span.trace, FORGED_TRACE);
    assert_eq!(span.links, [FORGED_TRACE]);
    // What the log says is what the trace is called.
    assert_eq!(gateway.ids_in_its_log().await.0, span.trace);
    gateway.end().await;

    // Behind a proxy of ours: its trace, and its decision.
    let proxy = [
        &env[..],
        &[
            ("URR_TRUSTED_PROXIES", "127.0.0.1"),
            ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
        ],
    ]
    .concat();
    let gateway = Process::gateway(&bed, &proxy).await;
    let time = format!("{}/api/v1/time", gateway.at("gateway"));
    answer(client().get(&time)).await;
    answer(client().get(&time).header("traceparent", FORGED)).await;
    let is_theirs = |span: &Span| span.trace == FORGED_TRACE && span.kind == SpanKind::Server;
    collector
        .until("the proxy's trace", |spans| spans.iter().any(is_theirs))
        .await;
    let span = collector.spans().into_iter().find(is_theirs).unwrap();
    assert_eq!(span.parent, "b7ad6b7169203331");
    gateway.end().await;
    let recorded = collector.spans();
    let begun: Vec<&Span> = recorded.iter().filter(|span| span.parent.is_empty()).collect();
    assert_eq!(
        begun.len(),
        1,
        "the stranger's of before, and none that begins here: {begun:#?}"
    );
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_away_is_nobodys_trouble() {
    let bed = TestBed::new().await;
    // Takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}", silent.local_addr().unwrap());
    let patient = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", hangs.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
    ];
    let gateway = Process::gateway(&bed, &patient).await;
    let nothing = format!("{}/api/nothing", gateway.at("gateway"));
    let http = client();
    // Who waited for the collector would wait for an hour.
    for _ in 0..50 {
        assert_eq!(answer(http.get(&nothing)).await.0, 404);
    }
    gateway.end().await;

    // Nobody listens there: what is lost is counted.
    let away = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
    ];
    let gateway = Process::gateway(&bed, &away).await;
    let nothing = format!("{}/api/nothing", gateway.at("gateway"));
    assert_eq!(answer(http.get(&nothing)).await.0, 404);
    let metrics = format!("{}/actuator/prometheus", gateway.at("gateway"));
    eventually(Duration::from_secs(60), "the loss is counted", async || {
        let text = http.get(&metrics).send().await.unwrap().text().await.unwrap();
        text.contains(r#"urr_trace_spans_total{outcome="failed"}"#)
    })
    .await;
    gateway.end().await;
    drop(silent);
}
