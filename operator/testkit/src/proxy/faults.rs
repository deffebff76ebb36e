//! What shall go wrong, and the record of what was written.

use super::call::{Call, Counting, Write};
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// What to do to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller dies before its write arrives: everything goes dark.
    CrashBefore,
    /// The caller dies before it hears the answer to a write that was carried out.
    CrashAfter,
    /// The connection breaks before the call arrives.
    Cut,
    /// It is carried out, and the connection breaks before the answer.
    DropAnswer,
    /// It is answered with this status and not carried out.
    Refuse(StatusCode),
    /// It is carried out after this.
    Delay(Duration),
}

/// A watch event as it comes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: String,
    /// Kind of the object.
    pub object_kind: String,
    /// Name of the object.
    pub name: String,
}

/// What to do to a watch event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFault {
    /// It never arrives.
    Drop,
    /// It, and all that follow in its watch, arrive this much later.
    Delay(Duration),
    /// The watch ends before it.
    Cut,
}

type CallRule = Box<dyn Fn(&Call) -> Option<Fault> + Send>;
type WatchRule = Box<dyn Fn(&WatchEvent) -> Option<WatchFault> + Send>;

/// The plan of faults and the record of writes, shared by proxies and test. Cheap to clone.
#[derive(Clone)]
pub struct Faults {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// The number of the write at which everything went dark.
    dark: watch::Sender<Option<u64>>,
}

#[derive(Default)]
struct State {
    counting: Counting,
    at_write: BTreeMap<u64, Fault>,
    call_rule: Option<CallRule>,
    watch_rule: Option<WatchRule>,
    writes: Vec<Write>,
    calls: u64,
    reads: Reads,
}

#[derive(Default)]
enum Reads {
    #[default]
    Fresh,
    Recording(BTreeMap<String, Recorded>),
    Stale(BTreeMap<String, Recorded>),
}

