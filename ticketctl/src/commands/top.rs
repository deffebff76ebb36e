//! `ticketctl top`: the busiest figures of every sale.

use super::{Done, complain, document, print, say};
use crate::{
    cli::Globals,
    exit::Exit,
    failure::Failure,
    output::{Cell, Format, Listing, Table},
    place, plain,
    text::{countdown, duration_s, percent},
};
use futures::future::try_join_all;
use serde_json::json;
use std::time::Duration;
use urr_core::snapshot::Snapshot;

/// Which sales.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name or id; all sales without one.
    pub(crate) sale: Option<String>,
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// Shows the figures, or shows them for ever.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let (api, _) = place::control(&globals).await?;
    let mut headings = !args.listing.no_headers;
    loop {
        let ids = match &args.sale {
            Some(name) => vec![place::resolve(&api, Some(name)).await?.sale.id],
            None => {
                let sales = api.list().await.map_err(|error| place::refused(&error))?;
                sales.into_iter().map(|state| state.sale.id).collect()
            }
        };
        let asked = ids.into_iter().map(|id| api.snapshot(id));
        let snapshots = try_join_all(asked)
            .await
            .map_err(|error| place::refused(&error))?;
        write(&args, &snapshots, headings)?;
        if !args.listing.watch {
            return Ok(Exit::Ok);
        }
        headings = false;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn write(args: &Args, snapshots: &[Snapshot], headings: bool) -> Result<(), Failure> {
    let items = document(&snapshots)?;
    let whole = json!({"apiVersion": "urr.io/v1", "kind": "SnapshotList", "items": items});
    if args.listing.watch && args.listing.output == Format::Json {
        say(&whole.to_string());
        return Ok(());
    }
    match args.listing.output.document(&whole)? {
        Some(text) => say(&text),
        None if args.listing.output == Format::Name => snapshots.iter().for_each(|sale| say(&sale.name)),
        None if snapshots.is_empty() => complain("no sales"),
        None => print(&table(snapshots).render(args.listing.output == Format::Wide, headings)),
    }
    Ok(())
}

fn table(snapshots: &[Snapshot]) -> Table {
    let mut table = Table::new(
        &[
            "NAME", "T", "PHASE", "WAITING", "RATE", "INSIDE", "CAP", "SOLD", "%",
        ],
        &["LET IN", "HELD", "FREE", "TO THE LAST", "WARNINGS"],
    );
    for snapshot in snapshots {
        let (room, queue, seats) = (&snapshot.room, &snapshot.queue, &snapshot.seats);
        let waiting = crate::tui::steer::waiting(snapshot);
        let sold = seats.as_ref().map(|seats| seats.sold);
        let share = seats
            .as_ref()
            .and_then(|seats| percent(seats.sold, seats.capacity));
        table.row(vec![
            snapshot.name.clone().into(),
            countdown(snapshot.at, snapshot.opens_at).into(),
            plain::word(snapshot.phase).into(),
            waiting.into(),
            room.as_ref()
                .map(|room| Cell::Number(format!("{}/s", room.rate_per_s)))
                .into(),
            queue.as_ref().map(|queue| queue.active).into(),
            queue.as_ref().map(|queue| queue.cap).into(),
            sold.into(),
            share.into(),
            queue.as_ref().map(|queue| queue.admitted_total).into(),
            seats.as_ref().map(|seats| seats.held).into(),
            seats.as_ref().map(|seats| seats.free).into(),
            room.as_ref()
                .and_then(|room| room.drain_s)
                .map(|s| Cell::Number(duration_s(s)))
                .into(),
            (snapshot.warnings.len() as u64).into(),
        ]);
    }
    table
}
