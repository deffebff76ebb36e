//! The processes of a drill: who runs where, with which settings; started together, awaited one
//! by one.

use super::{
    detour::Detour,
    fleet::{Fleet, Spec},
    ports::Ports,
};
use crate::picture::Board;
use anyhow::Context as _;
use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, sync::Arc, time::Duration};
use urr_kit::{Secrets, Settings, settings::ServiceUrls};
use urr_loadgen::{
    Scenario,
    scenario::{Harm, PaymentProvider, Process},
};

/// From start to healthy: migrations of nine schemas on a busy machine with a debug build.
const HEALTHY_WITHIN: Duration = Duration::from_secs(90);
/// A port chosen as free may be taken before its process listens; then all get new ones.
const PORT_TRIES: u32 = 3;
/// A rehearsal's holds last seconds, so what nobody paid for is looked for every second.
const CLEANUP_INTERVAL_MS: &str = "1000";
/// All anonymous visitors of a drill share one address, so the edge's per-address limits would
/// throttle the crowd as if it were one person. The limiter itself stays in the path.
const RATE_LIMIT_RPM: &str = "1000000000";

/// Running services, and where they are.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    /// Base URL of the public entry.
    pub(crate) public: String,
    /// Engines, provider and each other, as the services themselves know them.
    pub(crate) settings: Settings,
    /// In the order in which they are stopped.
    pub(crate) names: Vec<&'static str>,
    /// The ways to their database of those that the scenario makes slow.
    pub(crate) detours: Detours,
}

/// By process.
pub(crate) type Detours = Arc<BTreeMap<Process, Detour>>;

