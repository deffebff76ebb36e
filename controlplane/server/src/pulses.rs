//! How the services behind the door feel, as they say it themselves (`urr_core::pulse`).
//!
//! Asked only while some sale follows it. Each question goes over a connection of its own: behind one
//! address stand many replicas, and a connection that is kept would show the same one for ever. So every
//! second shows some replica's last seconds, and the answers of a window are added up. A service that says
//! nothing is not counted; that it is silent is readiness' business ([`crate::observe`]).

use reqwest::header;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use urr_core::pulse::{Pulse, Signs, WINDOW_S, signs};

/// How often each address is asked while somebody follows.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// An answer that takes longer is none.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// What an answer tells of, and for how long it is heard.
const WINDOW: Duration = Duration::from_secs(WINDOW_S as u64);
/// Answers kept of one address: those of a window.
const KEPT: usize = WINDOW_S as usize;

/// Asks for pulses. Cheap to clone.
#[derive(Clone)]
pub struct Pulses {
    http: reqwest::Client,
    sources: Arc<[Source]>,
    /// Somebody has asked for signs since the last round.
    is_followed: Arc<AtomicBool>,
}

struct Source {
    url: String,
    answers: Mutex<VecDeque<(Instant, Pulse)>>,
}

impl Pulses {
    /// Asks at `urls`.
    #[must_use]
    pub fn new(http: reqwest::Client, urls: &[String]) -> Self {
        let source = |url: &String| Source {
            url: url.clone(),
            answers: Mutex::default(),
        };
        Self {
            http,
            sources: urls.iter().map(source).collect(),
            is_followed: Arc::default(),
        }
    }

    /// The signs of the last seconds; `None` while nobody has said anything. Being asked keeps the
    /// questions going.
    #[must_use]
    pub fn signs(&self) -> Option<Signs> {
        self.signs_within(Some(WINDOW))
    }

    /// The signs of what happened after a step `ago_ms` ago; `None` while nobody can have said anything of it.
    #[must_use]
    pub fn signs_since(&self, ago_ms: i64) -> Option<Signs> {
        self.signs_within(age_most(ago_ms))
    }

    fn signs_within(&self, age_most: Option<Duration>) -> Option<Signs> {
        // Whoever asks in vain wants answers when the window has passed.
        self.is_followed.store(true, Ordering::Relaxed);
        let (now, age_most) = (Instant::now(), age_most?);
        let recent: Vec<Pulse> = self
            .sources
            .iter()
            .flat_map(|source| source.recent(now, age_most))
            .collect();
        signs(&recent)
    }

    /// Asks until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let mut interval = tokio::time::interval(ASK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = interval.tick() => {}
            }
            if self.is_followed.swap(false, Ordering::Relaxed) {
                self.ask().await;
            }
        }
    }

    /// Asks every address once.
    pub async fn ask(&self) {
        let questions = self.sources.iter().map(|source| async {
            let question = self
                .http
                .get(&source.url)
                .header(header::CONNECTION, "close")
                .timeout(ASK_TIMEOUT);
            let answer = async { question.send().await?.error_for_status()?.json::<Pulse>().await };
            match answer.await {
                Ok(pulse) => source.keep(pulse),
                Err(error) => {
                    metrics::counter!("control_pulses_missed_total").increment(1);
                    tracing::debug!(url = source.url, %error, "a service does not say how it feels");
                }
            }
        });
        futures::future::join_all(questions).await;
    }
}

impl Source {
    fn keep(&self, pulse: Pulse) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push_back((Instant::now(), pulse));
        if answers.len() > KEPT {
            answers.pop_front();
        }
    }

    fn recent(&self, now: Instant, age_most: Duration) -> Vec<Pulse> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: Instant| now.duration_since(at) <= age_most;
        answers
            .iter()
            .filter(|(at, _)| is_recent(*at))
            .map(|(_, pulse)| pulse.clone())
            .collect()
    }
}

/// Where the process that answers `ready_url` says how it feels.
#[must_use]
pub(crate) fn beside(ready_url: &str) -> Option<String> {
    let base = ready_url.strip_suffix("/health")?;
    Some(format!("{base}/actuator/pulse"))
}

/// How old an answer may be that is evidence of a step `ago_ms` ago: it tells of the window before it, so what
/// was said within a window after the step still speaks of the rate before.
fn age_most(ago_ms: i64) -> Option<Duration> {
    let ago = Duration::from_millis(u64::try_from(ago_ms).ok()?);
    ago.checked_sub(WINDOW).map(|since| since.min(WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_a_step_is_no_evidence_of_it() {
        let seconds = [-1, 0, 4, 5, 6, 9, 60].map(|s| age_most(s * 1000).map(|age| age.as_secs()));
        assert_eq!(seconds, [None, None, None, Some(0), Some(1), Some(4), Some(5)]);
    }
}
