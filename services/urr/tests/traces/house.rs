//! Services as processes of the binary, with traces, on engines of the test.

use crate::collector::Collector;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinSet,
};
use urr_core::{
    sale::{AdmissionSettings, CapacitySettings, Sale, Schedule},
    token::entry,
};
use urr_kit::{
    clock::{Clock as _, SystemClock},
    identity::{AccessTokens, Identity, Role},
    testing::{TestBed, eventually},
};
use uuid::Uuid;

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A running process. It ends with the test.
pub(crate) struct Process {
    child: Child,
    /// Addresses by the name they are logged with.
    addresses: BTreeMap<String, String>,
    log: Arc<Mutex<Vec<Value>>>,
    _reader: JoinSet<()>,
}

impl Process {
    /// `urr ARGS` on `bed`'s engines, once it listens as all of `names`.
    pub(crate) async fn start(bed: &TestBed, args: &[&str], env: &[(&str, &str)], names: &[&str]) -> Self {
        let ctx = bed.ctx();
        let mut command = Command::new(env!("CARGO_BIN_EXE_urr"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["--log-format", "json"])
            .args(args)
            .envs(ctx.settings.to_env())
            .envs(ctx.secrets.to_env())
            .env("RUST_LOG", "info")
            .env("NO_PROXY", "127.0.0.1")
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            .envs(env.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses = BTreeMap::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        while !names.iter().all(|name| addresses.contains_key(*name)) {
            let line = tokio::time::timeout(SOON, lines.next_line()).await;
            let line = line.expect("it starts").unwrap();
            let line = line.unwrap_or_else(|| panic!("{args:?} ended: {:#?}", log.lock().unwrap()));
            let said: Value = serde_json::from_str(&line).expect("a log line is JSON");
            if let (Some(name), Some(address)) = (said["service"].as_str(), said["address"].as_str()) {
                addresses.insert(name.to_owned(), format!("http://{address}"));
            }
            log.lock().unwrap().push(said);
        }
        let mut reader = JoinSet::new();
        let kept = Arc::clone(&log);
        reader.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let said = serde_json::from_str(&line).expect("a log line is JSON");
                kept.lock().unwrap().push(said);
            }
        });
        Self {
            child,
            addresses,
            log,
            _reader: reader,
        }
    }

    /// A gateway alone, with no service behind it.
    pub(crate) async fn gateway(bed: &TestBed, env: &[(&str, &str)]) -> Self {
        let args = [
            "gateway",
            "--listen",
            "127.0.0.1:0",
            "--booking-url",
            "http://127.0.0.1:1",
        ];
        Self::start(bed, &args, env, &["gateway"]).await
    }

    pub(crate) fn at(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// The first line of its log that has the ids of a trace: `(trace, span)`.
    pub(crate) async fn ids_in_its_log(&self) -> (String, String) {
        let ids = || {
            let log = self.log.lock().unwrap();
            log.iter().find_map(|line| {
                Some((
                    line["trace_id"].as_str()?.to_owned(),
                    line["span_id"].as_str()?.to_owned(),
                ))
            })
        };
        eventually(SOON, "a line with ids", async || ids().is_some()).await;
        ids().unwrap()
    }

    /// Tells it to end and waits until it has.
    pub(crate) async fn end(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).unwrap();
        let pid = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let ended = tokio::time::timeout(SOON, self.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(SOON).build().unwrap()
}

/// The status and JSON of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// A sale with four seats in booking, and somebody who was let in.
pub(crate) struct Show {
    sale: Uuid,
    seats: Vec<Value>,
    access: String,
    entry: String,
}

impl Show {
    /// Made by the internal routes of `booking`, seen by `gateway`.
    pub(crate) async fn put(bed: &TestBed, booking: &str, gateway: &str) -> Self {
        let (http, ctx, now) = (client(), bed.ctx(), SystemClock.now());
        let token = &ctx.secrets.internal_api_token;
        let identity = Identity {
            user_id: Uuid::new_v4(),
            email: "kim@urr.example".to_owned(),
            role: Role::Admin,
        };
        let sale = Sale {
            id: Uuid::new_v4(),
            name: "Opening night".to_owned(),
            schedule: Schedule {
                pre_queue_at: now.plus_s(-60),
                opens_at: now.plus_s(-60),
                closes_at: now.plus_s(3600),
            },
            ordering: urr_core::sale::Ordering::default(),
            seats: 4,
            expected_visitors: 10,
            admission: AdmissionSettings::default(),
            capacity: CapacitySettings {
                rate_per_replica: 10,
                replicas: 1,
            },
        };
        let put = http.put(format!("{booking}/internal/sales/{}", sale.id));
        let (status, said) = answer(put.bearer_auth(token).json(&sale)).await;
        assert_eq!(status, 200, "{said}");
        let hall =
            json!({"sections": [{"name": "A", "rows": 1, "seatsPerRow": 4, "price": 1000, "startRow": 1}]});
        let layout = json!({"name": "Hall", "layoutConfig": hall});
        let post = http.post(format!("{booking}/internal/seat-layouts"));
        let (status, made) = answer(post.bearer_auth(token).json(&layout)).await;
        assert_eq!(status, 201, "{made}");
        let path = format!(
            "internal/seats/generate/{}/{}",
            sale.id,
            made["id"].as_str().unwrap()
        );
        let (status, made) = answer(http.post(format!("{booking}/{path}")).bearer_auth(token)).await;
        assert_eq!(status, 200, "{made}");
        let claims = entry::Claims::new(sale.id, identity.user_id, now, 600);
        let mut show = Self {
            sale: sale.id,
            seats: Vec::new(),
            access: AccessTokens::new(&ctx.secrets).issue_access(&identity, now),
            entry: entry::issue(&ctx.secrets.entry_keys, &claims),
        };
        let read = http.get(format!("{gateway}/api/v1/seats/events/{}?section=A", sale.id));
        let (status, seats) = answer(show.signed(read)).await;
        assert_eq!(status, 200, "{seats}");
        show.seats = seats["seats"].as_array().expect("a list of seats").clone();
        show
    }

    /// Reserves a seat by `gateway`, as a browser would, and says which reservation it is.
    pub(crate) async fn reserve(&self, gateway: &str) -> String {
        let wish = json!({"eventId": self.sale, "seatIds": [self.seats[0]["id"]]});
        let request = self.signed(client().post(format!("{gateway}/api/v1/seats/reserve")));
        let (status, reserved) = answer(request.json(&wish)).await;
        assert_eq!(status, 200, "{reserved}");
        let id = reserved["reservation"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{reserved}")).to_owned()
    }

    /// `request` with what its visitor has to show.
    pub(crate) fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(&self.access)
            .header("x-queue-entry-token", &self.entry)
    }
}

/// The environment of a process whose spans go to `collector`, all of them.
pub(crate) fn traced(collector: &Collector) -> Vec<(&str, &str)> {
    vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())]
}
