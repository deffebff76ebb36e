//! The command line of `urr`, also hidden in `ticketctl urr`, which is how a drill starts parts of
//! itself as processes.

use crate::{host, rooms};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::sync::Arc;
use std::{ffi::OsString, net::SocketAddr, process::ExitCode};
use tokio_util::sync::CancellationToken;
use urr_gateway::Room;
use urr_kit::{
    clock::SystemClock,
    ctx::Ctx,
    secrets::{Secrets, TokenKeys},
    settings::Settings,
    telemetry::{self, LogSettings},
    trace::{Callers, TraceSettings},
};

/// URR's services.
#[derive(Parser, Debug)]
#[command(
    name = "urr",
    version,
    about = "URR's services: every one of them, or one by name"
)]
pub struct Cli {
    #[command(flatten)]
    log: LogSettings,
    #[command(flatten)]
    traces: TraceSettings,
    /// Threads that run requests. One per core beyond the first is enough; parsing and hashing
    /// have their own.
    #[arg(long, env = "URR_WORKER_THREADS", global = true, default_value_t = 2)]
    worker_threads: usize,
    #[command(subcommand)]
    command: Command,
}

const EDGE_HELP: &str = "\
Secrets, from the environment only:
  VWR_TOKEN_SECRET          the waiting room's own: the edge verifies and renews its passes
  QUEUE_ENTRY_TOKEN_SECRET  the queue's own, where a rule asks for entry tokens

Example:
  VWR_TOKEN_SECRET=... urr edge --listen 0.0.0.0:8080 --origin https://shop.example.com \\
      --room http://vwr.internal:3006 --sales $SALE --protect '/events/{sale}' --protect /checkout=tier1@$SALE

On plain http, as on a laptop, add --secure-cookies false.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Every service behind the gateway in one process.
    All(Box<AllArgs>),
    /// The public entry, in front of services that run elsewhere.
    Gateway(Box<GatewayArgs>),
    /// The waiting room in front of any origin: a reverse proxy that asks for its pass.
    ///
    /// Whoever comes to a protected path without a pass is sent to the waiting page, which the edge serves
    /// itself at /vwr/SALE, and comes back when it is their turn. Browsers are redirected; other clients get
    /// 403 with `redirectTo`.
    #[command(after_help = EDGE_HELP)]
    Edge(Box<EdgeArgs>),
    /// Accounts and sessions.
    Auth(Box<One<urr_auth::Config>>),
    /// Events, artists, admin.
    Catalog(Box<One<urr_catalog::Config>>),
    /// The waiting room (tier 1).
    Vwr(Box<One<urr_vwr::Config>>),
    /// Admission (tier 2).
    Queue(Box<One<urr_queue::Config>>),
    /// Seats and reservations.
    Booking(Box<One<urr_booking::Config>>),
    /// Payments.
    Payment(Box<One<urr_payment::Config>>),
    /// Statistics.
    Stats(Box<One<urr_stats::Config>>),
    /// Posts and news.
    Community(Box<One<urr_community::Config>>),
    /// Notifications.
    Notification(Box<One<urr_notification::Config>>),
    /// The waiting room's page.
    Page(Box<One<urr_page::Config>>),
    /// The control plane.
    Control(Box<One<urr_controlplane::Config>>),
    /// A payment provider for drills.
    Testpay(Box<One<urr_testpay::Config>>),
}

/// One service in a process of its own: public and internal paths on one address.
#[derive(Args, Debug)]
pub(crate) struct One<C: Args> {
    /// Address to listen on.
    #[arg(long, env = "URR_LISTEN")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) config: C,
}

#[derive(Args, Debug)]
pub(crate) struct GatewayArgs {
    /// Address to listen on.
    #[arg(long, env = "URR_LISTEN", default_value = "127.0.0.1:3001")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) config: urr_gateway::Config,
}

#[derive(Args, Debug)]
pub(crate) struct EdgeArgs {
    /// Address to listen on.
    #[arg(long, env = "URR_LISTEN", default_value = "127.0.0.1:3080")]
    pub(crate) listen: SocketAddr,
    /// Address of /health and /actuator/prometheus; never route it to the outside.
    #[arg(long, env = "URR_INTERNAL_LISTEN", default_value = "127.0.0.1:3081")]
    pub(crate) ops_listen: SocketAddr,
    #[command(flatten)]
    pub(crate) config: urr_gateway::edge::Config,
}

#[derive(Args, Debug)]
pub(crate) struct AllArgs {
    /// Public address: the gateway.
    #[arg(long, env = "URR_LISTEN", default_value = "127.0.0.1:3001")]
    pub(crate) listen: SocketAddr,
    /// Address of every service's `/internal/**`; never route it to the outside.
    #[arg(long, env = "URR_INTERNAL_LISTEN", default_value = "127.0.0.1:3011")]
    pub(crate) internal_listen: SocketAddr,
    /// Services that run in processes of their own, at their `--<service>-url`.
    #[arg(long, env = "URR_WITHOUT", value_delimiter = ',', value_parser = parse_room)]
    pub(crate) without: Vec<Room>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) gateway: urr_gateway::Config,
    #[command(flatten)]
    pub(crate) auth: urr_auth::Config,
    #[command(flatten)]
    pub(crate) catalog: urr_catalog::Config,
    #[command(flatten)]
    pub(crate) vwr: urr_vwr::Config,
    #[command(flatten)]
    pub(crate) queue: urr_queue::Config,
    #[command(flatten)]
    pub(crate) booking: urr_booking::Config,
    #[command(flatten)]
    pub(crate) payment: urr_payment::Config,
    #[command(flatten)]
    pub(crate) stats: urr_stats::Config,
    #[command(flatten)]
    pub(crate) community: urr_community::Config,
    #[command(flatten)]
    pub(crate) notification: urr_notification::Config,
    #[command(flatten)]
    pub(crate) page: urr_page::Config,
}

