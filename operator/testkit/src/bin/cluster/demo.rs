//! `cluster demo`: a whole sale, compressed to two minutes, on a real Kubernetes control plane, with the
//! real services as processes of this machine and a small crowd of simulated visitors.
//!
//! Everything the cluster is told it is told by `kubectl apply`; what happens is what `kubectl get
//! ticketsales --watch` prints. The Pods are kwok's and run nothing: what they stand for are the
//! processes. It ends by itself within [`AT_MOST`], with 0 if the sale went through its phases in order,
//! seats were sold, and the workloads are what they were before.

mod cast;
mod stage;

use anyhow::{Context as _, bail, ensure};
use cast::Cast;
use k8s_openapi::jiff::Timestamp;
use stage::Stage;
use std::process::ExitCode;
use std::time::Duration;
use urr_testkit::eventually;

/// Three minutes on a quiet machine, of which two are the sale.
const AT_MOST: Duration = Duration::from_secs(420);
/// From the announcement: the schedule of the sale, in seconds.
const PRE_QUEUE_S: i64 = 40;
const OPENS_S: i64 = 60;
const CLOSES_S: i64 = 100;
/// How long the end may take after the closing.
const END: Duration = Duration::from_secs(180);
/// In this order, with `SoldOut` between the last two if the crowd was quick.
const PHASES: [&str; 5] = ["Scheduled", "PreScaling", "PreQueue", "Open", "Closed"];

/// Plays it; ends early when told to.
pub(crate) async fn run(until_told: impl Future<Output = ()>) -> anyhow::Result<ExitCode> {
    tokio::select! {
        played = tokio::time::timeout(AT_MOST, play()) => {
            played.with_context(|| format!("it did not end within {AT_MOST:?}"))??;
            Ok(ExitCode::SUCCESS)
        }
        // Dropping the play ends its processes.
        () = until_told => {
            say("", "told to stop: everything ends");
            Ok(ExitCode::from(130))
        }
    }
}

async fn play() -> anyhow::Result<()> {
    say(
        "",
        "starting a Kubernetes control plane, PostgreSQL, Redis and a DynamoDB emulator ...",
    );
    let stage = Stage::build().await?;
    let mut cast = Cast::new()?;
    say(
        "",
        "starting the services: payment provider, control plane, all others behind the gateway ...",
    );
    cast.services(&stage).await?;
    let event = stage.event(&cast).await.context("making hall and event")?;
    say(
        "",
        "$ kubectl apply -k manifests/crds; kubectl apply -f operator-rbac.yaml -f workloads.yaml",
    );
    stage.prepare().await?;
    cast.operator(&stage).await?;
    let before = stage.workloads().await?;
    say("", &format!("workloads before the sale: {before}"));

    let instants = [PRE_QUEUE_S, OPENS_S, CLOSES_S];
    let sale = stage::sale(&event, instants);
    say("", "$ kubectl apply -f sale.yaml");
    for line in sale.lines().filter(|line| !line.starts_with('#')) {
        say("    ", line);
    }
    stage.apply(&sale).await?;
    say("", "$ kubectl get ticketsales --output=wide --watch");
    let table = cast.watch(&stage)?;
    cast.crowd(&stage).await?;
    say(
        "",
        "500 visitors are on their way; they come from ten seconds before the opening on",
    );
    let over = eventually(END, "the end of the sale", async || {
        if let Err(ended) = cast.alive() {
            return Ok(Err(ended));
        }
        let phase = stage.phase().await?;
        let now = stage.workloads().await?;
        match (phase.as_str(), now == before) {
            ("Closed", true) => Ok(Ok(())),
            _ => Err(format!("{phase}; {now}")),
        }
    });
    over.await?.map_err(anyhow::Error::msg)?;
    let seen = table.phases();
    say("", "$ kubectl events --for=ticketsale/club-night");
    for line in stage.events().await?.lines() {
        say("    ", line);
    }
    say(
        "",
        &format!("workloads after the sale: {}", stage.workloads().await?),
    );
    let sold = cast.sold(&event).await?;
    say(
        "",
        &format!(
            "phases seen by the watch: {}; seats sold: {sold} of 300",
            seen.join(" > ")
        ),
    );
    let in_order: Vec<&str> = seen
        .iter()
        .map(String::as_str)
        .filter(|phase| PHASES.contains(phase))
        .collect();
    ensure!(in_order == PHASES, "these are not the phases of a sale: {seen:?}");
    if sold == 0 {
        bail!("not one seat was sold");
    }
    drop(cast);
    stage.strike().await
}

/// One line of the play.
#[expect(clippy::print_stdout, reason = "this is what a demonstration is for")]
fn say(indent: &str, line: &str) {
    // Hours, minutes and seconds of the day (UTC).
    let now = Timestamp::now().strftime("%H:%M:%S");
    println!("{now}  {indent}{line}");
}
