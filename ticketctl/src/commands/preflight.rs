//! `ticketctl preflight`: everything that must be true before a sale opens, as a list with
//! remedies.
//!
//! Two sides: what the control plane says of itself (always), and what can be seen from here with
//! the variables the services themselves are given: the engines, the secrets, and a token that goes
//! through the whole system.

mod engines;
mod tokens;

use super::{Done, document, show};
use crate::{
    checks::{Check, table},
    cli::Globals,
    control::Api,
    exit::Exit,
    failure::Failure,
    output::Format,
    place,
    running::Running,
    text::{age, grouped, instant},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Instant};
use urr_controlplane::http::SaleState;
use urr_core::{
    capacity::bearable_rate_per_s,
    sale::{Ordering, Phase},
    snapshot::Snapshot,
    time::Millis,
};
use urr_kit::clock::SystemClock;

/// Clocks further apart than this break the promise of law on-time (250 ms) on their own.
const CLOCKS_APART_MS: i64 = 100;

/// Which sale.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Engines, secrets and tokens are looked at with the variables that the services are given: of the
running drill they are known, elsewhere give --env-file with lines NAME=VALUE (or run it with them
in the environment).")]
pub(crate) struct Args {
    /// Its name or id; without one the only sale there is.
    pub(crate) sale: Option<String>,
    /// File with the services' variables, a line each.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<std::path::PathBuf>,
    /// Root of the public entry [default: the running drill's].
    #[arg(long, value_name = "URL")]
    pub(crate) public: Option<String>,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Looks at everything; exits with 4 when something is not as it must be.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let (api, drill) = place::control(&globals).await?;
    let state = place::resolve(&api, args.sale.as_deref()).await?;
    let mut checks = of_control(&api, &state).await?;
    let variables = variables(&args, drill.as_deref())?;
    checks.extend(engines::look(&variables, &state.sale).await);
    let public = args
        .public
        .clone()
        .or_else(|| drill.map(|drill| drill.public_url.clone()));
    checks.extend(tokens::look(&variables, public.as_deref(), &state.sale).await);
    let ready = checks.iter().all(|check| !check.failed());
    let json = json!({
        "apiVersion": "urr.io/v1", "kind": "Preflight", "sale": state.sale.id,
        "ready": ready, "checks": document(&checks)?,
    });
    show(&args.output, &json, || {
        let verdict = if ready { "ready" } else { "NOT READY" };
        format!(
            "{}: {verdict}\n\n{}",
            state.sale.name,
            table(&checks, globals.color.on_stdout())
        )
    })?;
    Ok(if ready { Exit::Ok } else { Exit::Conflict })
}

/// The variables the services are given.
fn variables(args: &Args, drill: Option<&Running>) -> Result<BTreeMap<String, String>, Failure> {
    if let Some(file) = &args.env_file {
        let text = crate::source::text_of(file)?;
        let pairs = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        return Ok(pairs
            .filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
            .collect());
    }
    Ok(match drill {
        Some(drill) => drill.env.clone(),
        None => std::env::vars().collect(),
    })
}

/// What the control plane says.
async fn of_control(api: &Api, state: &SaleState) -> Result<Vec<Check>, Failure> {
    let asked = Instant::now();
    let snapshot = api
        .snapshot(state.sale.id)
        .await
        .map_err(|error| place::refused(&error))?;
    let took = asked.elapsed();
    let now = SystemClock::shared().now();
    let mut checks = vec![Check::pass(
        "control plane",
        format!("answers in {} ms ({})", took.as_millis(), api.shown),
    )];
    let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(0);
    let apart_ms = now.since(snapshot.at) - half_ms;
    checks.push(Check::that(
        apart_ms.abs() <= CLOCKS_APART_MS + half_ms,
        "clock of the control plane",
        format!("{} from ours", age(apart_ms.abs())),
        "let NTP keep both clocks",
    ));
    checks.extend(schedule(state, now));
    checks.extend(records(state, &snapshot));
    checks.extend(capacity(state));
    checks.extend(seats(state, &snapshot));
    Ok(checks)
}

fn schedule(state: &SaleState, now: Millis) -> Vec<Check> {
    let sale = &state.sale;
    let schedule = &sale.schedule;
    let sound = match sale.validate() {
        Ok(()) => Check::pass("terms", "every figure is possible"),
        Err(problems) => Check::fail(
            "terms",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
            "apply them anew: ticketctl apply -f FILE",
        ),
    };
    let ahead = if now < schedule.opens_at {
        Check::pass(
            "schedule",
            format!(
                "opens {}, in {}",
                instant(schedule.opens_at),
                age(schedule.opens_at.since(now))
            ),
        )
    } else if now < schedule.closes_at {
        Check::warn(
            "schedule",
            "has opened already",
            "this list is for before: watch it with `ticketctl watch`",
        )
    } else {
        Check::fail(
            "schedule",
            format!("closed {}", instant(schedule.closes_at)),
            "announce a new sale",
        )
    };
    vec![sound, ahead]
}

