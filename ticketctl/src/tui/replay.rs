//! A recording on the screen: reads the snapshot the player stands at, and what history needs.

use super::{player::Player, state::App};
use crate::{
    picture::{Environment, Picture, Source},
    recording::{Recording, RecordingError},
};

/// Snapshots that are shown one after the other; a longer way is a jump.
const STEPS: usize = 64;
/// After a jump, snapshots read before the one jumped to: five minutes densely, and as many again
/// spread over everything before. More would make a jump wait for a week's worth of reading.
const DENSE: usize = 600;
const SPREAD: usize = 600;

/// A recording that is being watched.
#[derive(Debug)]
pub(crate) struct Replay {
    recording: Recording,
    shown: Option<usize>,
}

impl Replay {
    /// From the beginning.
    pub(crate) const fn new(recording: Recording) -> Self {
        Self {
            recording,
            shown: None,
        }
    }

    /// Where it stands at first.
    pub(super) fn player(&self) -> Player {
        Player::new(self.recording.times())
    }

    /// What is shown before the first snapshot is read.
    pub(crate) fn picture(&self) -> Picture {
        let source = Source::Replay {
            file: self.recording.name(),
        };
        Picture::elsewhere("a recording", source, Environment::Unnamed)
    }

    /// Brings `app` to where its player stands; whether anything changed.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be read any more.
    pub(super) fn show(&mut self, app: &mut App) -> Result<bool, RecordingError> {
        let Some(index) = app.player.as_ref().map(Player::index) else {
            return Ok(false);
        };
        if self.shown == Some(index) {
            return Ok(false);
        }
        if self.jumped(index) {
            app.forget();
            app.frozen = None;
        }
        for number in self.way(index) {
            let snapshot = self.recording.read(number)?;
            let at = snapshot.at;
            let mut picture = app.picture.clone();
            picture.take(snapshot);
            app.take(picture, at);
        }
        self.shown = Some(index);
        Ok(true)
    }

    fn jumped(&self, index: usize) -> bool {
        self.shown
            .is_none_or(|shown| index < shown || index - shown > STEPS)
    }

    /// The snapshots to take in on the way to `index`.
    fn way(&self, index: usize) -> Vec<usize> {
        match self.shown {
            Some(shown) if !self.jumped(index) => (shown + 1..=index).collect(),
            _ => {
                let dense_from = index.saturating_sub(DENSE);
                let step = dense_from.div_ceil(SPREAD).max(1);
                (0..dense_from).step_by(step).chain(dense_from..=index).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recording::Recorder,
        tui::{command::Seek, config::Options, fixtures},
    };
    use urr_core::time::Millis;

    /// Forty minutes, two snapshots a second.
    fn long() -> (tempfile::TempDir, Replay, App) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.ndjson");
        let mut recorder = Recorder::create(&path).unwrap();
        let mut snapshot = fixtures::snapshot();
        snapshot.events.clear();
        snapshot.crowd = Some(fixtures::load());
        for _ in 0..4_800 {
            recorder.write(&snapshot, &[]).unwrap();
            snapshot.at = snapshot.at.plus_ms(500);
            snapshot.room.as_mut().unwrap().issued += 5;
        }
        let replay = Replay::new(Recording::open(&path).unwrap());
        let mut app = App::new(replay.picture(), Options::default(), "mk".to_owned(), Millis(0));
        app.player = Some(replay.player());
        (dir, replay, app)
    }

    #[test]
    fn a_jump_brings_its_history_and_going_back_forgets_it() {
        let (_dir, mut replay, mut app) = long();
        assert!(replay.show(&mut app).unwrap());
        assert!(!replay.show(&mut app).unwrap(), "nothing changed");
        assert_eq!(app.picture.title, "Club night");
        assert!(app.picture.load.is_some());
        app.player.as_mut().unwrap().seek(Seek::Percent(100), None);
        replay.show(&mut app).unwrap();
        let joined = app.history.per_s(0, |second| second.joined);
        assert_eq!((joined.len(), joined[299]), (300, 10));
        assert!(
            app.history.per_s(2, |second| second.joined).len() >= 79,
            "all forty minutes"
        );
        app.player.as_mut().unwrap().seek(Seek::Percent(0), None);
        replay.show(&mut app).unwrap();
        assert!(app.history.per_s(0, |second| second.joined).is_empty());
    }
}
