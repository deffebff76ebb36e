//! The control plane's snapshots: onto the board and, with what only the drill sees (the visitors'
//! side, its own deeds), into the run's recording.

use super::witness::Witness;
use crate::{
    control::{ControlClient, Received, follow},
    picture::{Board, Feed},
    recording::Recorder,
};
use anyhow::Context as _;
use std::path::PathBuf;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use urr_core::snapshot::{EventLine, Snapshot};

/// Snapshots on their way to the board; it takes them at once.
const IN_FLIGHT: usize = 8;

/// Follows the sale until `stop`; the handle ends when the recording is complete.
pub(super) fn start(
    control: ControlClient,
    board: Board,
    witness: Witness,
    recordings: &[PathBuf],
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let files = recordings
        .iter()
        .map(|path| {
            Recorder::create(path).with_context(|| format!("creating the recording {}", path.display()))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (to, received) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(follow(control, to, stop));
    Ok(tokio::spawn(take(received, board, witness, files)))
}

async fn take(
    mut received: mpsc::Receiver<Received>,
    board: Board,
    witness: Witness,
    mut files: Vec<Recorder>,
) {
    while let Some(news) = received.recv().await {
        match news {
            Received::Lost(why) => board.feed(Feed::Lost(why)),
            Received::Snapshot(snapshot) => {
                let (seen, notes) = with_visitors(&snapshot, &board);
                files.retain_mut(|file| match file.write(&seen, &notes) {
                    Ok(()) => true,
                    Err(error) => {
                        // A full disk costs the recording, not the drill.
                        tracing::error!(%error, "the recording ends here");
                        false
                    }
                });
                witness.snapshot(&snapshot);
                board.snapshot(*snapshot);
            }
        }
    }
}

/// The snapshot as this screen shows it: with the visitors' side, and the drill's own deeds.
fn with_visitors(snapshot: &Snapshot, board: &Board) -> (Snapshot, Vec<EventLine>) {
    let picture = board.now_showing();
    let seen = Snapshot {
        crowd: picture.load.as_deref().cloned(),
        ..snapshot.clone()
    };
    (seen, picture.notes.into_iter().collect())
}
