//! `ticketctl config`: which settings are in force and where each comes from, and which places there
//! are to speak to. Precedence: flag, environment variable, file, default.

use super::{Done, complain, document, print, show};
use crate::{
    cli::Globals,
    exit::Exit,
    failure::Failure,
    output::{Format, Table},
    place::{self, Context},
    tui,
};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// What to tell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl config view --show-origin          what is in force, and why
  ticketctl config contexts                    clusters and running drills
  ticketctl config template > ~/.config/ticketctl/tui.yaml")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Settings in force.
    View(View),
    /// Clusters of the kubeconfig and drills that run on this machine.
    Contexts(Contexts),
    /// A configuration of the screen with every setting explained.
    Template,
}

/// How to tell settings.
#[derive(Debug, clap::Args)]
struct View {
    /// Where each setting comes from, too.
    #[arg(long)]
    show_origin: bool,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
}

/// How to tell contexts.
#[derive(Debug, clap::Args)]
struct Contexts {
    /// table, json, yaml, name or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
    /// No headings.
    #[arg(long)]
    no_headers: bool,
}

/// A setting that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Setting {
    name: &'static str,
    value: Option<String>,
    origin: String,
}

/// Tells.
pub(crate) fn run(args: &Args, globals: &Globals) -> Done {
    match &args.what {
        What::Template => {
            print(&tui::template());
            Ok(Exit::Ok)
        }
        What::View(view) => {
            let settings = settings(globals)?;
            let json = json!({"apiVersion": "urr.io/v1", "kind": "Settings", "items": document(&settings)?});
            show(&view.output, &json, || table(&settings, view.show_origin))?;
            Ok(Exit::Ok)
        }
        What::Contexts(wanted) => contexts(wanted, globals),
    }
}

fn contexts(wanted: &Contexts, globals: &Globals) -> Done {
    let contexts = place::contexts(globals)?;
    let json = json!({"apiVersion": "urr.io/v1", "kind": "Contexts", "items": document(&contexts)?});
    if wanted.output == Format::Name {
        contexts.iter().for_each(|context| super::say(&context.name));
        return Ok(Exit::Ok);
    }
    if contexts.is_empty() {
        complain("no drill runs on this machine, and there is no kubeconfig");
    }
    show(&wanted.output, &json, || {
        let mut table = Table::new(&["IN USE", "NAME", "KIND", "WHERE", "NAMESPACE"], &[]);
        for Context {
            in_use,
            name,
            kind,
            at,
            namespace,
            because: _,
        } in &contexts
        {
            table.row(vec![
                if *in_use { "*" } else { "" }.into(),
                name.clone().into(),
                (*kind).into(),
                at.clone().into(),
                namespace.clone().unwrap_or_default().into(),
            ]);
        }
        table.render(false, !wanted.no_headers && !contexts.is_empty())
    })?;
    Ok(Exit::Ok)
}

fn table(settings: &[Setting], origins: bool) -> String {
    let mut table = Table::new(&["SETTING", "VALUE"], &["FROM"]);
    for setting in settings {
        table.row(vec![
            setting.name.into(),
            setting
                .value
                .clone()
                .unwrap_or_else(|| "(none)".to_owned())
                .into(),
            setting.origin.clone().into(),
        ]);
    }
    table.render(origins, true)
}

fn settings(globals: &Globals) -> Result<Vec<Setting>, Failure> {
    let in_use = place::contexts(globals)?
        .into_iter()
        .find(|context| context.in_use);
    let namespace = in_use.as_ref().and_then(|context| context.namespace.clone());
    let mut settings = vec![Setting {
        name: "sales",
        value: in_use
            .as_ref()
            .map(|context| format!("{} {} ({})", context.kind, context.name, context.at)),
        origin: match &in_use {
            Some(context) => context.because.to_owned(),
            None => "nothing found".to_owned(),
        },
    }];
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    settings.push(given(
        "control",
        globals.control.clone(),
        "--control",
        Some("TICKETCTL_CONTROL_URL"),
    ));
    settings.push(given(
        "token-file",
        path(&globals.token_file),
        "--token-file",
        Some("TICKETCTL_TOKEN_FILE"),
    ));
    settings.push(given(
        "kubeconfig",
        path(&globals.kubeconfig),
        "--kubeconfig",
        Some("KUBECONFIG"),
    ));
    settings.push(given("context", globals.context.clone(), "--context", None));
    let mut in_namespace = given("namespace", globals.namespace.clone(), "--namespace", None);
    if in_namespace.value.is_none() && namespace.is_some() {
        in_namespace.value = namespace;
        "kubeconfig".clone_into(&mut in_namespace.origin);
    }
    settings.push(in_namespace);
    settings.push(match given("actor", None, "--actor", Some("TICKETCTL_ACTOR")) {
        unset if unset.value.is_none() => Setting {
            value: Some(tui::actor()),
            origin: "the user of this terminal".to_owned(),
            ..unset
        },
        set => set,
    });
    settings.push(given(
        "environment",
        None,
        "--environment",
        Some("TICKETCTL_ENVIRONMENT"),
    ));
    let colour = match std::env::var("NO_COLOR").ok().filter(|value| !value.is_empty()) {
        Some(_) => ("never", "NO_COLOR"),
        None if globals.color.on_stdout() => ("on this terminal", "default"),
        None => ("never here", "stdout is no terminal"),
    };
    settings.push(Setting {
        name: "color",
        value: Some(colour.0.to_owned()),
        origin: colour.1.to_owned(),
    });
    let file = tui::config_file();
    let exists = file.as_ref().is_some_and(|file| file.exists());
    settings.push(Setting {
        name: "screen",
        value: file.filter(|_| exists).map(|file| file.display().to_string()),
        origin: if exists {
            "file"
        } else {
            "default: `ticketctl config template` prints one to begin with"
        }
        .to_owned(),
    });
    Ok(settings)
}

/// A setting that a flag, else a variable, gives.
fn given(name: &'static str, value: Option<String>, flag: &str, variable: Option<&str>) -> Setting {
    let set = variable.and_then(|variable| Some((variable, std::env::var(variable).ok()?)));
    let set = set.filter(|(_, value)| !value.is_empty());
    let (value, origin) = match (value, set) {
        (Some(value), Some((variable, in_variable))) if value == in_variable => {
            (Some(value), variable.to_owned())
        }
        (Some(value), _) => (Some(value), flag.to_owned()),
        (None, Some((variable, value))) => (Some(value), variable.to_owned()),
        (None, None) => (None, "default".to_owned()),
    };
    Setting { name, value, origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_says_where_it_comes_from() {
        // A variable that every process has.
        let path = std::env::var("PATH").unwrap();
        let set = given("x", Some("by hand".to_owned()), "--x", Some("PATH"));
        assert_eq!(
            (set.value.as_deref(), set.origin.as_str()),
            (Some("by hand"), "--x")
        );
        let set = given("x", Some(path.clone()), "--x", Some("PATH"));
        assert_eq!(set.origin, "PATH", "clap has read it from there");
        assert_eq!(given("x", None, "--x", Some("PATH")).value, Some(path));
        assert_eq!(given("x", None, "--x", None).origin, "default");
    }
}
