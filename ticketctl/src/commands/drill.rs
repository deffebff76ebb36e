//! `ticketctl drill`: the screen (or lines), the drill, and the summary at the end.

use super::{complain, watch::Looks};
use crate::{
    drill::{self, Failed, Plan, Stagehands, default_target},
    exit::Exit,
    failure::with_causes,
    picture::{Board, Picture, Stage},
    plain,
    signals::Interrupts,
    summary,
    tui::{self, Options},
};
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use urr_kit::clock::SystemClock;
use urr_loadgen::Scenario;

/// A drill.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario, e.g. scenarios/club-night.yaml.
    pub(crate) file: PathBuf,
    /// Lines of progress on stderr instead of the screen; the default without a terminal.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Where the run's files go [default: runs/NAME-TIME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep the logs of a run that failed or was interrupted.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Another seed than the scenario's; the same seed gives the same crowd.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Record every snapshot to this file too, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Look for PostgreSQL and Redis here and nowhere else.
    #[arg(long, value_name = "DIR", env = "URR_ENGINES_DIR")]
    pub(crate) engines_dir: Option<PathBuf>,
    /// Close the screen as soon as the verdict stands, without waiting for a key.
    #[arg(long)]
    pub(crate) exit_when_done: bool,
    #[command(flatten)]
    pub(crate) looks: Looks,
}

/// Runs the drill and says how it went.
pub(crate) async fn run(args: Args) -> Exit {
    let scenario = match Scenario::load(&args.file) {
        Ok(scenario) => scenario,
        Err(error) => {
            complain(&with_causes(&error));
            return Exit::BadInput;
        }
    };
    let options = match args.looks.options() {
        Ok(options) => options,
        Err(failure) => {
            complain(&format!("error: {failure}"));
            return failure.exit;
        }
    };
    let clock = SystemClock::shared();
    let title = scenario.title.clone();
    let plan = Plan {
        file: args.file,
        target: args
            .out
            .unwrap_or_else(|| default_target(&scenario.name, clock.now())),
        scenario: Scenario {
            seed: args.seed.unwrap_or(scenario.seed),
            ..scenario
        },
        keep: args.keep,
        record: args.record,
        engines_dir: args.engines_dir,
    };
    let interrupts = Interrupts::new();
    if let Err(error) = interrupts.listen() {
        complain(&with_causes(&error));
        return Exit::Failure;
    }
    let hands = Stagehands {
        board: Board::new(Picture::new(title.clone())),
        control: watch::Sender::new(None),
        interrupts: interrupts.clone(),
        clock,
    };
    let over = CancellationToken::new();
    let screen = show(&hands, args.plain, args.exit_when_done, options, over.clone());
    let outcome = drill::run(&plan, &hands).await;
    match outcome {
        Ok(verdict) => {
            hands.board.verdict(verdict.clone());
            // Ends when the person has seen enough; in plain mode at once.
            finish(screen).await;
            let _ = write!(std::io::stdout(), "{}", summary::render(&title, &verdict));
            verdict.exit
        }
        Err(failed) => {
            over.cancel();
            finish(screen).await;
            complain(&explain(&failed));
            failed.exit
        }
    }
}

/// The terminal UI where there is a terminal, lines of progress elsewhere.
fn show(
    hands: &Stagehands,
    plain: bool,
    exit_when_done: bool,
    options: Options,
    over: CancellationToken,
) -> JoinHandle<()> {
    let pictures = hands.board.watch();
    let clock = hands.clock.clone();
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if plain || dumb || !terminal {
        let interrupts = hands.interrupts.clone();
        return tokio::spawn(async move {
            tokio::select! {
                () = plain::run(pictures, clock) => {}
                () = over.cancelled() => {}
                () = async {
                    interrupts.asked().await;
                    complain("stopping; once more (Ctrl-C) forces");
                    std::future::pending::<()>().await;
                } => {}
            }
        });
    }
    let setup = tui::Setup {
        pictures,
        control: hands.control.subscribe(),
        interrupts: hands.interrupts.clone(),
        over,
        actor: tui::actor(),
        exit_when_done,
        clock,
        options,
        replay: None,
    };
    let interrupts = hands.interrupts.clone();
    tokio::spawn(async move {
        if let Err(error) = tui::run(setup).await {
            complain(&format!(
                "the terminal failed ({error}); the drill goes on without it"
            ));
        }
        if interrupts.is_asked() {
            complain("stopping; once more (Ctrl-C) forces");
        }
    })
}

/// Waits for the screen; the terminal is given back whatever became of it.
async fn finish(screen: JoinHandle<()>) {
    // A panic in the screen was printed by the hook; the drill's result stands.
    let _ = screen.await;
    tui::term::restore();
}

fn explain(failed: &Failed) -> String {
    let mut text = match &failed.source {
        None => "interrupted; everything is stopped".to_owned(),
        Some(error) => format!(
            "the drill failed at step {} of {} ({}):\n{error:#}",
            failed.stage.number(),
            Stage::COUNT,
            failed.stage.words()
        ),
    };
    match &failed.logs {
        Some(logs) => text.push_str(&format!("\nlogs: {}", logs.display())),
        None if failed.source.is_some() => {
            text.push_str("\n(hint: --keep leaves the logs of a failed run)");
        }
        None => {}
    }
    text
}
