//! `open` and `close`: a sale's instants, moved to as soon as every replica can hear of it.

use super::{Done, complain, document, show};
use crate::{
    ask::{Danger, Person, sure},
    cli::{ChangeArgs, ChangedSale, DryRun, Globals},
    exit::Exit,
    failure::Failure,
    output::Format,
    place::{self, Place},
    text::instant,
};
use serde_json::json;
use urr_core::{
    change::{self, NOTICE_MS},
    sale::Sale,
    time::Millis,
};
use urr_kit::clock::SystemClock;

/// Beside the notice: the way there, and clocks that are not the same.
const MARGIN_MS: i64 = 1500;

/// A sale to open.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The opening is moved to a few seconds from now, so that every replica hears of it and opens by its
own clock. A sale opens at its instant by itself: this is for opening sooner.")]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) of: ChangedSale,
}

/// A sale to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nobody is let in any more and nothing can be held; who holds seats may still pay. It cannot be
undone: to stop for a while use `ticketctl pause`.")]
pub(crate) struct CloseArgs {
    #[command(flatten)]
    pub(crate) of: ChangedSale,
}

pub(crate) async fn open(OpenArgs { of: args }: OpenArgs, globals: Globals) -> Done {
    let wanted = Wanted {
        verb: "open",
        danger: Danger::Medium,
        change: args.change,
        output: args.output,
        moves: |sale, at| {
            sale.schedule.opens_at = at;
            sale.schedule.pre_queue_at = sale.schedule.pre_queue_at.min(at);
        },
        is_over: |sale, now| (now >= sale.schedule.opens_at).then_some("has opened already"),
        tells: |at| format!("opens at {}, a few seconds from now.", instant(at)),
    };
    wanted.carry_out(args.sale.as_deref(), &globals).await
}

pub(crate) async fn close(CloseArgs { of: args }: CloseArgs, globals: Globals) -> Done {
    let wanted = Wanted {
        verb: "close",
        danger: Danger::Grave,
        change: args.change,
        output: args.output,
        moves: |sale, at| sale.schedule.closes_at = at,
        is_over: |sale, now| {
            if now >= sale.schedule.closes_at {
                Some("is closed already")
            } else if now < sale.schedule.opens_at {
                Some("has not opened: there is nothing to end")
            } else {
                None
            }
        },
        tells: |at| format!("ends at {}, a few seconds from now.", instant(at)),
    };
    wanted.carry_out(args.sale.as_deref(), &globals).await
}

/// A change of a sale's instants.
struct Wanted {
    verb: &'static str,
    danger: Danger,
    change: ChangeArgs,
    output: Format,
    moves: fn(&mut Sale, Millis),
    is_over: fn(&Sale, Millis) -> Option<&'static str>,
    tells: fn(Millis) -> String,
}

impl Wanted {
    async fn carry_out(self, name: Option<&str>, globals: &Globals) -> Done {
        match place::find(globals).await? {
            Place::Control(api, _) => {
                let state = place::resolve(&api, name).await?;
                let (sale, at) = self.moved(&state.sale)?;
                let what = format!("{}: {}", sale.name, (self.tells)(at));
                if self.dry_run(&sale, &what)? {
                    return Ok(Exit::Ok);
                }
                let Some(said) = sure(
                    self.danger,
                    &what,
                    &sale.name,
                    &self.change,
                    &mut Person::of(globals),
                )?
                else {
                    complain("nothing was changed");
                    return Ok(Exit::Ok);
                };
                let after = api
                    .put_by(&sale, &said.actor, &said.reason)
                    .await
                    .map_err(|error| place::refused(&error))?;
                show(&self.output, &document(&after)?, || format!("{what} Done.\n"))?;
                Ok(Exit::Ok)
            }
            #[cfg(feature = "cluster")]
            Place::Cluster(cluster) => {
                let object = cluster.one(name).await?;
                let known = cluster.sale_of(&object)?;
                let (sale, at) = self.moved(&known)?;
                let what = format!("{}: {}", sale.name, (self.tells)(at));
                if self.change.dry_run == DryRun::Client && self.dry_run(&sale, &what)? {
                    return Ok(Exit::Ok);
                }
                let object_name = object.metadata.name.clone().unwrap_or_default();
                let Some(said) = sure(
                    self.danger,
                    &what,
                    &object_name,
                    &self.change,
                    &mut Person::of(globals),
                )?
                else {
                    complain("nothing was changed");
                    return Ok(Exit::Ok);
                };
                let after = cluster
                    .reschedule(
                        &object_name,
                        &known.schedule,
                        &sale.schedule,
                        &said,
                        self.change.dry_run,
                    )
                    .await?;
                show(&self.output, &document(&after)?, || format!("{what} Done.\n"))?;
                Ok(Exit::Ok)
            }
        }
    }

    /// The sale with its instant moved, by the rules that the control plane will apply.
    fn moved(&self, known: &Sale) -> Result<(Sale, Millis), Failure> {
        let now = SystemClock::shared().now();
        if let Some(why) = (self.is_over)(known, now) {
            return Err(
                Failure::new(Exit::Conflict, format!("{} {why}", known.name)).remedy(format!(
                    "`ticketctl describe '{}'` tells its schedule",
                    known.name
                )),
            );
        }
        let at = now.plus_ms(NOTICE_MS + MARGIN_MS);
        let mut sale = known.clone();
        (self.moves)(&mut sale, at);
        let problems = match sale.validate() {
            Ok(()) => change::check(known, &sale, now).err().unwrap_or_default(),
            Err(problems) => problems,
        };
        match problems.first() {
            None => Ok((sale, at)),
            Some(problem) => Err(Failure::new(
                Exit::Conflict,
                format!(
                    "cannot {} {}: {} {}",
                    self.verb, sale.name, problem.field, problem.problem
                ),
            )
            .remedy(problem.remedy.clone())),
        }
    }

    fn dry_run(&self, sale: &Sale, what: &str) -> Result<bool, Failure> {
        if self.change.dry_run == DryRun::None {
            return Ok(false);
        }
        let json = json!({"dryRun": true, "sale": document(sale)?});
        show(&self.output, &json, || format!("would change: {what}\n"))?;
        Ok(true)
    }
}
