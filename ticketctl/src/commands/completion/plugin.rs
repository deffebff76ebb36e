//! `kubectl_complete-ticketsale`: what kubectl's own completion asks for `kubectl ticketsale`.
//!
//! kubectl runs it with the words typed after `ticketsale`, the last of which is being typed, and takes a
//! word a line with its meaning behind a tab, and what the shell should do beside it in the last line. What
//! cannot be found out is not offered: a question or an error in the middle of a line would be typed into it.

use super::{spelled, takes_the_next_word, verbs_on_sales};
use crate::{cli::Cli, commands::get, exit::Exit};
use clap::{Command, CommandFactory as _, FromArgMatches as _};
use std::{fmt::Write as _, time::Duration};

/// Names must be there before somebody has typed on.
const NAMES_WITHIN: Duration = Duration::from_secs(1);
/// cobra's word for "nothing else: no names of files".
const NO_FILES: u8 = 4;
/// cobra's word for "whatever the shell does otherwise": names of files.
const FILES_TOO: u8 = 0;

/// Something that may be typed next.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    word: String,
    meaning: String,
}

/// What may be typed next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// One of these.
    Words(Vec<Offer>),
    /// A value that nobody but the shell knows, such as a file.
    Value,
    /// The name of a sale.
    Sale,
}

/// Prints what may follow `typed`, as kubectl's completion reads it.
pub(crate) fn for_kubectl(typed: &[String]) -> Exit {
    let begun = typed.last().map(String::as_str).unwrap_or_default();
    let (words, directive) = match next(&Cli::command(), typed) {
        Next::Words(words) => (words, NO_FILES),
        Next::Value => (Vec::new(), FILES_TOO),
        Next::Sale => (names(typed), NO_FILES),
    };
    let mut out = String::new();
    for Offer { word, meaning } in words.iter().filter(|offer| offer.word.starts_with(begun)) {
        // Writing to a String cannot fail.
        let _ = match meaning.as_str() {
            "" => writeln!(out, "{word}"),
            meaning => writeln!(out, "{word}\t{meaning}"),
        };
    }
    super::print(&format!("{out}:{directive}\n"));
    Exit::Ok
}

/// What may follow `typed`, whose last word is being typed.
fn next(command: &Command, typed: &[String]) -> Next {
    let (begun, before) = match typed.split_last() {
        Some((begun, before)) => (begun.as_str(), before),
        None => ("", &[][..]),
    };
    let mut verb: Option<&Command> = None;
    let mut waits_for: Option<&clap::Arg> = None;
    for word in before {
        if waits_for.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            waits_for =
                flags(command, verb).find(|arg| takes_the_next_word(arg) && spelled(arg).contains(word));
        } else if verb.is_none() {
            let named = command.find_subcommand(word);
            verb = named.filter(|verb| !verb.is_hide_set());
        }
    }
    if let Some(flag) = waits_for {
        return values(flag, "");
    }
    if let Some((flag, _)) = begun.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
        let flag_is = |arg: &&clap::Arg| spelled(arg).iter().any(|spelled| spelled == flag);
        return flags(command, verb)
            .find(flag_is)
            .map_or(Next::Value, |arg| values(arg, &format!("{flag}=")));
    }
    if begun.starts_with('-') {
        let known = flags(command, verb).filter(|arg| !arg.is_hide_set());
        let offers = known.flat_map(|arg| {
            let meaning = first_line(arg.get_help());
            let longs = spelled(arg).into_iter().filter(|word| word.starts_with("--"));
            longs.map(move |word| Offer {
                word,
                meaning: meaning.clone(),
            })
        });
        return Next::Words(offers.collect());
    }
    match verb {
        None => {
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            Next::Words(
                verbs
                    .map(|verb| Offer {
                        word: verb.get_name().to_owned(),
                        meaning: first_line(verb.get_about()),
                    })
                    .collect(),
            )
        }
        Some(verb) if verbs_on_sales(command).iter().any(|name| name == verb.get_name()) => Next::Sale,
        Some(_) => Next::Value,
    }
}

/// Flags that may be typed after `verb`, or before any.
fn flags<'a>(command: &'a Command, verb: Option<&'a Command>) -> impl Iterator<Item = &'a clap::Arg> {
    let own = verb.into_iter().flat_map(Command::get_arguments);
    own.chain(command.get_arguments())
        .filter(|arg| !arg.is_positional())
}

/// The values of `flag`, each behind `lead`, where it has only some.
fn values(flag: &clap::Arg, lead: &str) -> Next {
    let possible = flag.get_possible_values();
    if possible.is_empty() {
        return Next::Value;
    }
    let shown = possible.iter().filter(|value| !value.is_hide_set());
    Next::Words(
        shown
            .map(|value| Offer {
                word: format!("{lead}{}", value.get_name()),
                meaning: first_line(value.get_help()),
            })
            .collect(),
    )
}

