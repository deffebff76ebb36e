//! `pause`, `resume`, `rate`, `cap`, `drain`: a hand on the wheel. Each says what it changes from
//! what to what, who and why go into the audit log, and `undo` takes it back.

use super::{Done, complain, document, show};
use crate::{
    ask::{Danger, Person, sure},
    cli::{ChangedSale, DryRun, Globals},
    control::{Api, Hand},
    exit::Exit,
    failure::Failure,
    place,
    text::grouped,
};
use serde_json::json;
use urr_controlplane::http::SaleState;
use urr_core::change::Override;

/// A new rate.
#[derive(Debug, clap::Args)]
pub(crate) struct RateArgs {
    /// People let in per second.
    #[arg(value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    #[command(flatten)]
    pub(crate) of: ChangedSale,
}

/// A new cap.
#[derive(Debug, clap::Args)]
pub(crate) struct CapArgs {
    /// People inside at once.
    #[arg(value_name = "PEOPLE", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cap: u32,
    #[command(flatten)]
    pub(crate) of: ChangedSale,
}

pub(crate) async fn pause(args: ChangedSale, globals: Globals) -> Done {
    steer(args, globals, Override::Pause).await
}

pub(crate) async fn resume(args: ChangedSale, globals: Globals) -> Done {
    steer(args, globals, Override::Resume).await
}

pub(crate) async fn drain(args: ChangedSale, globals: Globals) -> Done {
    steer(args, globals, Override::Drain).await
}

pub(crate) async fn rate(args: RateArgs, globals: Globals) -> Done {
    steer(args.of, globals, Override::Rate(args.rate)).await
}

pub(crate) async fn cap(args: CapArgs, globals: Globals) -> Done {
    steer(args.of, globals, Override::Cap(args.cap)).await
}

async fn steer(args: ChangedSale, globals: Globals, change: Override) -> Done {
    let (api, _) = place::control(&globals).await?;
    let state = place::resolve(&api, args.sale.as_deref()).await?;
    let what = consequence(&state, change);
    // The very rule the control plane will apply, before anybody is asked.
    let hand = change.apply(&state.sale, state.hand).map_err(|problem| {
        Failure::new(
            Exit::Conflict,
            format!("{}: {}", state.sale.name, problem.problem),
        )
        .remedy(problem.remedy)
    })?;
    if args.change.dry_run != DryRun::None {
        let json = json!({"dryRun": true, "sale": state.sale.id, "from": document(&state.hand)?, "to": document(&hand)?});
        show(&args.output, &json, || format!("would change: {what}\n"))?;
        return Ok(Exit::Ok);
    }
    let danger = match change {
        Override::Resume | Override::Reset => Danger::Mild,
        Override::Pause | Override::Rate(_) | Override::Cap(_) | Override::Drain => Danger::Medium,
    };
    let Some(said) = sure(
        danger,
        &what,
        &state.sale.name,
        &args.change,
        &mut Person::of(&globals),
    )?
    else {
        complain("nothing was changed");
        return Ok(Exit::Ok);
    };
    let sent = Hand {
        action: change.name(),
        value: match change {
            Override::Rate(n) | Override::Cap(n) => Some(n),
            _ => None,
        },
        actor: said.actor,
        reason: said.reason,
    };
    let after = send(&api, &state, &sent).await?;
    show(&args.output, &document(&after)?, || format!("{what} Done.\n"))?;
    if !globals.quiet && args.output.is_for_people() && danger != Danger::Mild {
        complain(&format!(
            "(take it back with: ticketctl undo '{}')",
            state.sale.name
        ));
    }
    Ok(Exit::Ok)
}

/// Sends a hand; what could not be put in force yet is said.
pub(super) async fn send(api: &Api, state: &SaleState, hand: &Hand) -> Result<SaleState, Failure> {
    let after = api
        .hand(state.sale.id, hand)
        .await
        .map_err(|error| place::refused(&error))?;
    for problem in &after.problems {
        complain(&format!("! {problem}"));
    }
    Ok(after)
}

/// What `change` does, as a sentence that tells old from new.
fn consequence(state: &SaleState, change: Override) -> String {
    let sale = &state.sale;
    let rate = state.hand.rate_per_s.unwrap_or(sale.admission.rate_per_s);
    let cap = state.hand.cap.unwrap_or(sale.admission.cap);
    let number = |n: u32| grouped(u64::from(n));
    match change {
        Override::Pause => format!("{}: the line is held, nobody is let in.", sale.name),
        Override::Resume => format!("{}: the line goes on at {}/s.", sale.name, number(rate)),
        Override::Rate(new) => format!("{}: rate {}/s -> {}/s.", sale.name, number(rate), number(new)),
        Override::Cap(new) => format!("{}: cap {} -> {}.", sale.name, number(cap), number(new)),
        Override::Drain => format!(
            "{}: nobody new can join; who stands in line is let in.",
            sale.name
        ),
        Override::Reset => format!("{}: everything set by hand is taken back.", sale.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::state;

    #[test]
    fn a_change_tells_old_from_new() {
        let mut state = state(1, "Arena");
        assert_eq!(
            consequence(&state, Override::Rate(1200)),
            "Arena: rate 100/s -> 1,200/s."
        );
        state.hand.cap = Some(7);
        assert_eq!(consequence(&state, Override::Cap(9)), "Arena: cap 7 -> 9.");
    }
}