fn records(state: &SaleState, snapshot: &Snapshot) -> Vec<Check> {
    let remedy = "look at `ticketctl describe` and the control plane's log; it tries again every second";
    let mut checks = vec![Check::that(
        state.problems.is_empty() && state.phase.is_some(),
        "records in place",
        if state.problems.is_empty() {
            "room and limits are as planned".to_owned()
        } else {
            state.problems.join("; ")
        },
        remedy,
    )];
    checks.push(match &snapshot.room {
        None => Check::fail("waiting room", "its record could not be read", remedy),
        Some(room) => Check::that(
            room.rate_per_s > 0 || snapshot.phase != Phase::Open,
            "waiting room",
            format!("line {}, {} have joined", room.epoch, grouped(room.issued)),
            "resume it: ticketctl resume",
        ),
    });
    checks.push(match &snapshot.queue {
        None => Check::fail("admission", "its limits could not be read", remedy),
        Some(queue) if queue.paused => Check::fail(
            "admission",
            "the line is held: nobody will be let in",
            "resume it: ticketctl resume",
        ),
        Some(queue) => Check::pass(
            "admission",
            format!(
                "{}/s, at most {} inside",
                grouped(u64::from(queue.rate_per_s)),
                grouped(u64::from(queue.cap))
            ),
        ),
    });
    for warning in &snapshot.warnings {
        checks.push(Check::warn(
            "control plane says",
            warning.clone(),
            "see what it says",
        ));
    }
    checks
}

fn capacity(state: &SaleState) -> Vec<Check> {
    let (sale, hand) = (&state.sale, &state.hand);
    let rate = hand.rate_per_s.unwrap_or(sale.admission.rate_per_s);
    let wanted = sale.capacity.replicas;
    let name = "capacity";
    let remedy = "bring replicas up, or lower the rate: ticketctl rate";
    vec![match state.ready_replicas {
        None => Check::warn(
            name,
            format!("nobody counts ready replicas; {wanted} are assumed"),
            "run the operator, or scale by hand before the opening",
        ),
        Some(ready) => {
            let bears = bearable_rate_per_s(ready, sale.capacity.rate_per_replica);
            Check::that(
                bears >= rate,
                name,
                format!(
                    "{ready} of {wanted} replicas ready, they bear {}/s of {}/s",
                    grouped(u64::from(bears)),
                    grouped(u64::from(rate))
                ),
                remedy,
            )
        }
    }]
}

fn seats(state: &SaleState, snapshot: &Snapshot) -> Vec<Check> {
    let mut checks = vec![match &snapshot.seats {
        None => Check::fail(
            "seats",
            "booking does not tell them",
            "is booking up, and does it have the event's hall?",
        ),
        Some(seats) => Check::that(
            seats.capacity == u64::from(state.sale.seats) && seats.free > 0,
            "seats",
            format!(
                "{} in the hall, {} free; the sale says {}",
                grouped(seats.capacity),
                grouped(seats.free),
                grouped(u64::from(state.sale.seats))
            ),
            "make the sale's seats and the event's hall the same",
        ),
    }];
    if state.sale.ordering == Ordering::Shuffle
        && state.sale.schedule.pre_queue_at >= state.sale.schedule.opens_at
    {
        checks.push(Check::warn(
            "draw",
            "nobody can come before the opening, so nobody is drawn",
            "let the pre-queue begin before the opening",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::state;

    #[test]
    fn what_is_missing_is_named_with_a_remedy() {
        let mut state = state(1, "Arena");
        state.ready_replicas = Some(1);
        let before = state.sale.schedule.opens_at.plus_s(-60);
        let mut checks = schedule(&state, before);
        checks.extend(records(&state, &Snapshot::unknown(state.sale.id)));
        checks.extend(capacity(&state));
        checks.extend(seats(&state, &Snapshot::unknown(state.sale.id)));
        insta::assert_snapshot!(table(&checks, false));
    }

    #[test]
    fn variables_are_read_as_shells_write_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# secrets\nexport A=1\nB=\"x y\"\n\n").unwrap();
        let args = Args {
            sale: None,
            env_file: Some(file.path().to_owned()),
            public: None,
            output: Format::Table,
        };
        let read = variables(&args, None).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read["A"].as_str(), read["B"].as_str()), ("1", "x y"));
    }
}
