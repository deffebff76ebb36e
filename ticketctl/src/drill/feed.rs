//! The control plane's snapshots: onto the board and, one JSON document a line, into the run's
//! recording.

use super::witness::Witness;
use crate::{
    control::{ControlClient, Received, follow},
    picture::{Board, Feed},
};
use anyhow::Context as _;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use urr_core::snapshot::Snapshot;

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
            File::create(path)
                .map(BufWriter::new)
                .with_context(|| format!("creating the recording {}", path.display()))
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
    mut files: Vec<BufWriter<File>>,
) {
    while let Some(news) = received.recv().await {
        match news {
            Received::Lost(why) => board.feed(Feed::Lost(why)),
            Received::Snapshot(snapshot) => {
                files.retain_mut(|file| match write(file, &snapshot) {
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
    for mut file in files {
        if let Err(error) = file.flush() {
            tracing::error!(%error, "the end of the recording is missing");
        }
    }
}

fn write(file: &mut BufWriter<File>, snapshot: &Snapshot) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, snapshot)?;
    file.write_all(b"\n")
}
