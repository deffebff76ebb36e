//! `ticketctl watch`: a running sale on the screen, as sentences or as documents; or a recording of
//! one, watched again.

mod lines;

use super::{complain, document, say};
use crate::{
    cli::Globals,
    control::{ControlClient, Received, follow_all},
    exit::Exit,
    failure::Failure,
    picture::{Board, Environment, Feed, Picture, Source},
    place,
    recording::{Recorder, Recording},
    signals::Interrupts,
    tui::{self, Options, Palette, Replay},
};
use lines::{lines, recorded_lines};
use std::{io::IsTerminal as _, path::PathBuf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use urr_core::snapshot::Snapshot;
use urr_kit::clock::SystemClock;

/// Snapshots not yet printed: a slow pipe makes us skip, not grow.
const UNPRINTED: usize = 4;

/// A sale to follow.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl watch                              the running drill on the screen
  ticketctl watch Arena -o stream              a sentence when something changes, for screen readers
  ticketctl watch Arena -o json | jq .seats    every snapshot, a document a line
  ticketctl watch --record night.ndjson        and keep it
  ticketctl watch --replay night.ndjson        watch it again")]
pub(crate) struct Args {
    /// The sale's name or id; without one the only sale there is.
    pub(crate) sale: Option<String>,
    /// How it is shown [default: screen on a terminal, else stream].
    #[arg(long, short, value_enum, value_name = "HOW")]
    pub(crate) output: Option<Output>,
    /// Record every snapshot to this file, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Watch a recording instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sale", "record"])]
    pub(crate) replay: Option<PathBuf>,
    /// Measure what the screen costs while it shows the recording, instead of showing it.
    #[arg(long, requires = "replay")]
    pub(crate) cost: bool,
    /// Another replica of the same control plane: the newest picture of all is shown.
    #[arg(long, value_name = "URL")]
    pub(crate) also: Vec<String>,
    /// What this environment is called (prod, staging, drill), where its control plane does not say.
    #[arg(long, env = "TICKETCTL_ENVIRONMENT", value_name = "NAME")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) looks: Looks,
}

/// How the screen looks.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Screen")]
pub(crate) struct Looks {
    /// Colours: dark, light, high-contrast or mono.
    #[arg(long, value_name = "NAME", value_parser = palette)]
    pub(crate) theme: Option<Palette>,
    /// Keys and looks [default: ticketctl/tui.yaml in the user's configuration].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print a configuration with every setting explained, and do nothing else.
    #[arg(long)]
    pub(crate) config_template: bool,
    /// Begin ready to steer instead of read-only.
    #[arg(long)]
    pub(crate) steer: bool,
}

impl Looks {
    /// The screen's options.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let mut options = Options::load(self.config.as_deref())
            .map_err(|error| Failure::bad_input("the screen's configuration cannot be used").because(&error))?
            .themed(self.theme);
        options.armed |= self.steer;
        Ok(options)
    }
}

fn palette(name: &str) -> Result<Palette, String> {
    Palette::named(name).ok_or_else(|| {
        let known: Vec<&str> = Palette::ALL.into_iter().map(Palette::name).collect();
        format!("use one of {}", known.join(", "))
    })
}

/// How `watch` shows a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// The terminal UI.
    Screen,
    /// A sentence when something changes, for screen readers and logs.
    Stream,
    /// All figures in a line, once a second.
    Text,
    /// Every snapshot as one JSON document a line.
    Json,
}

/// Follows until interrupted.
pub(crate) async fn run(args: Args, globals: Globals) -> Exit {
    match Box::pin(watch(args, globals)).await {
        Ok(exit) => exit,
        Err(failure) => {
            complain(&format!("error: {failure}"));
            failure.exit
        }
    }
}

