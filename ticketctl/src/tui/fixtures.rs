//! Fixed pictures for tests: the same club night, twelve seconds after it opened, and its end.

use super::{
    config::Options,
    keymap::Keymap,
    player::Player,
    state::{App, View},
    theme::{Palette, Theme},
};
use crate::{
    exit::Exit,
    picture::{
        Aside, Environment, Feed, FunnelStep, LawLine, LawVerdict, LoadView, Picture, Source, Stage,
        StepLatency, ThresholdLine, Verdict,
    },
    rate::tests::moved_to,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use urr_core::{
    adaptive::Lean,
    crowd::{BUCKETS, bucket_of_us},
    law::Law,
    sale::Phase,
    snapshot::{
        CapacityView, EventLine, PaceView, QueueView, RoomView, SeatsView, SectionView, ServiceView, Snapshot,
    },
    time::Millis,
};
use uuid::Uuid;

/// When the sale opened.
pub(super) const OPENED: Millis = Millis(1_800_000_000_000);

/// Everything a terminal can do.
pub(super) const FULL: Theme = Theme {
    palette: Palette::Dark,
    unicode: true,
};

pub(super) fn snapshot() -> Snapshot {
    let section = |name: &str, capacity, held, sold| SectionView {
        name: name.to_owned(),
        capacity,
        held,
        sold,
    };
    Snapshot {
        sale: Uuid::from_u128(7),
        name: "Club night".to_owned(),
        at: OPENED.plus_ms(12_000),
        phase: Phase::Open,
        opens_at: OPENED,
        closes_at: OPENED.plus_s(120),
        room: Some(RoomView {
            epoch: 1,
            issued: 5_000,
            serving: 1_400,
            rate_per_s: 200,
            drain_s: Some(18),
        }),
        queue: Some(QueueView {
            waiting: 40,
            active: 212,
            cap: 300,
            rate_per_s: 200,
            admitted_total: 1_360,
            paused: false,
        }),
        seats: Some(SeatsView {
            capacity: 1_000,
            free: 436,
            held: 152,
            sold: 412,
            sections: vec![
                section("Standing", 600, 100, 300),
                section("Balcony left", 150, 30, 62),
                section("Balcony right", 150, 22, 50),
                section("Box", 100, 0, 0),
            ],
        }),
        warnings: vec![
            "payment: 3 of the last 100 confirmations took longer than 3 s; \
             see the provider's latency in the scenario"
                .to_owned(),
        ],
        events: vec![
            EventLine {
                at: OPENED.plus_ms(-20_000),
                actor: "control plane".to_owned(),
                text: "the pre-queue opened".to_owned(),
            },
            EventLine {
                at: OPENED,
                actor: "control plane".to_owned(),
                text: "the sale opened at 200 a second".to_owned(),
            },
        ],
        environment: Some("drill".to_owned()),
        capacity: Some(CapacityView {
            ready_replicas: 4,
            desired_replicas: 4,
            rate_per_replica: 100,
        }),
        services: vec![ServiceView {
            name: "booking".to_owned(),
            ready: 4,
            desired: 4,
        }],
        pace: None,
        crowd: None,
    }
}

/// Half of `count` at the median, and so on up.
fn buckets(count: u64, [p50_ms, p95_ms, p99_ms]: [f64; 3]) -> Vec<u64> {
    let mut buckets = vec![0; BUCKETS];
    let mut put = |ms: f64, n: u64| {
        let us = std::time::Duration::from_secs_f64(ms / 1000.0).as_micros();
        buckets[bucket_of_us(u64::try_from(us).unwrap())] += n;
    };
    let (most, some) = (count / 2, count * 45 / 100);
    put(p50_ms, most);
    put(p95_ms, some);
    put(p99_ms, count - most - some);
    buckets
}

pub(super) fn load() -> LoadView {
    let step = |label: &'static str, count| FunnelStep {
        label: label.into(),
        count,
    };
    let aside = |label: &'static str, count, alarming| Aside {
        label: label.into(),
        count,
        alarming,
    };
    let latency = |name: &str, count: u64, errors: u64, p50_ms, p95_ms, p99_ms| StepLatency {
        name: name.to_owned(),
        count,
        errors,
        p50_ms,
        p95_ms,
        p99_ms,
        buckets: buckets(count - errors, [p50_ms, p95_ms, p99_ms]),
    };
    LoadView {
        planned: 5_000,
        finished: 820,
        funnel: vec![
            step("arrived", 5_000),
            step("joined", 4_990),
            step("let in", 1_360),
            step("held", 564),
            step("sold", 412),
        ],
        asides: vec![
            aside("gave up", 112, false),
            aside("left empty", 33, false),
            aside("failed", 0, true),
            aside("dropped", 2, true),
        ],
        latency: vec![
            latency("join", 4_990, 0, 1.2, 4.8, 9.9),
            latency("poll", 21_400, 0, 0.8, 2.1, 5.0),
            latency("queue", 4_120, 3, 1.9, 6.2, 14.0),
            latency("seat-map", 1_802, 0, 3.1, 12.0, 31.0),
            latency("hold", 980, 0, 8.4, 38.0, 77.0),
            latency("confirm", 412, 0, 212.0, 480.0, 1_204.0),
        ],
    }
}

pub(super) fn picture() -> Picture {
    let mut picture = Picture::new("Club night at the Paradiso");
    picture.stage = Stage::Load;
    picture.opens_at = Some(OPENED);
    picture.snapshot = Some(Arc::new(snapshot()));
    picture.feed = Feed::Live;
    picture.load = Some(Arc::new(load()));
    picture.notes.push_back(EventLine {
        at: OPENED.plus_ms(8_000),
        actor: "drill".to_owned(),
        text: "killed booking (scenario); it comes back in 2 s".to_owned(),
    });
    picture
}

