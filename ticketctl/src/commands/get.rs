//! `ticketctl get`: sales in a list.

use super::{Done, document, print, say};
use crate::{
    cli::Globals,
    exit::Exit,
    failure::Failure,
    output::{Cell, Format, Listing, Table},
    place::{self, Place},
    plain,
    text::instant,
};
use serde_json::{Value, json};
use std::time::Duration;
use urr_controlplane::http::SaleState;

/// Sales are looked at this often while watching.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which sales.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Names or ids; all sales without any.
    pub(crate) sales: Vec<String>,
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// Lists, or lists for ever.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let place = place::find(&globals).await?;
    let mut shown: Vec<Row> = Vec::new();
    let mut first = true;
    loop {
        let rows = rows(&place, &args.sales).await?;
        if !args.listing.watch {
            one_document(&args, &rows)?;
            return Ok(Exit::Ok);
        }
        let changed: Vec<Row> = rows.iter().filter(|row| !shown.contains(row)).cloned().collect();
        lines(&args, &changed, first)?;
        first = false;
        shown = rows;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A sale as a list shows it, with the document it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) cells: Vec<Cell>,
    pub(crate) document: Value,
}

/// Names of all sales of the place that is meant.
pub(crate) async fn names(globals: &Globals) -> Result<Vec<String>, Failure> {
    let place = place::find(globals).await?;
    Ok(rows(&place, &[]).await?.into_iter().map(|row| row.name).collect())
}

async fn rows(place: &Place, wanted: &[String]) -> Result<Vec<Row>, Failure> {
    match place {
        Place::Control(api, _) => {
            if wanted.is_empty() {
                let sales = api.list().await.map_err(|error| place::refused(&error))?;
                return sales.iter().map(row).collect();
            }
            let mut rows = Vec::with_capacity(wanted.len());
            for name in wanted {
                rows.push(row(&place::resolve(api, Some(name)).await?)?);
            }
            Ok(rows)
        }
        #[cfg(feature = "cluster")]
        Place::Cluster(cluster) => cluster.rows(wanted).await,
    }
}

fn row(state: &SaleState) -> Result<Row, Failure> {
    let sale = &state.sale;
    let rate = state.hand.rate_per_s.unwrap_or(sale.admission.rate_per_s);
    let cap = state.hand.cap.unwrap_or(sale.admission.cap);
    let wanted = state.plan.as_ref().map(|plan| plan.replicas);
    Ok(Row {
        name: sale.name.clone(),
        cells: vec![
            sale.name.clone().into(),
            state.phase.map_or("?", plain::word).into(),
            instant(sale.schedule.opens_at).into(),
            Cell::Number(format!("{}/s", crate::text::grouped(u64::from(rate)))),
            cap.into(),
            u64::from(sale.seats).into(),
            if state.problems.is_empty() {
                "in place".into()
            } else {
                format!("{} not in place", state.problems.len()).into()
            },
            sale.id.to_string().into(),
            state.ready_replicas.into(),
            wanted.into(),
            state.revision.into(),
        ],
        document: document(state)?,
    })
}

pub(crate) fn table() -> Table {
    Table::new(
        &["NAME", "PHASE", "OPENS", "RATE", "CAP", "SEATS", "RECORDS"],
        &["ID", "READY", "WANTED", "REVISION"],
    )
}

fn one_document(args: &Args, rows: &[Row]) -> Result<(), Failure> {
    let items: Vec<Value> = rows.iter().map(|row| row.document.clone()).collect();
    let whole = match items.as_slice() {
        [one] if args.sales.len() == 1 => one.clone(),
        _ => json!({"apiVersion": "urr.io/v1", "kind": "SaleList", "items": items}),
    };
    match args.listing.output.document(&whole)? {
        Some(text) => say(&text),
        None if args.listing.output == Format::Name => rows.iter().for_each(|row| say(&row.name)),
        None if rows.is_empty() => super::complain("no sales"),
        None => print(&text(
            rows,
            args.listing.output == Format::Wide,
            !args.listing.no_headers,
        )),
    }
    Ok(())
}

/// Watched: documents a line each, so that a program can read them as they come.
fn lines(args: &Args, rows: &[Row], first: bool) -> Result<(), Failure> {
    match &args.listing.output {
        Format::Table | Format::Wide => {
            print(&text(
                rows,
                args.listing.output == Format::Wide,
                first && !args.listing.no_headers,
            ));
        }
        Format::Name => rows.iter().for_each(|row| say(&row.name)),
        Format::Json => rows.iter().for_each(|row| say(&row.document.to_string())),
        other => {
            for row in rows {
                if let Some(text) = other.document(&row.document)? {
                    say(&text);
                }
            }
        }
    }
    Ok(())
}

fn text(rows: &[Row], wide: bool, headings: bool) -> String {
    let mut table = table();
    for row in rows {
        table.row(row.cells.clone());
    }
    table.render(wide, headings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::state;

    #[test]
    fn a_list_is_a_table_for_people() {
        let rows = [row(&state(0xa, "Club night")).unwrap()];
        insta::assert_snapshot!(text(&rows, true, true));
    }
}