async fn watch(args: Args, globals: Globals) -> super::Done {
    if args.looks.config_template {
        super::print(&tui::template());
        return Ok(Exit::Ok);
    }
    if let Some(file) = &args.replay {
        return replay(&args, file).await;
    }
    let (api, _) = place::control(&globals).await?;
    // A wrong token or an unknown sale is said once, not retried for ever.
    let state = place::resolve(&api, args.sale.as_deref()).await?;
    let control = api
        .sale(state.sale.id)
        .map_err(|error| Failure::new(Exit::Failure, "cannot build an HTTP client").because(&error))?;
    let recorder = args
        .record
        .as_deref()
        .map(|path| {
            Recorder::create(path).map_err(|error| {
                Failure::bad_input(format!("cannot record to {}", path.display())).because(&error)
            })
        })
        .transpose()?;
    let interrupts = listen()?;
    let (to, received) = mpsc::channel(UNPRINTED);
    let stop = CancellationToken::new();
    let mut replicas = vec![control.clone()];
    for url in &args.also {
        let (_, token, sale) = control.address();
        let replica = ControlClient::new(url, token, sale);
        replicas.push(
            replica.map_err(|error| {
                Failure::new(Exit::Failure, "cannot build an HTTP client").because(&error)
            })?,
        );
    }
    let following = tokio::spawn(follow_all(replicas, to, stop.clone()));
    let output = args.output.unwrap_or_else(default_output);
    let exit = if output == Output::Screen {
        let screen = Screen {
            title: state.sale.name.clone(),
            url: api.shown.clone(),
            control,
            environment: Environment::named(args.environment.as_deref()),
            options: args.looks.options()?,
        };
        screen.show(received, recorder, interrupts).await
    } else {
        lines(received, recorder, &interrupts, output).await
    };
    stop.cancel();
    // It ends with the token; a panic in it was printed.
    let _ = following.await;
    exit
}

fn default_output() -> Output {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb {
        Output::Screen
    } else {
        Output::Stream
    }
}

fn listen() -> Result<Interrupts, Failure> {
    let interrupts = Interrupts::new();
    interrupts
        .listen()
        .map_err(|error| Failure::new(Exit::Failure, "signals cannot be listened for").because(&error))?;
    Ok(interrupts)
}

/// A full disk costs the recording, not the watching.
fn record(recorder: &mut Option<Recorder>, snapshot: &Snapshot) {
    if let Some(file) = recorder
        && let Err(error) = file.write(snapshot, &[])
    {
        complain(&format!("the recording ends here: {error}"));
        *recorder = None;
    }
}

/// The terminal UI on a control API's sale.
struct Screen {
    title: String,
    url: String,
    control: ControlClient,
    environment: Environment,
    options: Options,
}

impl Screen {
    async fn show(
        self,
        mut received: mpsc::Receiver<Received>,
        mut recorder: Option<Recorder>,
        interrupts: Interrupts,
    ) -> super::Done {
        let source = Source::Live { url: self.url };
        let board = Board::new(Picture::elsewhere(self.title, source, self.environment));
        let setup = tui::Setup {
            pictures: board.watch(),
            control: watch::Sender::new(Some(self.control)).subscribe(),
            interrupts: interrupts.clone(),
            over: CancellationToken::new(),
            actor: tui::actor(),
            exit_when_done: false,
            clock: SystemClock::shared(),
            options: self.options,
            replay: None,
        };
        let over = setup.over.clone();
        let feeding = tokio::spawn(async move {
            while let Some(news) = received.recv().await {
                match news {
                    Received::Lost(why) => board.feed(Feed::Lost(why)),
                    Received::Snapshot(snapshot) => {
                        record(&mut recorder, &snapshot);
                        board.snapshot(*snapshot);
                    }
                }
            }
            over.cancel();
        });
        let shown = tui::run(setup).await;
        feeding.abort();
        tui::term::restore();
        ended(shown)
    }
}

fn ended(shown: std::io::Result<()>) -> super::Done {
    shown
        .map(|()| Exit::Ok)
        .map_err(|error| Failure::new(Exit::Failure, "the terminal failed").because(&error))
}

async fn replay(args: &Args, file: &std::path::Path) -> super::Done {
    let recording = Recording::open(file)
        .map_err(|error| Failure::bad_input(format!("cannot replay {}", file.display())).because(&error))?;
    if args.cost {
        let (columns, lines) = (200, 50);
        let cost = tui::measure(recording, columns, lines)
            .map_err(|error| Failure::new(Exit::Failure, "the cost was not measured").because(&error))?;
        say(&document(&cost)?.to_string());
        return Ok(Exit::Ok);
    }
    match args.output.unwrap_or_else(default_output) {
        Output::Screen => {
            let replay = Replay::new(recording);
            // Nobody writes it, but a screen ends when its board is gone.
            let board = Board::new(replay.picture());
            let setup = tui::Setup {
                pictures: board.watch(),
                control: watch::Sender::new(None).subscribe(),
                interrupts: listen()?,
                over: CancellationToken::new(),
                actor: tui::actor(),
                exit_when_done: false,
                clock: SystemClock::shared(),
                options: args.looks.options()?,
                replay: Some(replay),
            };
            let shown = tui::run(setup).await;
            tui::term::restore();
            ended(shown)
        }
        output => recorded_lines(recording, output),
    }
}
