//! The steps of a drill, one after the other: what each needs and what it leaves to the next.

use super::{
    Host, Plan, Stagehands,
    audit::Auditor,
    faults, feed, load, preflight, processes, report,
    services::{self, Services},
    settle, stand,
    venue::Organiser,
    witness::Witness,
};
use crate::{
    control::ControlClient,
    picture::{Stage, Verdict},
    running::{self, Announced, Running},
    text::{countdown, grouped},
};
use anyhow::Context as _;
use std::{path::Path, sync::Arc, time::Instant};
use urr_kit::{
    Secrets,
    engines::{EngineOptions, Engines},
};
use urr_loadgen::Scenario;

/// From an empty machine to a verdict.
pub(super) async fn steps(
    plan: &Plan,
    hands: &Stagehands,
    host: &mut Host,
    dir: &Path,
) -> anyhow::Result<Verdict> {
    let Stagehands { board, clock, .. } = hands;
    let scenario = &plan.scenario;
    let sales = scenario.each();
    let mut laps = Laps::begin();
    preflight::check(plan, dir)?;
    let processes = processes::Watch::start(&host.fleet);

    board.stage(Stage::Engines, "PostgreSQL, Redis, DynamoDB");
    let secrets = Arc::new(Secrets::generate().context("drawing secrets")?);
    let engines = host.engines.insert(Engines::start(engine_options(plan)).await?);
    let settings = engines.settings();
    laps.end("engines");

    board.stage(Stage::Services, "");
    let services = services::start(scenario, &settings, &secrets, &host.fleet, board).await?;
    let services = &*host.services.insert(services);
    let auditor = Auditor::arrive(&services.settings, sales.len() as u64, clock).await?;
    laps.end("services");

    board.stage(Stage::Venue, halls(&sales));
    let organiser = Organiser::new(services, &secrets, clock.now())?;
    let mut built = Vec::with_capacity(sales.len());
    for sale in sales {
        let id = organiser.build(&sale, clock.now()).await?;
        built.push((sale, id));
    }
    laps.end("building the hall");

    board.stage(Stage::Sale, "");
    let stands = stand::announce(built, &organiser, services, &secrets, clock, dir).await?;
    let first = stands.first().context("a drill has a sale")?;
    let opens_at = first.sale().schedule.opens_at;
    board.opens_at(opens_at);
    // A hand on this screen would steer one of several sales and see all: those are steered one by one, by
    // their names.
    if let [alone] = stands.as_slice() {
        hands.control.send_replace(Some(alone.control.clone()));
    }
    host.announced = announce(scenario, services, &secrets, &first.control, clock.now());
    let witness = match stands.as_slice() {
        [alone] => alone.witness.clone(),
        _ => Witness::new(clock.now(), 0),
    };
    let mut recordings = vec![dir.join("snapshots.ndjson")];
    recordings.extend(plan.record.clone());
    host.feed = Some(feed::start(
        &scenario.title,
        &stands,
        board,
        &witness,
        &recordings,
        &host.stop,
    )?);
    laps.end("announcing");

    board.stage(Stage::Load, "");
    board.note(
        clock.now(),
        "drill",
        format!("announced; {}", countdown(clock.now(), opens_at)),
    );
    let run = load::Run {
        scenario,
        stands: &stands,
        stop: host.stop.child_token(),
        dir,
        board,
    };
    let unrest = faults::Unrest {
        faults: &scenario.faults,
        opens_at,
        fleet: &host.fleet,
        detours: &services.detours,
        board,
        clock,
        witnesses: stands.iter().map(|stand| &stand.witness).collect(),
    };
    let (came, unapplied) = load::with_faults(run, unrest).await?;
    for stage in came.whole().iter().flat_map(|whole| whole.stages()) {
        board.note(clock.now(), "load", stage.to_string());
    }
    laps.end("visitors");

    board.stage(Stage::Quiesce, "");
    let quiet = settle::Quiet {
        services,
        secrets: &secrets,
        sales: stands.iter().map(|stand| stand.sale().id).collect(),
        hold_ttl_s: first.sale().admission.hold_ttl_s,
    };
    let mut unsettled = quiet.wait(board).await?;
    unsettled.extend(unapplied);
    let [settling, audit] = report::AFTER_THE_VISITORS;
    let took_s = laps.end(settling).as_secs_f64();
    board.note(clock.now(), "drill", format!("settled in {took_s:.1} s"));

    board.stage(Stage::Audit, "");
    let mut audits = Vec::with_capacity(stands.len());
    for (stand, load) in stands.iter().zip(&came.sales) {
        board.doing(if stands.len() > 1 {
            stand.scenario.name.as_str()
        } else {
            ""
        });
        let seen = &load.observations.laws;
        let judged = auditor.judge(stand.sale(), seen, &stand.witness, &stand.dir);
        audits.push(judged.await?);
    }
    let took_s = laps.end(audit).as_secs_f64();
    board.note(clock.now(), "drill", format!("audited in {took_s:.1} s"));

    board.stage(Stage::Report, "");
    let outcome = report::Outcome {
        plan,
        stands: &stands,
        came,
        audits,
        witness: &witness,
        unsettled,
        storage: auditor.storage(),
        taken: processes.taken(),
        stages: laps.done,
    };
    outcome.conclude(dir, board)
}

/// What is built, for a status line.
fn halls(sales: &[Scenario]) -> String {
    let seats = grouped(sales.iter().map(Scenario::seats).sum());
    match sales.len() {
        1 => format!("{seats} seats"),
        n => format!("{n} halls, {seats} seats"),
    }
}

/// How long each step took.
struct Laps {
    since: Instant,
    done: Vec<(String, u64)>,
}

impl Laps {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            done: Vec::new(),
        }
    }

    /// A step is over; how long it took.
    fn end(&mut self, step: &str) -> std::time::Duration {
        let took = self.since.elapsed();
        self.since = Instant::now();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.done.push((step.to_owned(), ms));
        took
    }
}

/// Tells the other commands of this user where the drill is. One that cannot be found so can be
/// told with `--control`, so this fails nothing.
fn announce(
    scenario: &Scenario,
    services: &Services,
    secrets: &Secrets,
    control: &ControlClient,
    now: urr_core::time::Millis,
) -> Option<Announced> {
    let (url, token, sale) = control.address();
    let env = services.settings.to_env().into_iter().chain(secrets.to_env());
    let running = Running {
        pid: std::process::id(),
        title: scenario.title.clone(),
        control_url: url.to_owned(),
        token: token.to_owned(),
        sale,
        public_url: services.public.clone(),
        env: env.collect(),
        since: now,
    };
    running::announce(&running)
        .inspect_err(|error| tracing::warn!(%error, "other commands will not find this drill by themselves"))
        .ok()
}

fn engine_options(plan: &Plan) -> EngineOptions {
    EngineOptions {
        program_dirs: plan.engines_dir.clone().into_iter().collect(),
        search_system: plan.engines_dir.is_none(),
        ..EngineOptions::default()
    }
}