/// An answer from the past.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// What the relay shall do with a call.
pub(super) struct Verdict {
    pub(super) fault: Option<Fault>,
    pub(super) number: Option<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new(Counting::default())
    }
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn new(counting: Counting) -> Self {
        let state = State {
            counting,
            ..State::default()
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                dark: watch::Sender::new(None),
            }),
        }
    }

    /// Makes write number `number` (from 1) go wrong.
    pub fn at_write(&self, number: u64, fault: Fault) {
        self.state().at_write.insert(number, fault);
    }

    /// Asks `rule` about every call that no numbered fault concerns; it replaces an earlier rule.
    pub fn for_calls(&self, rule: impl Fn(&Call) -> Option<Fault> + Send + 'static) {
        self.state().call_rule = Some(Box::new(rule));
    }

    /// Asks `rule` about every watch event; it replaces an earlier rule.
    pub fn for_watch_events(&self, rule: impl Fn(&WatchEvent) -> Option<WatchFault> + Send + 'static) {
        self.state().watch_rule = Some(Box::new(rule));
    }

    /// Forgets all faults that are still to come.
    pub fn heal(&self) {
        let mut state = self.state();
        state.at_write.clear();
        state.call_rule = None;
        state.watch_rule = None;
        state.reads = Reads::Fresh;
    }

    /// Remembers the answers to reads from now on, for [`Faults::go_stale`].
    pub fn record_reads(&self) {
        self.state().reads = Reads::Recording(BTreeMap::new());
    }

    /// Serves reads from what was recorded: an API server that lags behind. What was never read
    /// before is read fresh.
    pub fn go_stale(&self) {
        let mut state = self.state();
        if let Reads::Recording(recorded) = std::mem::take(&mut state.reads) {
            state.reads = Reads::Stale(recorded);
        }
    }

    /// The writes so far, in the order of their numbers.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// How many writes there were.
    #[must_use]
    pub fn write_count(&self) -> usize {
        self.state().writes.len()
    }

    /// How many calls of any kind there were.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.state().calls
    }

    /// Waits for the crash point and returns the number of its write: now end the caller.
    pub async fn crashed(&self) -> u64 {
        let mut dark = self.inner.dark.subscribe();
        let number = dark
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|number| *number);
        // Always some: the sender lives as long as `self`.
        number.unwrap_or_default()
    }

    /// Whether everything is dark.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        self.inner.dark.borrow().is_some()
    }

    /// After a crash: the next caller is served again, and numbering goes on.
    pub fn revive(&self) {
        self.inner.dark.send_replace(None);
    }

    pub(super) fn judge(&self, call: &Call) -> Verdict {
        let mut state = self.state();
        state.calls += 1;
        let deliberate = !(call.is_lease() || call.is_event());
        let counted = call.writes() && (deliberate || state.counting == Counting::Everything);
        let number = counted.then(|| {
            let number = state.writes.len() as u64 + 1;
            state.writes.push(Write {
                number,
                call: call.clone(),
                status: None,
                answered_at: None,
            });
            number
        });
        let fault = number
            .and_then(|number| state.at_write.remove(&number))
            .or_else(|| state.call_rule.as_ref().and_then(|rule| rule(call)));
        if fault == Some(Fault::CrashBefore) {
            self.inner.dark.send_replace(Some(number.unwrap_or_default()));
        }
        Verdict { fault, number }
    }

    pub(super) fn go_dark(&self, number: Option<u64>) {
        self.inner.dark.send_replace(Some(number.unwrap_or_default()));
    }

    /// Ends when everything is dark.
    pub(super) async fn darkness(&self) {
        self.crashed().await;
    }

    pub(super) fn answered(&self, number: Option<u64>, status: StatusCode) {
        let Some(number) = number else { return };
        if let Some(write) = self
            .state()
            .writes
            .iter_mut()
            .rev()
            .find(|write| write.number == number)
        {
            write.status = Some(status);
            write.answered_at = Some(SystemTime::now());
        }
    }

    pub(super) fn watch_fault(&self, event: &WatchEvent) -> Option<WatchFault> {
        self.state().watch_rule.as_ref().and_then(|rule| rule(event))
    }

    /// Whether answers to reads are wanted for later.
    pub(super) fn records(&self) -> bool {
        matches!(self.state().reads, Reads::Recording(_))
    }

    pub(super) fn record(&self, call: &Call, answer: Recorded) {
        if let Reads::Recording(recorded) = &mut self.state().reads {
            recorded.insert(key(call), answer);
        }
    }

    pub(super) fn stale_answer(&self, call: &Call) -> Option<Recorded> {
        match &self.state().reads {
            Reads::Stale(recorded) if call.method == Method::GET && !call.is_watch() => {
                recorded.get(&key(call)).cloned()
            }
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(call: &Call) -> String {
    format!("{}?{}", call.path, call.query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, path: &str, query: &str) -> Call {
        Call {
            method,
            path: path.into(),
            query: query.into(),
            body: Vec::new(),
        }
    }

    #[test]
    fn only_deliberate_writes_are_numbered() {
        let faults = Faults::default();
        for ignored in [
            call(Method::GET, "/api/v1/pods", ""),
            call(
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/x/leases/l",
                "",
            ),
            call(Method::POST, "/apis/events.k8s.io/v1/namespaces/x/events", ""),
            call(
                Method::POST,
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                "",
            ),
            call(
                Method::PATCH,
                "/apis/apps/v1/namespaces/x/deployments/d",
                "dryRun=All",
            ),
        ] {
            assert_eq!(faults.judge(&ignored).number, None, "{ignored:?}");
        }
        let write = call(
            Method::PATCH,
            "/apis/apps/v1/namespaces/x/deployments/d",
            "force=true",
        );
        faults.at_write(2, Fault::CrashBefore);
        assert_eq!(faults.judge(&write).fault, None);
        let second = faults.judge(&write);
        assert_eq!((second.number, second.fault), (Some(2), Some(Fault::CrashBefore)));
        assert!(faults.is_dark());
        faults.revive();
        assert_eq!(faults.judge(&write).number, Some(3), "numbering goes on");
        assert_eq!((faults.write_count(), faults.call_count()), (3, 8));
    }

    #[test]
    fn a_rule_is_asked_where_no_number_is_due() {
        let faults = Faults::default();
        faults.for_calls(|call| call.is_lease().then_some(Fault::Cut));
        let lease = call(
            Method::GET,
            "/apis/coordination.k8s.io/v1/namespaces/x/leases/l",
            "",
        );
        assert_eq!(faults.judge(&lease).fault, Some(Fault::Cut));
        faults.heal();
        assert_eq!(faults.judge(&lease).fault, None);
    }
}
