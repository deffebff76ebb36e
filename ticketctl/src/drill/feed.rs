//! The control plane's snapshots: onto the board and, with what only the drill sees (the visitors'
//! side, its own deeds), into the run's recording. Of several sales each has a recording of its own,
//! and board and run's recording show all of them as one.

use super::{stand::Stand, together, witness::Witness};
use crate::{
    control::{ControlClient, Received, follow},
    picture::{Board, Feed},
    recording::Recorder,
};
use anyhow::Context as _;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use urr_core::{
    crowd::CrowdView,
    snapshot::{EventLine, Snapshot},
};

/// Snapshots on their way to the board, of each sale; it takes them at once.
const IN_FLIGHT: usize = 8;

/// One sale as the feed knows it.
struct Followed {
    name: String,
    /// The visitors' side as it was last shown.
    crowd: Arc<Mutex<CrowdView>>,
    witness: Witness,
    /// Its own recording, where it is one of several.
    own: Vec<Recorder>,
    newest: Option<Snapshot>,
}

/// Follows the sales until `stop`; the handle ends when the recordings are complete. `witness` sees all
/// of them as one: the same as the only sale's.
pub(super) fn start(
    title: &str,
    stands: &[Stand],
    board: &Board,
    witness: &Witness,
    recordings: &[PathBuf],
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let create = |path: &PathBuf| {
        Recorder::create(path).with_context(|| format!("creating the recording {}", path.display()))
    };
    let files = recordings
        .iter()
        .map(create)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (to, received) = mpsc::channel(IN_FLIGHT * stands.len());
    let mut sales = Vec::with_capacity(stands.len());
    for (nth, stand) in stands.iter().enumerate() {
        let own = match stands.len() {
            1 => Vec::new(),
            _ => vec![create(&stand.dir.join("snapshots.ndjson"))?],
        };
        sales.push(Followed {
            name: stand.scenario.name.clone(),
            crowd: Arc::clone(&stand.shown),
            witness: stand.witness.clone(),
            own,
            newest: None,
        });
        tokio::spawn(one(nth, stand.control.clone(), to.clone(), stop.child_token()));
    }
    let all = All {
        title: title.to_owned(),
        sales,
        board: board.clone(),
        witness: witness.clone(),
        files,
    };
    Ok(tokio::spawn(all.take(received)))
}

/// Follows sale number `nth`, and says whose every snapshot is.
async fn one(
    nth: usize,
    control: ControlClient,
    all: mpsc::Sender<(usize, Received)>,
    stop: CancellationToken,
) {
    let (to, mut received) = mpsc::channel(IN_FLIGHT);
    let following = tokio::spawn(follow(control, to, stop));
    while let Some(news) = received.recv().await {
        if all.send((nth, news)).await.is_err() {
            break;
        }
    }
    // It ended with its stream; a panic in it costs the recording's end, nothing more.
    let _ = following.await;
}

/// Everything that takes snapshots.
struct All {
    title: String,
    sales: Vec<Followed>,
    board: Board,
    witness: Witness,
    files: Vec<Recorder>,
}

impl All {
    async fn take(mut self, mut received: mpsc::Receiver<(usize, Received)>) {
        while let Some((nth, news)) = received.recv().await {
            match news {
                Received::Lost(why) => self.board.feed(Feed::Lost(why)),
                Received::Snapshot(snapshot) => self.snapshot(nth, *snapshot),
            }
        }
    }

    fn snapshot(&mut self, nth: usize, snapshot: Snapshot) {
        let notes: Vec<EventLine> = self.board.now_showing().notes.into_iter().collect();
        let several = self.sales.len() > 1;
        let Some(sale) = self.sales.get_mut(nth) else {
            return;
        };
        if several {
            let crowd = sale.crowd.lock().unwrap_or_else(PoisonError::into_inner).clone();
            record(&mut sale.own, &with_visitors(&snapshot, Some(crowd)), &notes);
            sale.witness.snapshot(&snapshot);
        }
        sale.newest = Some(snapshot);
        // All are asked equally often, so the first one's rhythm is that of all.
        if nth > 0 {
            return;
        }
        let newest: Vec<(&str, &Snapshot)> = self
            .sales
            .iter()
            .filter_map(|sale| Some((sale.name.as_str(), sale.newest.as_ref()?)))
            .collect();
        if newest.len() < self.sales.len() {
            return;
        }
        let Some(shown) = together::snapshot(&self.title, &newest) else {
            return;
        };
        let crowd = self.board.now_showing().load.as_deref().cloned();
        record(&mut self.files, &with_visitors(&shown, crowd), &notes);
        self.witness.snapshot(&shown);
        self.board.snapshot(shown);
    }
}

fn record(files: &mut Vec<Recorder>, seen: &Snapshot, notes: &[EventLine]) {
    files.retain_mut(|file| match file.write(seen, notes) {
        Ok(()) => true,
        Err(error) => {
            // A full disk costs the recording, not the drill.
            tracing::error!(%error, "the recording ends here");
            false
        }
    });
}

/// The snapshot as this screen shows it: with the visitors' side.
fn with_visitors(snapshot: &Snapshot, crowd: Option<CrowdView>) -> Snapshot {
    Snapshot {
        crowd,
        ..snapshot.clone()
    }
}