fn options() -> Options {
    Options {
        theme: FULL,
        keymap: Keymap::default(),
        armed: true,
    }
}

/// Twelve and a bit seconds after the opening, with half a minute of history, steering on.
pub(super) fn app() -> App {
    let mut app = App::new(picture(), options(), "mk".to_owned(), OPENED);
    for second in 0..30u64 {
        let (mut earlier, mut visitors) = (snapshot(), load());
        earlier.at = OPENED.plus_s(i64::try_from(second).unwrap() - 18);
        let room = earlier.room.as_mut().unwrap();
        (room.issued, room.serving) = ((second * second * 9).min(5_000), second.saturating_sub(18) * 113);
        earlier.queue.as_mut().unwrap().admitted_total = second.saturating_sub(18) * 113;
        let seats = earlier.seats.as_mut().unwrap();
        seats.sold = second.saturating_sub(20) * 40;
        seats.free = seats.capacity - seats.held - seats.sold;
        for step in &mut visitors.latency {
            for count in &mut step.buckets {
                *count = *count * second / 30;
            }
            step.errors = step.errors * second / 30;
        }
        let mut picture = picture();
        picture.snapshot = Some(Arc::new(earlier));
        picture.load = Some(Arc::new(visitors));
        app.take(picture, OPENED.plus_s(i64::try_from(second).unwrap() - 18));
    }
    app.take(picture(), OPENED.plus_ms(12_340));
    app
}

/// The same instant, with a rate that follows the services.
pub(super) fn adaptive() -> Snapshot {
    Snapshot {
        pace: Some(PaceView {
            rate_per_s: 200,
            min_rate_per_s: 50,
            max_rate_per_s: 400,
            lean: Lean::Falling,
            because: "reservations p99 1300 ms".to_owned(),
            since: Some(OPENED.plus_ms(8_000)),
            reason: Some("200/s instead of 240/s: reservations take 1200 ms".to_owned()),
            signs: None,
        }),
        ..snapshot()
    }
}

/// The same instant, of a control plane in production, and nobody measures the visitors' side.
pub(super) fn production() -> App {
    let mut picture = picture();
    picture.source = Source::Live {
        url: "https://control.tickets.example".to_owned(),
    };
    picture.environment = Environment::Prod;
    picture.load = None;
    let mut app = app();
    app.armed = false;
    app.take(picture, OPENED.plus_ms(12_340));
    app
}

/// The same instant, in a recording of a minute.
pub(super) fn replay() -> App {
    let mut app = app();
    app.picture.source = Source::Replay {
        file: "snapshots.ndjson".to_owned(),
    };
    let times = (0..=120).map(|n| OPENED.plus_ms(n * 500)).collect();
    app.player = Some(Player::new(times));
    app
}

/// The same night, over, and all is well.
pub(super) fn finished() -> App {
    let mut picture = picture();
    picture.stage = Stage::Done;
    picture.verdict = Some(Arc::new(verdict(LawVerdict::Held)));
    let mut app = app();
    app.take(picture, OPENED.plus_s(40));
    app.show(View::Verdict);
    app
}

/// The same end, of a night whose rate went to each of `rates`.
pub(super) fn followed(rates: &[u32]) -> App {
    let mut app = finished();
    app.picture.verdict = Some(Arc::new(Verdict {
        rate: Some(moved_to(OPENED, rates)),
        ..verdict(LawVerdict::Held)
    }));
    app
}

/// A verdict in which the hard cap came out as `cap`.
pub(super) fn verdict(cap: LawVerdict) -> Verdict {
    let laws = Law::ALL
        .into_iter()
        .map(|law| {
            let broken = law == Law::HardCap && cap == LawVerdict::Broken;
            LawLine {
                name: law.name(),
                verdict: if law == Law::HardCap {
                    cap
                } else {
                    LawVerdict::Held
                },
                checked: 5_000,
                detail: if broken {
                    "2 of 5,000 admissions exceeded the cap of 300".to_owned()
                } else {
                    law.says().to_owned()
                },
                examples: if broken {
                    vec!["at T+00:03.2: 301 active, cap 300, user 7f3a".to_owned()]
                } else {
                    Vec::new()
                },
            }
        })
        .collect();
    let threshold = |rule: &str, met, actual: &str| ThresholdLine {
        rule: rule.to_owned(),
        met,
        actual: actual.to_owned(),
    };
    let LoadView { funnel, asides, .. } = load();
    Verdict {
        exit: match cap {
            LawVerdict::Broken => Exit::LawBroken,
            LawVerdict::Held | LawVerdict::Unproven => Exit::Ok,
        },
        headline: match cap {
            LawVerdict::Broken => "1 law is broken".to_owned(),
            LawVerdict::Held | LawVerdict::Unproven => "all laws hold".to_owned(),
        },
        reasons: Vec::new(),
        laws,
        thresholds: vec![
            threshold("join p95 < 100ms", true, "4.8 ms"),
            threshold("poll p95 < 50ms", true, "2.1 ms"),
            threshold("confirm p95 < 3s", true, "480 ms"),
        ],
        funnel,
        asides,
        unsettled: Vec::new(),
        sales: Vec::new(),
        rate: None,
        cost: Vec::new(),
        forecast: Vec::new(),
        took: Duration::from_secs(52),
        files: vec![
            (
                "report",
                PathBuf::from("runs/club-night-20261121-131500/report.html"),
            ),
            (
                "data",
                PathBuf::from("runs/club-night-20261121-131500/report.json"),
            ),
        ],
    }
}
