//! Danger, graded: mild changes are made, medium ones ask, grave ones want the sale's name typed.
//! Nothing ever needs a prompt: every answer can be given as a flag, and without a terminal what
//! is missing is an error that names the flag.

use crate::{
    cli::{ChangeArgs, Globals},
    failure::Failure,
    tui,
};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// How much a change can spoil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Danger {
    /// Nothing, or it is undone in a second.
    Mild,
    /// People notice; it can be undone.
    Medium,
    /// It cannot be undone.
    Grave,
}

/// Who changes something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaidBy {
    /// Who.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: String,
}

/// Asks questions on a terminal; a test answers them itself.
pub(crate) trait Asks {
    /// The answer to `question`; `None` where nobody can be asked.
    fn ask(&mut self, question: &str) -> Option<String>;
}

/// The person at this terminal, if there is one.
pub(crate) struct Person {
    may_ask: bool,
}

impl Person {
    pub(crate) fn of(globals: &Globals) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self {
            may_ask: terminal && !globals.no_input,
        }
    }
}

impl Asks for Person {
    fn ask(&mut self, question: &str) -> Option<String> {
        if !self.may_ask {
            return None;
        }
        // stdout is for data.
        let _ = write!(std::io::stderr(), "{question} ");
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok_and(|n| n > 0).then(|| answer.trim().to_owned())
    }
}

/// Makes sure that `what` is wanted for `sale`, and by whom and why. `None` when somebody said no.
pub(crate) fn sure(
    danger: Danger,
    what: &str,
    sale: &str,
    args: &ChangeArgs,
    asks: &mut impl Asks,
) -> Result<Option<SaidBy>, Failure> {
    let agreed = match danger {
        Danger::Mild => true,
        Danger::Medium if args.yes => true,
        Danger::Medium => match asks.ask(&format!("{what} Go on? [y/N]")) {
            Some(answer) => matches!(answer.to_lowercase().as_str(), "y" | "yes"),
            None => {
                return Err(
                    Failure::bad_input(format!("{what} Nobody can be asked whether to go on"))
                        .remedy("say so with --yes"),
                );
            }
        },
        Danger::Grave => {
            let typed = match &args.confirm {
                Some(name) => Some(name.clone()),
                None => asks.ask(&format!(
                    "{what} This cannot be undone. Type the sale's name, {sale}:"
                )),
            };
            match typed {
                Some(typed) if typed == sale => true,
                Some(typed) => {
                    return Err(Failure::bad_input(format!("`{typed}` is not the sale's name"))
                        .remedy(format!("nothing was changed; the name is {sale}")));
                }
                None => {
                    return Err(Failure::bad_input(format!(
                        "{what} This cannot be undone, and nobody can be asked"
                    ))
                    .remedy(format!("say so with --confirm '{sale}'")));
                }
            }
        }
    };
    if !agreed {
        return Ok(None);
    }
    let reason = match args.reason.clone().filter(|reason| !reason.trim().is_empty()) {
        Some(reason) => Some(reason),
        None => asks
            .ask("Why? (for the audit log)")
            .filter(|reason| !reason.is_empty()),
    };
    let Some(reason) = reason else {
        return Err(
            Failure::bad_input("every change says why, for the audit log").remedy("give --reason TEXT")
        );
    };
    Ok(Some(SaidBy {
        actor: args.actor.clone().unwrap_or_else(tui::actor),
        reason,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives these answers, then none.
    struct Script(Vec<&'static str>);

    impl Asks for Script {
        fn ask(&mut self, _: &str) -> Option<String> {
            (!self.0.is_empty()).then(|| self.0.remove(0).to_owned())
        }
    }

    fn asked(danger: Danger, args: ChangeArgs, answers: &[&'static str]) -> Result<Option<SaidBy>, String> {
        let actor = Some("mina".to_owned());
        let args = ChangeArgs { actor, ..args };
        sure(
            danger,
            "It happens.",
            "Arena",
            &args,
            &mut Script(answers.to_vec()),
        )
        .map_err(|f| f.to_string())
    }

    fn because(reason: &str) -> ChangeArgs {
        ChangeArgs {
            reason: Some(reason.to_owned()),
            ..ChangeArgs::default()
        }
    }

    #[test]
    fn mild_changes_are_made_and_still_say_why() {
        let said = asked(Danger::Mild, because("all is well"), &[]).unwrap().unwrap();
        assert_eq!(
            (said.actor.as_str(), said.reason.as_str()),
            ("mina", "all is well")
        );
        assert!(
            asked(Danger::Mild, ChangeArgs::default(), &[])
                .unwrap_err()
                .contains("--reason")
        );
        assert!(
            asked(Danger::Mild, ChangeArgs::default(), &["because"])
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn medium_changes_ask_or_take_yes() {
        assert!(asked(Danger::Medium, because("x"), &["y"]).unwrap().is_some());
        assert!(asked(Danger::Medium, because("x"), &["n"]).unwrap().is_none());
        assert!(asked(Danger::Medium, because("x"), &[""]).unwrap().is_none());
        assert!(
            asked(Danger::Medium, because("x"), &[])
                .unwrap_err()
                .contains("--yes")
        );
        let yes = ChangeArgs {
            yes: true,
            ..because("x")
        };
        assert!(asked(Danger::Medium, yes, &[]).unwrap().is_some());
    }

    #[test]
    fn grave_changes_want_the_name_and_yes_is_not_enough() {
        assert!(asked(Danger::Grave, because("x"), &["Arena"]).unwrap().is_some());
        assert!(asked(Danger::Grave, because("x"), &["yes"]).is_err());
        let yes = ChangeArgs {
            yes: true,
            ..because("x")
        };
        assert!(
            asked(Danger::Grave, yes, &[])
                .unwrap_err()
                .contains("--confirm 'Arena'")
        );
        let named = ChangeArgs {
            confirm: Some("Arena".to_owned()),
            ..because("x")
        };
        assert!(asked(Danger::Grave, named, &[]).unwrap().is_some());
    }
}
