//! Mission control: one screen on which an opening is watched and steered, or watched again.
//!
//! `state` is what is shown, `input` turns keys into changes and effects, `view` draws; all three
//! are pure. This file is the loop around them and the only place that touches the terminal. Who
//! writes the pictures (a drill, a control plane's stream, a recording) does not know it exists.

mod command;
mod config;
mod cost;
mod face;
mod history;
mod input;
mod keymap;
mod player;
mod replay;
mod state;
pub(crate) mod steer;
pub(crate) mod term;
mod theme;
mod view;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod week;

use crate::{
    control::{ControlClient, Override},
    picture::Picture,
    signals::Interrupts,
};
use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use input::Effect;
use ratatui::{Terminal, backend::CrosstermBackend};
use state::App;
use std::{io, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use urr_kit::clock::SharedClock;

pub(crate) use config::{Options, template, usual_place as config_file};
pub(crate) use cost::measure;
pub(crate) use replay::Replay;
pub(crate) use theme::Palette;

/// At most twenty pictures a second, however many snapshots come: the eye sees no more, and the
/// cost of a screen has a bound.
const FRAME: Duration = Duration::from_millis(50);

/// How long the verdict stays when nobody touches a key. Nothing is held by then, but a drill
/// started by a script on a terminal must not hang for ever.
const VERDICT_STAYS_MS: i64 = 60_000;

/// Overrides on their way; more than a person can press before the first is answered.
const OVERRIDES_IN_FLIGHT: usize = 16;

/// What the loop needs from its host.
pub(crate) struct Setup {
    /// Pictures of the sale.
    pub(crate) pictures: watch::Receiver<Picture>,
    /// The control API, once its address is known.
    pub(crate) control: watch::Receiver<Option<ControlClient>>,
    /// Where `q` and Ctrl-C go.
    pub(crate) interrupts: Interrupts,
    /// What is watched has ended without a verdict: the screen must go, so that the reason can be
    /// read.
    pub(crate) over: CancellationToken,
    /// Who steers.
    pub(crate) actor: String,
    /// Whether to close as soon as the verdict stands.
    pub(crate) exit_when_done: bool,
    /// Wall clock.
    pub(crate) clock: SharedClock,
    /// Looks and keys.
    pub(crate) options: Options,
    /// A recording, instead of pictures.
    pub(crate) replay: Option<Replay>,
}

/// Runs until the verdict is closed, the watcher has seen enough or is interrupted. The terminal is
/// restored on every way out.
pub(crate) async fn run(mut setup: Setup) -> io::Result<()> {
    let guard = term::Guard::take();
    let mut terminal = term::open()?;
    let mut keys = EventStream::new();
    let mut app = first(&mut setup);
    let (answers, mut answered) = mpsc::channel::<Result<Override, String>>(OVERRIDES_IN_FLIGHT);
    let mut drawn_at: Option<Instant> = None;
    let mut ticked_at = Instant::now();
    let mut dirty = true;
    while term::is_ours() {
        if let Some(replay) = &mut setup.replay {
            dirty |= replay.show(&mut app).map_err(io::Error::other)?;
        }
        if dirty && drawn_at.is_none_or(|at| at.elapsed() >= FRAME) {
            draw(&mut terminal, &app)?;
            drawn_at = Some(Instant::now());
            dirty = false;
        }
        let wake = match (dirty, drawn_at) {
            (true, Some(at)) => at + FRAME,
            _ => Instant::now() + app.changes_within(),
        };
        let effect = tokio::select! {
            biased;
            () = setup.interrupts.asked() => break,
            () = setup.over.cancelled() => break,
            event = keys.next() => match event {
                Some(Ok(Event::Key(event))) => {
                    dirty = true;
                    input::key(&mut app, event)
                }
                Some(Ok(Event::Resize(..))) => {
                    dirty = true;
                    Effect::None
                }
                Some(Ok(_)) => Effect::None,
                Some(Err(error)) => return Err(error),
                // The terminal is gone (closed window): the drill ends as by a hang-up.
                None => Effect::Interrupt,
            },
            Some(answer) = answered.recv() => {
                dirty = true;
                tell(&mut app, answer);
                Effect::None
            }
            changed = setup.pictures.changed() => {
                if changed.is_err() {
                    break; // what is watched is gone; its error is printed once we are out
                }
                dirty = true;
                let picture = setup.pictures.borrow_and_update().clone();
                take(&mut app, picture, &setup);
                Effect::None
            }
            () = tokio::time::sleep_until(wake) => {
                dirty = true;
                Effect::None
            }
        };
        pass(&mut app, &setup, &mut ticked_at);
        match effect {
            Effect::None => {}
            Effect::Send(change) => send(&setup, change, &answers),
            Effect::Quit if app.over() || setup.replay.is_some() => break,
            Effect::Quit | Effect::Interrupt => {
                setup.interrupts.ask();
                break;
            }
        }
        if app.over() && (setup.exit_when_done || app.closes_at.is_some_and(|at| app.now >= at)) {
            break;
        }
    }
    drop(terminal);
    drop(guard);
    Ok(())
}

fn first(setup: &mut Setup) -> App {
    let picture = setup.pictures.borrow_and_update().clone();
    let now = setup.clock.now();
    let mut app = App::new(picture, setup.options.clone(), setup.actor.clone(), now);
    app.player = setup.replay.as_ref().map(Replay::player);
    app
}

/// Time passes: on the wall, and in a recording.
fn pass(app: &mut App, setup: &Setup, ticked_at: &mut Instant) {
    let elapsed = ticked_at.elapsed();
    *ticked_at = Instant::now();
    if let Some(player) = &mut app.player {
        player.tick(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
    }
    app.tick(setup.clock.now());
}

fn take(app: &mut App, picture: Picture, setup: &Setup) {
    let was_over = app.over();
    app.take(picture, setup.clock.now());
    if app.over() && !was_over {
        app.frozen = None;
        app.mode = state::Mode::Watch;
        app.show(state::View::Verdict);
        app.closes_at = Some(app.now.plus_ms(VERDICT_STAYS_MS));
    }
}

fn tell(app: &mut App, answer: Result<Override, String>) {
    match answer {
        Ok(done) => app.say(false, format!("done, and in the audit log: {}", done.reason)),
        Err(why) => app.say(true, why),
    }
}

/// Sends a change without making the screen wait for the answer.
fn send(setup: &Setup, change: Override, answers: &mpsc::Sender<Result<Override, String>>) {
    let control = setup.control.borrow().clone();
    let answers = answers.clone();
    tokio::spawn(async move {
        let answer = match control {
            None => Err("the control API is not up yet, or this screen shows several sales: steer one of them from another terminal, with its name".to_owned()),
            Some(control) => control
                .steer(&change)
                .await
                .map(|()| change)
                .map_err(|e| format!("not done: {e}")),
        };
        // The screen may be closed by now; then nobody is left to tell.
        let _ = answers.send(answer).await;
    });
}

fn draw(terminal: &mut Terminal<CrosstermBackend<io::Stdout>>, app: &App) -> io::Result<()> {
    terminal.draw(|frame| view::draw(frame, app)).map(|_| ())
}

/// Who sits at this terminal, for the audit log.
pub(crate) fn actor() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        .unwrap_or_else(|| "terminal".to_owned())
}
