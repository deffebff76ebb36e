//! What the proxies saw of the operator.

use super::sales::Planned;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use urr_core::time::Millis;
use urr_testkit::proxy::{Call, Counting, Faults, Write};

/// So long without a write is quiet: what news wakes is looked at and reported within it.
const QUIET: Duration = Duration::from_secs(3);

/// Two proxies' records. Renewing the lease goes by the clock and not by looks: it is not counted.
pub(super) struct Seen {
    cluster: Faults,
    control: Faults,
    renewals: Arc<AtomicU64>,
    kinds: Kinds,
}

/// Calls by what they ask for.
type Kinds = Arc<Mutex<BTreeMap<String, u64>>>;

/// How much there was so far.
#[derive(Clone, Copy)]
pub(super) struct Count {
    pub(super) writes: u64,
    pub(super) calls: u64,
}

impl Default for Seen {
    fn default() -> Self {
        let cluster = Faults::new(Counting::Everything);
        let renewals = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&renewals);
        let kinds = Kinds::default();
        let of_cluster = Arc::clone(&kinds);
        cluster.for_calls(move |call| {
            if call.is_lease() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            note(&of_cluster, call);
            None
        });
        let control = Faults::new(Counting::Everything);
        let of_control = Arc::clone(&kinds);
        control.for_calls(move |call| {
            note(&of_control, call);
            None
        });
        Self {
            cluster,
            control,
            renewals,
            kinds,
        }
    }
}

impl Seen {
    pub(super) fn cluster(&self) -> Faults {
        self.cluster.clone()
    }

    pub(super) fn control(&self) -> Faults {
        self.control.clone()
    }

    pub(super) fn count(&self) -> Count {
        let calls = self.cluster.call_count() + self.control.call_count();
        Count {
            writes: self.writes().count() as u64,
            calls: calls - self.renewals.load(Ordering::Relaxed),
        }
    }

    /// Says what was called so far in `looks` looks: where the time goes when a figure is bad.
    pub(super) fn tell_kinds(&self, looks: f64) {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::info!(looks, calls = ?*kinds, "called so far");
    }

    /// Events count as writes.
    fn writes(&self) -> impl Iterator<Item = Write> {
        let all = self.cluster.writes().into_iter().chain(self.control.writes());
        all.filter(|write| !write.call.is_lease())
    }

    pub(super) fn last_write(&self) -> String {
        let last = self.writes().max_by_key(|write| write.answered_at);
        last.map_or_else(String::new, |write| {
            let body = String::from_utf8_lossy(&write.call.body).into_owned();
            format!("{} {} {body}", write.call.method, write.call.path)
        })
    }

    pub(super) async fn quiet(&self) -> Result<(), String> {
        let before = self.count().writes;
        tokio::time::sleep(QUIET).await;
        match self.count().writes - before {
            0 => Ok(()),
            more => Err(format!("{more} writes in {QUIET:?}")),
        }
    }

    /// When the API server had taken the news that `phase` has begun, by the sale's number: a status that
    /// says so, or a later one where that never came; for `PreScaling` its deed, the workload.
    pub(super) fn boundaries(&self, sales: &[Planned], phase: &str) -> HashMap<usize, Millis> {
        let numbers: HashMap<&str, usize> = sales
            .iter()
            .enumerate()
            .map(|(number, sale)| (sale.name.as_str(), number))
            .collect();
        let is_news = |write: &Write| match phase {
            "PreScaling" => write.call.path.contains("/deployments/"),
            _ => write.call.path.ends_with("/status") && has_begun(&write.call.body, phase),
        };
        let mut first = HashMap::new();
        for write in self.cluster.writes().iter().filter(|write| is_news(write)) {
            let named = write.call.path.trim_end_matches("/status").rsplit('/').next();
            let number = named.and_then(|name| numbers.get(name));
            let at = write
                .answered_at
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let taken = write.status.is_some_and(|status| status.is_success());
            if let (Some(number), Some(at), true) = (number, at, taken) {
                let at = Millis(i64::try_from(at.as_millis()).unwrap_or(i64::MAX));
                first.entry(*number).or_insert(at);
            }
        }
        first
    }

    /// The 99th percentile of all boundaries of all sales, in milliseconds.
    pub(super) fn lateness_ms_p99(&self, sales: &[Planned]) -> anyhow::Result<f64> {
        let mut late_ms = Vec::new();
        for phase in ["PreScaling", "PreQueue", "Open"] {
            let reached = self.boundaries(sales, phase);
            ensure!(
                reached.len() == sales.len(),
                "{} sales were seen in {phase}",
                reached.len()
            );
            let mut of_phase: Vec<i64> = reached
                .iter()
                .filter_map(|(number, at)| Some(at.since(sales.get(*number)?.begins(phase)?)))
                .collect();
            of_phase.sort_unstable();
            let at = |percent: usize| of_phase.get(of_phase.len() * percent / 100).copied();
            tracing::info!(phase, p50 = ?at(50), p99 = ?at(99), most = ?of_phase.last(), "lateness in ms");
            late_ms.extend(of_phase);
        }
        late_ms.sort_unstable();
        let p99 = late_ms.get(late_ms.len() * 99 / 100).context("no boundaries")?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
        Ok(*p99 as f64)
    }
}

/// Counts a call by its method and path, without names.
fn note(kinds: &Kinds, call: &Call) {
    let mut kind: Vec<&str> = call.path.split('/').filter(|part| !part.is_empty()).collect();
    // /apis/GROUP/VERSION/namespaces/NAME/RESOURCE[/NAME[/status]], /control/v1/sales[/ID[/WHAT]]
    let named = if kind.first() == Some(&"control") { 3 } else { 6 };
    if kind.len() > named {
        kind.remove(named);
    }
    let path = kind.get(named - 1..).unwrap_or(&kind).join("/");
    let mut kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
    *kinds.entry(format!("{} {path}", call.method)).or_default() += 1;
}

/// Whether a status says that `phase` has begun.
fn has_begun(body: &[u8], phase: &str) -> bool {
    let order = |phase: &str| {
        ["Scheduled", "PreScaling", "PreQueue", "Open"]
            .iter()
            .position(|name| *name == phase)
    };
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let shown = document.pointer("/status/phase").and_then(Value::as_str);
    shown.and_then(order) >= order(phase)
}
