//! `ticketctl describe`: everything about a sale on one page.

use super::{Done, document, show};
use crate::{
    cli::Globals,
    exit::Exit,
    output::Format,
    place::{self, Place},
    plain,
    text::{countdown, duration_s, grouped, instant, log_time},
};
use serde_json::json;
use std::fmt::Write as _;
use urr_controlplane::{http::SaleState, store::AuditEntry};
use urr_core::{sale::AdmissionSettings, snapshot::Snapshot};

/// Which sale.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name or id; without one the only sale there is.
    pub(crate) sale: Option<String>,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Describes.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let api = match place::find(&globals).await? {
        Place::Control(api, _) => api,
        #[cfg(feature = "cluster")]
        Place::Cluster(cluster) => {
            let (json, text) = cluster.describe(args.sale.as_deref()).await?;
            show(&args.output, &json, || text)?;
            return Ok(Exit::Ok);
        }
    };
    let state = place::resolve(&api, args.sale.as_deref()).await?;
    let id = state.sale.id;
    let (snapshot, log) =
        tokio::try_join!(api.snapshot(id), api.audit(id)).map_err(|error| place::refused(&error))?;
    let json = json!({
        "apiVersion": "urr.io/v1",
        "kind": "SaleDescription",
        "state": document(&state)?,
        "snapshot": document(&snapshot)?,
        "audit": document(&log.entries)?,
    });
    show(&args.output, &json, || tell(&state, &snapshot, &log.entries))?;
    Ok(Exit::Ok)
}

fn tell(state: &SaleState, snapshot: &Snapshot, log: &[AuditEntry]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, state, snapshot, log);
    out
}

fn write(out: &mut String, state: &SaleState, snapshot: &Snapshot, log: &[AuditEntry]) -> std::fmt::Result {
    let sale = &state.sale;
    let (schedule, admission, capacity) = (&sale.schedule, &sale.admission, &sale.capacity);
    writeln!(out, "Name        {}", sale.name)?;
    writeln!(out, "Id          {}", sale.id)?;
    writeln!(
        out,
        "Phase       {}  {}",
        plain::word(snapshot.phase),
        countdown(snapshot.at, schedule.opens_at)
    )?;
    writeln!(out, "Pre-queue   {}", instant(schedule.pre_queue_at))?;
    writeln!(out, "Opens       {}", instant(schedule.opens_at))?;
    writeln!(out, "Closes      {}", instant(schedule.closes_at))?;
    writeln!(
        out,
        "Expected    {} people for {} seats",
        grouped(sale.expected_visitors),
        grouped(u64::from(sale.seats))
    )?;
    writeln!(
        out,
        "Admission   {}/s{}, at most {} inside, burst {}{}",
        grouped(u64::from(admission.rate_per_s)),
        adaptive(admission),
        grouped(u64::from(admission.cap)),
        grouped(u64::from(admission.burst)),
        by_hand(state)
    )?;
    writeln!(
        out,
        "Capacity    {} replicas of {}/s, {} ready",
        capacity.replicas,
        capacity.rate_per_replica,
        state
            .ready_replicas
            .map_or_else(|| "an unknown number".to_owned(), |n| n.to_string())
    )?;
    writeln!(out)?;
    figures(out, snapshot)?;
    if let Some(plan) = &state.plan {
        for reason in &plan.reasons {
            writeln!(out, "Because     {reason}")?;
        }
        if let Some(at) = plan.next_transition_at {
            writeln!(out, "Next        {}", instant(at))?;
        }
    }
    for problem in state.problems.iter().chain(&snapshot.warnings) {
        writeln!(out, "!           {problem}")?;
    }
    writeln!(out, "\nAudit log")?;
    for entry in log {
        let line = entry.to_line();
        writeln!(
            out,
            "  {}  {}: {}",
            log_time(line.at, schedule.opens_at),
            line.actor,
            line.text
        )?;
    }
    Ok(())
}

/// Between what the rate moves, if it follows the services.
fn adaptive(admission: &AdmissionSettings) -> String {
    let Some(bounds) = &admission.adaptive else {
        return String::new();
    };
    format!(
        " at first, then as the services bear it ({} to {}/s)",
        grouped(u64::from(bounds.min_rate_per_s)),
        grouped(u64::from(bounds.max_rate_per_s))
    )
}

fn by_hand(state: &SaleState) -> String {
    let hand = &state.hand;
    let mut parts = Vec::new();
    if hand.paused {
        parts.push("held".to_owned());
    }
    parts.extend(
        hand.rate_per_s
            .map(|rate| format!("{}/s", grouped(u64::from(rate)))),
    );
    parts.extend(hand.cap.map(|cap| format!("cap {}", grouped(u64::from(cap)))));
    if parts.is_empty() {
        String::new()
    } else {
        format!("; by hand: {}", parts.join(", "))
    }
}

fn figures(out: &mut String, snapshot: &Snapshot) -> std::fmt::Result {
    if let Some(room) = &snapshot.room {
        let drain = room.drain_s.map_or_else(
            || "the line stands".to_owned(),
            |s| format!("{} to the last", duration_s(s)),
        );
        writeln!(
            out,
            "Line        {} came, {} served, {drain}",
            grouped(room.issued),
            grouped(room.serving)
        )?;
    }
    if let Some(queue) = &snapshot.queue {
        writeln!(
            out,
            "Inside      {} of {}, {} at the door, {} let in so far",
            grouped(queue.active),
            grouped(u64::from(queue.cap)),
            grouped(queue.waiting),
            grouped(queue.admitted_total)
        )?;
    }
    if let Some(seats) = &snapshot.seats {
        writeln!(
            out,
            "Seats       {} sold, {} held, {} free of {}",
            grouped(seats.sold),
            grouped(seats.held),
            grouped(seats.free),
            grouped(seats.capacity)
        )?;
    }
    Ok(())
}