fn parse_room(text: &str) -> Result<Room, String> {
    Room::ALL
        .into_iter()
        .find(|room| room.name() == text)
        .ok_or_else(|| {
            let names: Vec<&str> = Room::ALL.into_iter().map(Room::name).collect();
            format!("`{text}` is no service; one of: {}", names.join(", "))
        })
}

/// Runs the command line `args` (with the program's name first) until it ends or is told to.
pub fn main<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own way of printing help to stdout and errors to stderr; a broken pipe is nobody's loss.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let traces = telemetry::start(&cli.log, &cli.traces, cli.command.process_name()).inspect_err(|_| {
        // Whoever reads the log hears why there is nothing more in it.
        telemetry::init(&cli.log);
    })?;
    let ended = serve(cli.worker_threads, cli.command);
    if let Some(traces) = traces {
        traces.finish();
    }
    ended
}

fn serve(worker_threads: usize, command: Command) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads.max(1))
        .enable_all()
        .build()
        .context("starting the async runtime")?
        .block_on(dispatch(command))
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    let callers = command.callers();
    macro_rules! one {
        ($args:expr, $room:ident) => {{
            let args = *$args;
            let ctx = context(args.settings)?;
            let service = $room::start(&ctx, args.config).await?;
            host::one(&ctx, args.listen, service, callers).await
        }};
    }
    match command {
        Command::All(args) => {
            let ctx = context(args.settings.clone())?;
            let all = rooms::all(&ctx, &args).await?;
            host::all(&ctx, args.listen, args.internal_listen, all, callers).await
        }
        Command::Gateway(args) => {
            let ctx = context(args.settings.clone())?;
            let gateway = urr_gateway::start(&ctx, &args.config, rooms::remote(&ctx)).await?;
            host::gateway(&ctx, args.listen, gateway, callers).await
        }
        Command::Edge(args) => {
            let keys =
                TokenKeys::from_env().context("the edge checks passes with the waiting room's own secret")?;
            let shutdown = CancellationToken::new();
            let clock = SystemClock::shared();
            let edge = urr_gateway::edge::start(keys, &args.config, clock, shutdown.clone())?;
            host::edge(args.listen, args.ops_listen, edge, shutdown, callers).await
        }
        Command::Auth(args) => one!(args, urr_auth),
        Command::Catalog(args) => one!(args, urr_catalog),
        Command::Vwr(args) => one!(args, urr_vwr),
        Command::Queue(args) => one!(args, urr_queue),
        Command::Booking(args) => one!(args, urr_booking),
        Command::Payment(args) => one!(args, urr_payment),
        Command::Stats(args) => one!(args, urr_stats),
        Command::Community(args) => one!(args, urr_community),
        Command::Notification(args) => one!(args, urr_notification),
        Command::Page(args) => one!(args, urr_page),
        Command::Control(args) => one!(args, urr_controlplane),
        Command::Testpay(args) => one!(args, urr_testpay),
    }
}

impl Command {
    /// What the process is called where its traces are looked at.
    const fn process_name(&self) -> &'static str {
        match self {
            Self::All(_) => "urr",
            Self::Gateway(_) => "urr-gateway",
            Self::Edge(_) => "urr-edge",
            Self::Auth(_) => "urr-auth",
            Self::Catalog(_) => "urr-catalog",
            Self::Vwr(_) => "urr-vwr",
            Self::Queue(_) => "urr-queue",
            Self::Booking(_) => "urr-booking",
            Self::Payment(_) => "urr-payment",
            Self::Stats(_) => "urr-stats",
            Self::Community(_) => "urr-community",
            Self::Notification(_) => "urr-notification",
            Self::Page(_) => "urr-page",
            Self::Control(_) => "urr-control",
            Self::Testpay(_) => "urr-testpay",
        }
    }

    /// Who calls at its address. The waiting room and its page have the ingress before them and nothing else
    /// (manifests/overlays/production/ingress.yaml).
    fn callers(&self) -> Callers {
        match self {
            Self::All(args) => Callers::anybody(&args.gateway.trusted_proxies),
            Self::Gateway(args) => Callers::anybody(&args.config.trusted_proxies),
            Self::Edge(args) => Callers::anybody(&args.config.edge_trusted_proxies),
            Self::Vwr(_) | Self::Page(_) => Callers::anybody(&[]),
            _ => Callers::Services,
        }
    }
}

fn context(settings: Settings) -> anyhow::Result<Ctx> {
    let secrets = Secrets::from_env().context("reading secrets from the environment")?;
    Ok(Ctx::new(settings, secrets, Arc::new(SystemClock))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_service_is_refused_by_name() {
        let error = parse_room("boking").unwrap_err();
        assert!(error.contains("booking"), "{error}");
    }
}
