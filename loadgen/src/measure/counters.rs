//! What became of people: counters that only rise.

use super::Live;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a journey ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Outcome {
    /// Holds a paid ticket.
    Bought,
    /// Looked around and left, as intended.
    Browsed,
    /// Lost patience and left.
    GaveUp,
    /// Was inside, or would have been, but the seats were gone.
    SoldOut,
    /// Was inside; others were quicker at every seat tried.
    LostRace,
    /// Came to pay when the hold had ended.
    HoldLost,
    /// The payment provider refused.
    PaymentRefused,
    /// Was let in and walked away without a word, as intended.
    WalkedAway,
    /// Was still in line when the sale closed or the run ended.
    StillWaiting,
    /// Was told to go away: closed, not open, not entitled.
    Refused,
    /// Tried the back door and found it shut.
    Blocked,
    /// Tried the back door and got through.
    BrokeIn,
    /// The journey broke off with an error.
    Failed,
    /// Never started: the generator was full.
    Dropped,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Bought,
        Self::Browsed,
        Self::GaveUp,
        Self::SoldOut,
        Self::LostRace,
        Self::HoldLost,
        Self::PaymentRefused,
        Self::WalkedAway,
        Self::StillWaiting,
        Self::Refused,
        Self::Blocked,
        Self::BrokeIn,
        Self::Failed,
        Self::Dropped,
    ];

    /// What a person calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Bought => "bought a ticket",
            Self::Browsed => "looked around and left",
            Self::GaveUp => "lost patience",
            Self::SoldOut => "found it sold out",
            Self::LostRace => "lost every race for a seat",
            Self::HoldLost => "came too late to pay",
            Self::PaymentRefused => "payment refused",
            Self::WalkedAway => "let in, walked away",
            Self::StillWaiting => "still waiting at the end",
            Self::Refused => "turned away",
            Self::Blocked => "intruder, shut out",
            Self::BrokeIn => "intruder, got in",
            Self::Failed => "broke off with an error",
            Self::Dropped => "never started (generator full)",
        }
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of a run, shared by everybody who counts.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
            /// Journeys by how they ended.
            pub outcomes: [AtomicU64; Outcome::ALL.len()],
        }

        /// The counters at one instant: the funnel from arrived to sold.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct Funnel {
            $($(#[$doc])* pub $name: u64,)*
            /// Journeys by how they ended, in the order of [`Outcome::ALL`].
            pub outcomes: Vec<u64>,
        }

        impl Funnel {
            /// Adds another worker's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                self.outcomes.resize(Outcome::ALL.len(), 0);
                for (sum, n) in self.outcomes.iter_mut().zip(&other.outcomes) {
                    *sum += n;
                }
            }
        }

        impl Counters {
            /// All counters now.
            #[must_use]
            pub fn funnel(&self) -> Funnel {
                Funnel {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    outcomes: self.outcomes.iter().map(|n| n.load(Ordering::Relaxed)).collect(),
                }
            }
        }
    };
}

counters! {
    /// Visitors whose instant has come.
    arrived,
    /// Visitors with a place in the waiting room.
    joined,
    /// Visitors past the waiting room.
    served,
    /// Visitors let in by tier 2.
    admitted,
    /// Visitors who hold or held seats.
    held,
    /// Visitors who pressed pay.
    paid,
    /// Seats that visitors paid for.
    sold,
    /// Journeys under way.
    under_way,
    /// Visitors in line: joined, neither let in nor gone.
    waiting,
    /// Visitors inside: let in and not gone.
    inside,
    /// Journeys that ended.
    ended,
    /// Requests sent.
    requests,
    /// Requests answered with an error, or not at all.
    errors,
    /// Requests sent again after an error.
    retries,
    /// Requests that started more than 100 ms after they were due.
    late,
    /// Requests that got no connection within the stated wait, and so were not sent.
    dropped,
    /// Times a seat was taken by somebody quicker.
    conflicts,
    /// Requests open right now.
    in_flight,
    /// Accounts registered and logged in for real.
    registered,
    /// Measurements goose did not take because its channel was full.
    goose_missed,
}

impl Counters {
    /// One more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// One fewer.
    pub fn sub(counter: &AtomicU64) {
        counter.fetch_sub(1, Ordering::Relaxed);
    }

    /// A journey ended.
    pub fn end(&self, outcome: Outcome) {
        Self::add(&self.ended);
        Self::add(&self.outcomes[outcome as usize]);
    }
}

impl Funnel {
    /// Journeys that ended as `outcome`.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).copied().unwrap_or(0)
    }
}

/// Holds a gauge of a run up while something lasts; lowers it on every way out, cancellation
/// included.
#[derive(Debug)]
pub struct Up {
    live: Arc<Live>,
    gauge: fn(&Counters) -> &AtomicU64,
}

impl Up {
    /// Raises the gauge that `gauge` picks until dropped.
    #[must_use]
    pub fn raise(live: &Arc<Live>, gauge: fn(&Counters) -> &AtomicU64) -> Self {
        Counters::add(gauge(&live.counters));
        Self {
            live: Arc::clone(live),
            gauge,
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        Counters::sub((self.gauge)(&self.live.counters));
    }
}