/// Starts all processes the scenario asks for and waits until all are healthy.
pub(super) async fn start(
    scenario: &Scenario,
    engines: &Settings,
    secrets: &Secrets,
    fleet: &Fleet,
    board: &Board,
) -> anyhow::Result<Services> {
    let detours = detours(scenario, engines)?;
    let mut ports = Ports::default();
    let mut tried = 1;
    loop {
        let (services, specs) = layout(scenario, engines, secrets, &detours, &mut ports)?;
        match launch(&specs, fleet, board).await {
            Ok(()) => return Ok(services),
            Err(error) if tried < PORT_TRIES && is_port_conflict(&error) => {
                tracing::warn!(error = format!("{error:#}"), "a port was taken, trying others");
                fleet.stop(&services.names).await;
                tried += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn detours(scenario: &Scenario, engines: &Settings) -> anyhow::Result<Detours> {
    let mut detours = BTreeMap::new();
    for fault in &scenario.faults {
        if matches!(fault.harm, Harm::Slow { .. }) && !detours.contains_key(&fault.process) {
            let url = engines.database_url.as_deref().unwrap_or_default();
            detours.insert(fault.process, Detour::open(fault.process.name(), url)?);
        }
    }
    Ok(Arc::new(detours))
}

async fn launch(specs: &[Spec], fleet: &Fleet, board: &Board) -> anyhow::Result<()> {
    for spec in specs {
        fleet.start(spec)?;
    }
    for spec in specs {
        board.doing(format!("waiting for {}", spec.name));
        fleet.healthy(spec.name, HEALTHY_WITHIN).await?;
    }
    fleet.all_up()
}

fn is_port_conflict(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("Address already in use") || text.contains("os error 98")
}

/// Addresses and command lines.
fn layout(
    scenario: &Scenario,
    engines: &Settings,
    secrets: &Secrets,
    detours: &Detours,
    ports: &mut Ports,
) -> anyhow::Result<(Services, Vec<Spec>)> {
    let mut next = || ports.next().context("looking for a free port");
    let (public, internal, control, testpay) = (next()?, next()?, next()?, next()?);
    let separate: Vec<(Process, SocketAddr)> = scenario
        .processes
        .iter()
        .copied()
        .filter(|p| !p.always_separate())
        .map(|p| Ok((p, next()?)))
        .collect::<anyhow::Result<_>>()?;

    let mut settings = engines.clone();
    settings.urls = ServiceUrls::all_at(&url(internal));
    settings.urls.control = url(control);
    settings.payment_provider_url = url(testpay);
    for (process, address) in &separate {
        *url_of(&mut settings.urls, *process) = url(*address);
    }
    let env: Vec<(String, String)> = settings
        .to_env()
        .into_iter()
        .chain(secrets.to_env())
        .chain(
            ["AUTH", "QUEUE", "BOOKING", "GENERAL"]
                .map(|limit| (format!("RATE_LIMIT_{limit}_RPM"), RATE_LIMIT_RPM.to_owned())),
        )
        .chain([
            // Logs are files here.
            ("NO_COLOR".to_owned(), "1".to_owned()),
            // Loopback has no TLS; a browser would keep Secure cookies to itself.
            ("COOKIE_SECURE".to_owned(), "false".to_owned()),
            // Whoever watches from another terminal sees where this is.
            ("URR_ENVIRONMENT".to_owned(), "drill".to_owned()),
            (
                "RESERVATION_CLEANUP_INTERVAL_MS".to_owned(),
                // A rehearsal may ask for slower sweeping, as production has it.
                std::env::var("RESERVATION_CLEANUP_INTERVAL_MS")
                    .unwrap_or_else(|_| CLEANUP_INTERVAL_MS.to_owned()),
            ),
            (
                "BOOKING_SEATS_PER_BOOKING".to_owned(),
                scenario.sale.seats_per_booking.to_string(),
            ),
        ])
        .collect();
    let spec = |name, args: Vec<OsString>, health| Spec {
        name,
        args,
        env: env.clone(),
        health,
    };

    let mut specs = vec![spec(
        "testpay",
        testpay_args(testpay, &scenario.payment, scenario.seed),
        testpay,
    )];
    for (process, address) in &separate {
        let args = words([process.name(), "--listen", &address.to_string()]);
        let mut spec = spec(process.name(), args, *address);
        if let Some(detour) = detours.get(process) {
            let by_detour = Settings {
                database_url: settings.database_url.as_deref().and_then(|url| detour.of(url)),
                ..settings.clone()
            };
            // The last of a name counts.
            spec.env.extend(by_detour.to_env());
        }
        specs.push(spec);
    }
    specs.push(spec("gateway", all_args(public, internal, &separate), public));
    specs.push(spec(
        Process::ControlPlane.name(),
        words(["control", "--listen", &control.to_string()]),
        control,
    ));
    // Stopped from the outside in: nobody is left calling somebody who is gone.
    let names = specs.iter().rev().map(|s| s.name).collect();
    let services = Services {
        public: url(public),
        settings,
        names,
        detours: Arc::clone(detours),
    };
    Ok((services, specs))
}

fn all_args(public: SocketAddr, internal: SocketAddr, separate: &[(Process, SocketAddr)]) -> Vec<OsString> {
    let mut args = words([
        "all",
        "--listen",
        &public.to_string(),
        "--internal-listen",
        &internal.to_string(),
    ]);
    if !separate.is_empty() {
        let names: Vec<&str> = separate.iter().map(|(p, _)| p.name()).collect();
        args.extend(words(["--without", &names.join(",")]));
    }
    args
}

fn testpay_args(listen: SocketAddr, provider: &PaymentProvider, seed: u64) -> Vec<OsString> {
    // The scenario names a mean; half to one and a half of it, as everywhere in a scenario.
    let (least, most) = (
        provider.latency_ms / 2,
        provider.latency_ms.saturating_add(provider.latency_ms / 2),
    );
    words([
        "testpay",
        "--listen",
        &listen.to_string(),
        "--testpay-latency-ms-min",
        &least.to_string(),
        "--testpay-latency-ms-max",
        &most.to_string(),
        "--testpay-failure-share",
        &provider.failures.fraction().to_string(),
        "--testpay-seed",
        &seed.to_string(),
    ])
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.into_iter().map(OsString::from).collect()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn url_of(urls: &mut ServiceUrls, process: Process) -> &mut String {
    match process {
        Process::Auth => &mut urls.auth,
        Process::Catalog => &mut urls.catalog,
        Process::Vwr => &mut urls.vwr,
        Process::Queue => &mut urls.queue,
        Process::Booking => &mut urls.booking,
        Process::Payment => &mut urls.payment,
        Process::Stats => &mut urls.stats,
        Process::Community => &mut urls.community,
        Process::Notification => &mut urls.notification,
        Process::ControlPlane | Process::Testpay | Process::Gateway => &mut urls.control,
    }
}
