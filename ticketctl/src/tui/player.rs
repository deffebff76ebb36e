//! Where a replay stands. Pure: the wall clock's progress and keys come in, the number of the
//! snapshot to show comes out.

use super::command::Seek;
use urr_core::time::Millis;

/// Slowest and fastest, times real time.
const SPEEDS: (f64, f64) = (0.125, 256.0);
/// At most this much wall time is played at once: a laptop that slept does not skip the opening.
const MOST_AT_ONCE_MS: i64 = 1_000;

/// The position in a recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Player {
    times: Vec<Millis>,
    /// The instant shown, between the first and the last.
    at: Millis,
    playing: bool,
    speed: f64,
}

impl Player {
    /// At the beginning of a recording with snapshots at `times` (ascending), playing.
    pub(crate) fn new(times: Vec<Millis>) -> Self {
        Self {
            at: times.first().copied().unwrap_or_default(),
            times,
            playing: true,
            speed: 1.0,
        }
    }

    /// Which snapshot is to be shown.
    pub(crate) fn index(&self) -> usize {
        self.times.partition_point(|at| *at <= self.at).saturating_sub(1)
    }

    /// The instant shown.
    pub(crate) const fn at(&self) -> Millis {
        self.at
    }

    /// Whether time runs.
    pub(crate) const fn is_playing(&self) -> bool {
        self.playing
    }

    /// Times real time.
    pub(crate) const fn speed(&self) -> f64 {
        self.speed
    }

    /// How far, in thousandths of the whole.
    pub(crate) fn permille(&self) -> u64 {
        let whole = self.last().since(self.first()).max(1).unsigned_abs();
        self.at.since(self.first()).unsigned_abs() * 1000 / whole
    }

    /// How long the whole is, in milliseconds.
    pub(crate) fn length_ms(&self) -> i64 {
        self.last().since(self.first())
    }

    /// How far, in milliseconds.
    pub(crate) fn position_ms(&self) -> i64 {
        self.at.since(self.first())
    }

    /// Wall time passed.
    pub(crate) fn tick(&mut self, elapsed_ms: i64) {
        if !self.playing {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most a second")]
        let ms = elapsed_ms.clamp(0, MOST_AT_ONCE_MS) as f64 * self.speed;
        #[expect(clippy::cast_possible_truncation, reason = "at most a second at the fastest")]
        self.move_by(ms.round() as i64);
        if self.at == self.last() {
            self.playing = false;
        }
    }

    /// Plays, or holds; at the end it begins again.
    pub(crate) fn toggle(&mut self) {
        if !self.playing && self.at == self.last() {
            self.at = self.first();
        }
        self.playing = !self.playing;
    }

    /// One snapshot on or back, held.
    pub(crate) fn step(&mut self, on: bool) {
        self.playing = false;
        let index = self.index();
        let index = if on { index + 1 } else { index.saturating_sub(1) };
        self.at = self.times.get(index).copied().unwrap_or_else(|| self.last());
    }

    /// Somewhere else.
    pub(crate) fn seek(&mut self, to: Seek, opens_at: Option<Millis>) {
        match to {
            Seek::By(ms) => self.move_by(ms),
            Seek::Opening(ms) => {
                if let Some(opens_at) = opens_at {
                    self.at = opens_at.plus_ms(ms).clamp(self.first(), self.last());
                }
            }
            Seek::Percent(percent) => {
                self.at = self
                    .first()
                    .plus_ms(self.length_ms() / 100 * i64::from(percent.min(100)));
                if percent >= 100 {
                    self.at = self.last();
                }
            }
        }
    }

    /// Twice as fast, or half.
    pub(crate) fn faster(&mut self, faster: bool) {
        self.set_speed(if faster {
            self.speed * 2.0
        } else {
            self.speed / 2.0
        });
    }

    /// So many times real time.
    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    }

    fn move_by(&mut self, ms: i64) {
        self.at = self.at.plus_ms(ms).clamp(self.first(), self.last());
    }

    fn first(&self) -> Millis {
        self.times.first().copied().unwrap_or_default()
    }

    fn last(&self) -> Millis {
        self.times.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn player() -> Player {
        Player::new([0, 500, 1_000, 4_000, 10_000].map(Millis).to_vec())
    }

    #[test]
    fn time_runs_at_its_speed_and_ends_at_the_end() {
        let mut player = player();
        player.tick(600);
        assert_eq!((player.index(), player.at()), (1, Millis(600)));
        player.faster(true);
        player.tick(250);
        assert_eq!(player.at(), Millis(1_100));
        player.tick(60_000);
        assert_eq!(
            player.at(),
            Millis(3_100),
            "a sleeping laptop skips a second, not a minute"
        );
        for _ in 0..10 {
            player.tick(1_000);
        }
        assert_eq!((player.index(), player.is_playing()), (4, false));
        player.toggle();
        assert_eq!(
            (player.index(), player.is_playing()),
            (0, true),
            "again from the beginning"
        );
    }

    #[test]
    fn steps_hold_and_go_from_snapshot_to_snapshot() {
        let mut player = player();
        player.step(true);
        player.step(true);
        player.step(true);
        assert_eq!((player.at(), player.is_playing()), (Millis(4_000), false));
        player.step(false);
        assert_eq!(player.at(), Millis(1_000));
        player.tick(500);
        assert_eq!(player.at(), Millis(1_000));
    }

    #[test]
    fn one_can_go_anywhere_by_the_opening_or_by_share() {
        let mut player = player();
        player.seek(Seek::Opening(-1_000), Some(Millis(5_000)));
        assert_eq!((player.at(), player.index()), (Millis(4_000), 3));
        player.seek(Seek::Percent(50), None);
        assert_eq!(player.permille(), 500);
        player.seek(Seek::By(-99_000), None);
        assert_eq!(player.at(), Millis(0));
        player.seek(Seek::Percent(100), None);
        assert_eq!(player.index(), 4);
    }

    proptest! {
        #[test]
        fn it_never_leaves_the_recording(moves in proptest::collection::vec((0u8..6, -100_000i64..100_000), 0..60)) {
            let mut player = player();
            for (kind, ms) in moves {
                match kind {
                    0 => player.tick(ms),
                    1 => player.step(ms > 0),
                    2 => player.seek(Seek::By(ms), None),
                    3 => player.seek(Seek::Opening(ms), Some(Millis(2_000))),
                    4 => player.faster(ms > 0),
                    _ => player.toggle(),
                }
                prop_assert!(player.index() < 5);
                prop_assert!((Millis(0)..=Millis(10_000)).contains(&player.at()));
            }
        }
    }
}
