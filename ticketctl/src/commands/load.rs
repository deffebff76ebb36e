//! `ticketctl load`: a scenario's visitors, or a segment of them, against services that run
//! already; and the results of all segments put together again.

use super::{Done, complain, document, say, show};
use crate::{
    cli::Globals, exit::Exit, failure::Failure, output::Format, place, running::Running, signals::Interrupts,
    text::grouped,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;
use urr_kit::Secrets;
use urr_loadgen::{
    LoadResult, Scenario, Target,
    measure::Live,
    segments::{Segment, SegmentResult, merge},
};

/// What to send where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only loopback is loaded: a generator must not be pointed at a stranger's house by a typing error.
The services' secrets are taken from the running drill, or from the environment they themselves
are given (JWT_SECRET and so on).

Examples:
  ticketctl load scenarios/arena.yaml --segment 1/2 --out part1 &
  ticketctl load scenarios/arena.yaml --segment 2/2 --out part2 && wait
  ticketctl load scenarios/arena.yaml --merge part1/segment.json --merge part2/segment.json")]
pub(crate) struct Args {
    /// The scenario.
    pub(crate) file: PathBuf,
    /// Root of the public entry [default: the running drill's].
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The sale's name or id; without one the only sale there is.
    #[arg(long, value_name = "NAME")]
    pub(crate) sale: Option<String>,
    /// Only this part of the crowd, such as 3/8: of eight workers the third.
    #[arg(long, value_name = "N/OF")]
    pub(crate) segment: Option<Segment>,
    /// Put these results of segments together and judge them, instead of sending anybody.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["segment", "target"])]
    pub(crate) merge: Vec<PathBuf>,
    /// Where results go.
    #[arg(long, value_name = "DIR", default_value = "load")]
    pub(crate) out: PathBuf,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Loads, or merges.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let file = Scenario::load(&args.file).map_err(|error| Failure::bad_input(error.to_string()))?;
    let scenario = one_sale(&file, args.sale.as_deref())?;
    if let Some(rule) = scenario.needs_pictures() {
        return Err(
            Failure::bad_input(format!("`{rule}` is nothing that visitors see"))
                .remedy("run the scenario with `ticketctl drill`, or take this threshold out"),
        );
    }
    let parts = if args.merge.is_empty() {
        let segment = args.segment.unwrap_or(Segment::WHOLE);
        let part = send(&args, &globals, &scenario, segment).await?;
        let file = args.out.join("segment.json");
        let text = document(&part)?.to_string();
        std::fs::write(&file, text).map_err(|error| unwritable(&file, &error))?;
        if args.segment.is_some() {
            complain(&format!("segment {segment} is in {}", file.display()));
            show(
                &args.output,
                &json!({"segment": segment.to_string(), "file": file.display().to_string()}),
                || format!("{}\n", file.display()),
            )?;
            return Ok(Exit::Ok);
        }
        vec![part]
    } else {
        args.merge
            .iter()
            .map(|file| part(file))
            .collect::<Result<_, _>>()?
    };
    let result = merge(&scenario, parts)
        .map_err(|error| Failure::bad_input("these are not the parts of one run").because(&error))?;
    judged(&args, &result)
}

/// The scenario of the one sale that is loaded: a generator is given one, and of a file with several it is
/// told which.
fn one_sale(file: &Scenario, wanted: Option<&str>) -> Result<Scenario, Failure> {
    let mut each = file.each();
    if let ([_], true) = (each.as_slice(), file.sales.is_empty()) {
        return Ok(each.remove(0));
    }
    let names: Vec<&str> = each.iter().map(|sale| sale.name.as_str()).collect();
    let remedy = format!("name one with --sale: {}", names.join(", "));
    let found = each
        .iter()
        .find(|sale| Some(sale.name.as_str()) == wanted || Some(sale.title.as_str()) == wanted);
    found
        .cloned()
        .ok_or_else(|| Failure::bad_input(format!("{} has {} sales", file.name, each.len())).remedy(remedy))
}

fn part(file: &Path) -> Result<SegmentResult, Failure> {
    let wrong = |error: &dyn std::error::Error| {
        Failure::bad_input(format!("{} is no segment's result", file.display())).because(error)
    };
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    serde_json::from_slice(&text).map_err(|error| wrong(&error))
}

async fn send(
    args: &Args,
    globals: &Globals,
    scenario: &Scenario,
    segment: Segment,
) -> Result<SegmentResult, Failure> {
    let (api, drill) = place::control(globals).await?;
    // At the control plane a sale is called by its title.
    let named = args.sale.as_ref().map(|sale| {
        if *sale == scenario.name {
            scenario.title.as_str()
        } else {
            sale.as_str()
        }
    });
    let state = place::resolve(&api, named).await?;
    let base_url = args
        .target
        .clone()
        .or_else(|| drill.as_ref().map(|drill| drill.public_url.clone()))
        .ok_or_else(|| Failure::bad_input("load what?").remedy("give the public entry with --target URL"))?;
    let target = Target {
        base_url,
        sale: state.sale,
        hall: scenario.hall(),
        secrets: Arc::new(secrets(drill.as_deref())?),
        opt_in: None,
    };
    std::fs::create_dir_all(&args.out).map_err(|error| unwritable(&args.out, &error))?;
    let interrupts = Interrupts::new();
    interrupts
        .listen()
        .map_err(|error| Failure::new(Exit::Failure, "signals cannot be listened for").because(&error))?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        interrupts.asked().await;
        complain("stopping");
        stopping.cancel();
    });
    let live = Arc::new(Live::new());
    Box::pin(urr_loadgen::run_segment(
        scenario, &target, segment, live, stop, &args.out,
    ))
    .await
    .map_err(|error| Failure::new(Exit::Failure, "the visitors were not sent").because(&error))
}

/// The services' secrets: journeys mint access tokens and try the back door with them.
fn secrets(drill: Option<&Running>) -> Result<Secrets, Failure> {
    let secrets = match drill {
        Some(drill) => Secrets::from_lookup(|name| drill.env.get(name).cloned()),
        None => Secrets::from_env(),
    };
    secrets.map_err(|error| {
        Failure::bad_input("the services' secrets are not known")
            .because(&error)
            .remedy("give this process the same variables that the services were given")
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::bad_input(format!("cannot write {}", path.display())).because(error)
}

fn judged(args: &Args, result: &LoadResult) -> Done {
    let json = document(result)?;
    let file = args.out.join("load.json");
    std::fs::create_dir_all(&args.out)
        .and_then(|()| std::fs::write(&file, json.to_string()))
        .map_err(|error| unwritable(&file, &error))?;
    match args.output.document(&json)? {
        Some(text) => say(&text),
        None => {
            for reason in &result.validity.reasons {
                complain(&format!("! {reason}"));
            }
            for judged in &result.thresholds {
                let met = if judged.passed { "met" } else { "MISSED" };
                say(&format!("{:<32} {met:<7} {}", judged.rule, judged.observed));
            }
            say(&format!(
                "arrived {}, let in {}, sold {}",
                grouped(result.funnel.arrived),
                grouped(result.funnel.admitted),
                grouped(result.funnel.sold)
            ));
        }
    }
    Ok(match result.exit_code() {
        0 => Exit::Ok,
        urr_loadgen::result::EXIT_INVALID => Exit::Saturated,
        _ => Exit::ThresholdsFailed,
    })
}
