//! Mission control: one screen on which an opening is watched and steered.
//!
//! `state` is what is shown, `input` turns keys into changes and effects, `view` draws; all three
//! are pure. This file is the loop around them and the only place that touches the terminal. The
//! drill does not know it exists: it writes a picture, this reads it.

mod history;
mod input;
mod state;
pub(crate) mod steer;
pub(crate) mod term;
mod theme;
mod view;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod screens;

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
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use urr_kit::clock::SharedClock;

pub(crate) use theme::Theme;

/// At most ten pictures a second: the countdown shows tenths, nothing changes faster.
const FRAME: Duration = Duration::from_millis(100);

/// How long the verdict stays when nobody touches a key. Nothing is held by then, but a drill
/// started by a script on a terminal must not hang for ever.
const VERDICT_STAYS_MS: i64 = 60_000;

/// Overrides on their way; more than a person can press before the first is answered.
const OVERRIDES_IN_FLIGHT: usize = 16;

/// What the loop needs from its host.
pub(crate) struct Setup {
    /// The drill's picture.
    pub(crate) pictures: watch::Receiver<Picture>,
    /// The control API, once its address is known.
    pub(crate) control: watch::Receiver<Option<ControlClient>>,
    /// Where `q` and Ctrl-C go.
    pub(crate) interrupts: Interrupts,
    /// The drill has ended without a verdict: the screen must go, so that the reason can be read.
    pub(crate) over: CancellationToken,
    /// Who steers.
    pub(crate) actor: String,
    /// Whether to close as soon as the verdict stands.
    pub(crate) exit_when_done: bool,
    /// Wall clock, the same as the control plane's on one machine.
    pub(crate) clock: SharedClock,
}

/// Runs until the verdict is closed or the drill is interrupted. The terminal is restored on
/// every way out.
pub(crate) async fn run(mut setup: Setup) -> io::Result<()> {
    let guard = term::Guard::take();
    let mut terminal = term::open()?;
    let mut keys = EventStream::new();
    let first = setup.pictures.borrow_and_update().clone();
    let mut app = App::new(first, Theme::from_env(), setup.actor.clone(), setup.clock.now());
    let (answers, mut answered) = mpsc::channel::<Result<Override, String>>(OVERRIDES_IN_FLIGHT);
    let mut ticks = tokio::time::interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut drawn_at: Option<Instant> = None;
    let mut dirty = true;
    while term::is_ours() {
        if dirty && drawn_at.is_none_or(|at| at.elapsed() >= FRAME) {
            draw(&mut terminal, &app)?;
            drawn_at = Some(Instant::now());
            dirty = false;
        }
        let effect = tokio::select! {
            biased;
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
            () = setup.interrupts.asked() => break,
            () = setup.over.cancelled() => break,
            changed = setup.pictures.changed() => {
                if changed.is_err() {
                    break; // the drill is gone; its error is printed once we are out
                }
                dirty = true;
                let picture = setup.pictures.borrow_and_update().clone();
                take(&mut app, picture, &setup);
                Effect::None
            }
            Some(answer) = answered.recv() => {
                dirty = true;
                tell(&mut app, answer);
                Effect::None
            }
            _ = ticks.tick() => {
                dirty = true;
                app.tick(setup.clock.now());
                Effect::None
            }
        };
        match effect {
            Effect::None => {}
            Effect::Send(change) => send(&setup, change, &answers),
            Effect::Quit if app.over() => break,
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

fn take(app: &mut App, picture: Picture, setup: &Setup) {
    let was_over = app.over();
    let now = setup.clock.now();
    app.take(picture, now);
    if app.over() && !was_over {
        app.frozen = None;
        app.mode = state::Mode::Watch;
        app.closes_at = Some(now.plus_ms(VERDICT_STAYS_MS));
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
            None => Err("the control API is not up yet".to_owned()),
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
