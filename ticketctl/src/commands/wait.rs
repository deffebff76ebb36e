//! `ticketctl wait`: until something is true of a sale.

use super::{Done, complain, document};
use crate::{
    cli::Globals,
    exit::Exit,
    failure::Failure,
    output::Format,
    place::{self, Place},
};
use serde_json::{Value, json};
use std::{str::FromStr, time::Duration};
use tokio::time::Instant;

/// Asked again this often: a fifth of what the control plane itself needs to act.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// As long as somebody watches a script that says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What to wait for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl wait --for=phase=open --timeout=5m
  ticketctl wait 'Club night' --for=phase=soldOut --timeout=30m
  ticketctl wait --for=condition=Ready
  ticketctl wait --for=jsonpath='{.snapshot.seats.sold}'=1000
  ticketctl wait --for=delete

Without --timeout it waits for 30 s; when time is up it exits with 5.")]
pub(crate) struct Args {
    /// The sale's name or id; without one the only sale there is.
    pub(crate) sale: Option<String>,
    /// phase=NAME, condition=NAME, jsonpath='{.path}'=VALUE or delete.
    #[arg(long = "for", value_name = "WHAT")]
    pub(crate) goal: Goal,
}

/// Something that becomes true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The sale is in this phase.
    Phase(String),
    /// A condition of the cluster's object holds; of a control API `Ready`: all records in place.
    Condition(String),
    /// A part of the document reads so.
    Path(Format, String),
    /// The sale is gone.
    Gone,
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "delete" {
            return Ok(Self::Gone);
        }
        if let Some(phase) = text.strip_prefix("phase=") {
            // `preScaling` and `aborted` are a cluster's.
            let known = [
                "scheduled",
                "preScaling",
                "preQueue",
                "open",
                "paused",
                "soldOut",
                "closed",
                "aborted",
            ];
            let same = |known: &&&str| known.to_lowercase() == phase.replace('-', "").to_lowercase();
            return match known.iter().find(same) {
                Some(phase) => Ok(Self::Phase((*phase).to_owned())),
                None => Err(format!(
                    "there is no phase `{phase}`; there are {}",
                    known.join(", ")
                )),
            };
        }
        if let Some(name) = text.strip_prefix("condition=") {
            return Ok(Self::Condition(name.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            let (template, value) = rest
                .rsplit_once("}=")
                .ok_or_else(|| "write jsonpath='{.path}'=VALUE".to_owned())?;
            let format = format!("jsonpath={template}}}").parse()?;
            return Ok(Self::Path(format, value.to_owned()));
        }
        Err("write phase=open, condition=Ready, jsonpath='{.path}'=VALUE or delete".to_owned())
    }
}

impl Goal {
    /// Whether it is true of `document`.
    fn is_met(&self, document: &Value) -> bool {
        match self {
            Self::Phase(phase) => ["/snapshot/phase", "/status/phase"].iter().any(|at| {
                let seen = document.pointer(at).and_then(Value::as_str);
                seen.is_some_and(|seen| seen.eq_ignore_ascii_case(phase))
            }),
            Self::Condition(name) => {
                let conditions = document["status"]["conditions"].as_array();
                match conditions {
                    Some(conditions) => conditions.iter().any(|condition| {
                        condition["type"]
                            .as_str()
                            .is_some_and(|kind| kind.eq_ignore_ascii_case(name))
                            && condition["status"] == "True"
                    }),
                    None => {
                        let problems = document["state"]["problems"].as_array();
                        name.eq_ignore_ascii_case("ready") && problems.is_some_and(Vec::is_empty)
                    }
                }
            }
            Self::Path(format, value) => {
                // What is not there yet is not so yet.
                format
                    .document(document)
                    .is_ok_and(|seen| seen.as_deref() == Some(value))
            }
            Self::Gone => false,
        }
    }
}

/// Waits.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let until = Instant::now() + globals.timeout.unwrap_or(DEFAULT_TIMEOUT);
    // The time to wait is not the time to answer.
    let place = place::find(&Globals {
        timeout: None,
        ..globals.clone()
    })
    .await?;
    let mut last = None;
    loop {
        let looked = look(&place, args.sale.as_deref()).await;
        match &looked {
            Ok(document) if args.goal.is_met(document) => return Ok(Exit::Ok),
            Err(failure) if failure.exit == Exit::NotFound && args.goal == Goal::Gone => return Ok(Exit::Ok),
            // A control plane that restarts is waited for too.
            Err(failure) if failure.exit != Exit::Unreachable && failure.exit != Exit::NotFound => {
                return Err(failure.clone());
            }
            _ => {}
        }
        if Instant::now() >= until {
            let why = match looked {
                Err(failure) => failure.to_string(),
                Ok(document) => format!("it is {}", phase_of(&document)),
            };
            return Err(Failure::new(Exit::Unreachable, format!("time is up: {why}"))
                .remedy("wait longer with --timeout, or look with `ticketctl describe`"));
        }
        if let Ok(document) = &looked {
            let phase = phase_of(document);
            if !globals.quiet && last.as_ref() != Some(&phase) {
                complain(&format!("waiting; it is {phase}"));
            }
            last = Some(phase);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn phase_of(document: &Value) -> String {
    let at = |pointer| document.pointer(pointer).and_then(Value::as_str);
    at("/snapshot/phase")
        .or_else(|| at("/status/phase"))
        .unwrap_or("unknown")
        .to_owned()
}

async fn look(place: &Place, sale: Option<&str>) -> Result<Value, Failure> {
    match place {
        Place::Control(api, _) => {
            let state = place::resolve(api, sale).await?;
            let snapshot = api
                .snapshot(state.sale.id)
                .await
                .map_err(|error| place::refused(&error))?;
            Ok(json!({"state": document(&state)?, "snapshot": document(&snapshot)?}))
        }
        #[cfg(feature = "cluster")]
        Place::Cluster(cluster) => document(&cluster.one(sale).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_as_they_are_spoken() {
        assert_eq!("phase=SoldOut".parse(), Ok(Goal::Phase("soldOut".into())));
        assert_eq!("phase=pre-queue".parse(), Ok(Goal::Phase("preQueue".into())));
        assert!("phase=opne".parse::<Goal>().unwrap_err().contains("soldOut"));
        assert!("ready".parse::<Goal>().is_err());
    }

    #[test]
    fn goals_are_met_by_what_is_seen() {
        let control = json!({"state": {"problems": []}, "snapshot": {"phase": "open", "seats": {"sold": 7}}});
        let cluster =
            json!({"status": {"phase": "Open", "conditions": [{"type": "Ready", "status": "True"}]}});
        let met = |goal: &str, document: &Value| goal.parse::<Goal>().unwrap().is_met(document);
        assert!(met("phase=open", &control) && met("phase=open", &cluster));
        assert!(met("condition=Ready", &control) && met("condition=ready", &cluster));
        assert!(!met("condition=CapacityReady", &cluster));
        assert!(met("jsonpath={.snapshot.seats.sold}=7", &control));
        assert!(!met("jsonpath={.snapshot.nothing}=7", &control));
    }
}
