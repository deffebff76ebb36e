//! The command line as typed: what parses, and what help says.

use super::*;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_names_every_exit_code_and_every_verb() {
    let help = Cli::command().render_long_help().to_string();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "97", "98", "99", "130"] {
        assert!(help.contains(&format!("\n  {code}")), "{code} in\n{help}");
    }
    for verb in
        "get describe apply validate plan simulate open watch top pause resume rate cap drain close drill \
                 load report verify preflight doctor explain config completion man version wait undo"
            .split_whitespace()
    {
        assert!(Cli::command().find_subcommand(verb).is_some(), "{verb}");
        assert!(help.contains(&format!("\n  {verb}")), "{verb} in\n{help}");
    }
    assert!(
        !help.contains("  urr"),
        "the way a drill starts its parts is hidden"
    );
}

#[test]
fn every_verb_and_every_flag_is_explained() {
    for verb in Cli::command().get_subcommands() {
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        for arg in verb.get_arguments() {
            assert!(arg.get_help().is_some(), "{} {}", verb.get_name(), arg.get_id());
        }
    }
}

#[test]
fn help_is_as_it_was_reviewed() {
    let mut text = Cli::command().term_width(100).render_long_help().to_string();
    for verb in Cli::command()
        .get_subcommands_mut()
        .filter(|verb| !verb.is_hide_set())
    {
        let help = verb.clone().term_width(100).render_help();
        text.push_str(&format!("\n=== {} ===\n{help}", verb.get_name()));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_follows_urr_is_the_services_own_command_line() {
    let cli = Cli::try_parse_from(["ticketctl", "urr", "all", "--listen", "x", "--help"]).unwrap();
    let Command::Urr { args } = cli.command else {
        panic!()
    };
    assert_eq!(args, ["all", "--listen", "x", "--help"]);
}

#[test]
fn as_a_plugin_it_is_kubectls() {
    assert_eq!(
        called_as(Some("/usr/bin/kubectl-ticketsale".into())),
        "kubectl ticketsale"
    );
    assert_eq!(called_as(Some("./ticketctl".into())), "ticketctl");
    assert_eq!(called_as(None), "ticketctl");
}

#[test]
fn verbs_have_short_forms() {
    for (short, verb) in [
        ("ls", "get"),
        ("sim", "simulate"),
        ("w", "watch"),
        ("desc", "describe"),
    ] {
        let command = Cli::command();
        let found = command.find_subcommand(short).map(clap::Command::get_name);
        assert_eq!(found, Some(verb));
    }
}

#[test]
fn times_carry_their_unit() {
    use std::time::Duration;
    assert_eq!(reach::duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(reach::duration("2m"), Ok(Duration::from_secs(120)));
    assert!(reach::duration("5").unwrap_err().contains("unit"));
    assert!(reach::duration("x").is_err());
}