/// A tab or a second line would end the word.
fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().replace('\t', " ")
}

/// Names of the sales in the cluster that is meant; none when they cannot be had at once.
fn names(typed: &[String]) -> Vec<Offer> {
    let Some(globals) = reach(typed) else {
        return Vec::new();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let asked = async { tokio::time::timeout(NAMES_WITHIN, get::names(&globals)).await };
    let Ok(Ok(names)) = runtime.block_on(asked) else {
        return Vec::new();
    };
    // What hangs in a name server must not keep a shell waiting.
    runtime.shutdown_background();
    names
        .into_iter()
        .map(|word| Offer {
            word,
            meaning: String::new(),
        })
        .collect()
}

/// The flags of `typed` that say where sales are. They are read as those of `get`: whatever else a verb
/// wants may not be typed yet.
fn reach(typed: &[String]) -> Option<crate::cli::Globals> {
    let command = Cli::command();
    let place = super::place_flags(&command);
    let mut asked = vec!["ticketctl".to_owned(), "get".to_owned()];
    let mut words = typed.iter().rev().skip(1).rev();
    while let Some(word) = words.next() {
        if place.contains(word) {
            asked.push(word.clone());
            asked.extend(words.next().cloned());
        } else if place.iter().any(|flag| {
            word.strip_prefix(flag.as_str())
                .is_some_and(|rest| !flag.starts_with("--") || rest.starts_with('='))
        }) {
            asked.push(word.clone());
        }
    }
    asked.extend(["--quiet", "--no-input"].map(str::to_owned));
    let matches = command.try_get_matches_from(asked).ok()?;
    let mut globals = Cli::from_arg_matches(&matches).ok()?.globals;
    globals.timeout = Some(NAMES_WITHIN);
    globals.as_plugin = true;
    Some(globals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(typed: &[&str]) -> Next {
        let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
        next(&Cli::command(), &typed)
    }

    fn words(typed: &[&str]) -> Vec<String> {
        match offered(typed) {
            Next::Words(offers) => offers.into_iter().map(|offer| offer.word).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn verbs_come_first_with_what_they_do_and_no_hidden_one() {
        for typed in [
            &[][..],
            &[""],
            &["--context", "arena", ""],
            &["--control=http://x", "p"],
        ] {
            let verbs = words(typed);
            assert!(verbs.contains(&"preflight".to_owned()), "{typed:?}");
            assert!(!verbs.contains(&"urr".to_owned()), "{typed:?}");
        }
        let Next::Words(offers) = offered(&[""]) else {
            panic!("verbs");
        };
        assert!(
            offers
                .iter()
                .all(|offer| !offer.meaning.is_empty() && !offer.meaning.contains('\t'))
        );
    }

    #[test]
    fn a_verb_on_sales_is_followed_by_a_sale_and_others_by_what_the_shell_knows() {
        assert_eq!(offered(&["describe", ""]), Next::Sale);
        assert_eq!(offered(&["w", "ni"]), Next::Sale, "by its short name too");
        assert_eq!(offered(&["-n", "shows", "pause", ""]), Next::Sale);
        assert_eq!(offered(&["validate", ""]), Next::Value);
        assert_eq!(offered(&["describe", "-n", ""]), Next::Value, "a namespace");
        assert_eq!(offered(&["describe", "--token-file=", ""]), Next::Sale);
        assert_eq!(offered(&["describe", "--token-file="]), Next::Value);
    }

    #[test]
    fn flags_and_their_few_values_are_offered() {
        let flags = words(&["pause", "-"]);
        for flag in ["--reason", "--control", "--url", "--no-input"] {
            assert!(flags.contains(&flag.to_owned()), "{flag} in {flags:?}");
        }
        assert_eq!(words(&["watch", "-o", ""]), ["screen", "stream", "text", "json"]);
        assert_eq!(
            words(&["get", "--color="]),
            ["--color=auto", "--color=always", "--color=never"]
        );
    }

    #[test]
    fn names_are_asked_of_the_place_that_the_flags_mean() {
        let reach = |typed: &[&str]| {
            let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
            reach(&typed).unwrap()
        };
        let globals = reach(&["--control=http://x:1", "rate", "200", "-nshows", "--yes", ""]);
        assert_eq!(globals.control.as_deref(), Some("http://x:1"));
        assert_eq!(globals.namespace.as_deref(), Some("shows"));
        assert!(globals.as_plugin && globals.no_input && globals.quiet);
        let globals = reach(&["describe", "--url", "http://y:2", "--context", "arena", "ni"]);
        assert_eq!(globals.control.as_deref(), Some("http://y:2"));
        assert_eq!(globals.context.as_deref(), Some("arena"));
    }
}
