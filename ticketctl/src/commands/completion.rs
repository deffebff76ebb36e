//! `ticketctl completion`: a shell's completion script. Verbs and flags stand in it; names of sales are
//! asked for while somebody types, of the place that the flags typed so far mean.

mod plugin;

pub(crate) use plugin::for_kubectl;

use super::{Done, print};
use crate::{cli::Cli, exit::Exit};
use clap::CommandFactory as _;
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(ticketctl completion bash)
  ticketctl completion zsh > ~/.zfunc/_ticketctl
  ticketctl completion fish > ~/.config/fish/completions/ticketctl.fish

In bash, zsh and fish names of sales are completed too, asked of the drill, control API or cluster
that is meant; that takes a second at most. kubectl's own completion knows `kubectl ticketsale`
where the same binary is linked as kubectl_complete-ticketsale on PATH.")]
pub(crate) struct Args {
    /// Which shell.
    pub(crate) shell: Shell,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Done {
    print(&script(args.shell));
    Ok(Exit::Ok)
}

fn script(shell: Shell) -> String {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "ticketctl", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let verbs = verbs_on_sales(&command);
    let place = place_flags(&command);
    // The value in the word itself: `--control=URL`, `-nNAME`.
    let in_one = place.iter().map(|flag| match flag.starts_with("--") {
        true => format!("{flag}=*"),
        false => format!("{flag}?*"),
    });
    let in_one: Vec<String> = in_one.collect();
    match shell {
        Shell::Bash => {
            script
                + &BASH
                    .replace("@VERBS@", &verbs.join("|"))
                    .replace("@VALUED@", &valued(&command))
                    .replace("@PLACE@", &place.join(" | "))
                    .replace("@PLACE_IN_ONE@", &in_one.join(" | "))
        }
        Shell::Zsh => {
            let asks = ZSH
                .replace("@PLACE@", &place.join("|"))
                .replace("@PLACE_IN_ONE@", &in_one.join("|"));
            zsh(&script, &asks)
        }
        Shell::Fish => {
            let verbs: Vec<String> = verbs
                .iter()
                .map(|verb| format!("__fish_ticketctl_using_subcommand {verb}"))
                .collect();
            // fish has no pattern for one character, and the words alone were matched before.
            let in_one = in_one
                .iter()
                .map(|pattern| format!("'{}'", pattern.replace('?', "")));
            script
                + &FISH
                    .replace("@VERBS@", &verbs.join("; or "))
                    .replace("@PLACE@", &place.join(" "))
                    .replace("@PLACE_IN_ONE@", &in_one.collect::<Vec<_>>().join(" "))
        }
        _ => script,
    }
}

/// Flags that say where sales are.
fn place_flags(command: &clap::Command) -> Vec<String> {
    let args = command.get_arguments();
    let where_ = args.filter(|arg| arg.is_global_set() && arg.get_help_heading() == Some("Where"));
    where_.flat_map(spelled).collect()
}

/// Every way to write a flag.
fn spelled(arg: &clap::Arg) -> Vec<String> {
    let longs = arg
        .get_long()
        .into_iter()
        .chain(arg.get_visible_aliases().into_iter().flatten());
    let longs = longs.map(|long| format!("--{long}"));
    longs
        .chain(arg.get_short().map(|short| format!("-{short}")))
        .collect()
}

/// Verbs, and other names of theirs, that are followed by sales.
fn verbs_on_sales(command: &clap::Command) -> Vec<String> {
    let on_sales = |verb: &&clap::Command| {
        let mut positionals = verb.get_positionals();
        positionals.any(|arg| matches!(arg.get_id().as_str(), "sale" | "sales"))
    };
    let verbs = command.get_subcommands().filter(on_sales);
    verbs
        .flat_map(|verb| std::iter::once(verb.get_name()).chain(verb.get_visible_aliases()))
        .map(str::to_owned)
        .collect()
}

/// Flags that are followed by a value, as alternatives of a bash pattern.
fn valued(command: &clap::Command) -> String {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let args = command
        .get_arguments()
        .chain(verbs.flat_map(clap::Command::get_arguments));
    let mut flags: Vec<String> = args
        .filter(|arg| takes_the_next_word(arg))
        .flat_map(spelled)
        .collect();
    flags.sort();
    flags.dedup();
    flags.join("|")
}

fn takes_the_next_word(arg: &clap::Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_positional() && !arg.is_require_equals_set()
}

/// zsh has a place for every argument: the ones of sales ask.
fn zsh(script: &str, asks: &str) -> String {
    let mut out = String::with_capacity(script.len() + asks.len());
    for line in script.lines() {
        let is_sale = ["'::sale -- ", "'*::sales -- "]
            .iter()
            .any(|begin| line.starts_with(begin));
        match line.rsplit_once(":_default'") {
            Some((before, after)) if is_sale => {
                out.push_str(before);
                out.push_str(":_ticketctl_sales'");
                out.push_str(after);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    // Before the first function: autoloaded, the file's last command completes.
    out.replacen("\n_ticketctl() {", &format!("\n{asks}\n_ticketctl() {{"), 1)
}

/// What asks for names: quiet, never long, and never with a question.
const BASH: &str = r#"
# Names of sales, asked of the place that the flags typed so far mean.
_ticketctl_names() {
    local -a places=() typed=()
    local at
    # Of the line itself: in COMP_WORDS an address is in pieces, broken at each `=` and `:`.
    IFS=$' \t\n' read -a typed <<< "${COMP_LINE:0:COMP_POINT}"
    for ((at = 1; at < ${#typed[@]}; at++)); do
        case ${typed[at]} in
            @PLACE@) places+=("${typed[at]}" "${typed[at + 1]}") ;;
            @PLACE_IN_ONE@) places+=("${typed[at]}") ;;
        esac
    done
    "${COMP_WORDS[0]}" get -o name --quiet --no-input --timeout 1s "${places[@]}" 2>/dev/null
}

_ticketctl_or_sales() {
    _ticketctl "$@"
    local at verb='' name quoted
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
            @VALUED@) ((at++)) ;;
            @VERBS@) verb=${COMP_WORDS[at]} ;;
        esac
    done
    [[ -n $verb && $cur != -* ]] || return 0
    case $prev in @VALUED@ | =) return 0 ;; esac
    while IFS= read -r name; do
        printf -v quoted '%q' "$name"
        if [[ $quoted == "$cur"* || ${name,,} == "${cur,,}"* ]]; then
            COMPREPLY+=("$quoted")
        fi
    done < <(_ticketctl_names)
    # What stands for a name is no name.
    local -a words=()
    for name in "${COMPREPLY[@]}"; do
        [[ $name == \[* ]] || words+=("$name")
    done
    COMPREPLY=("${words[@]}")
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _ticketctl_or_sales -o nosort -o bashdefault -o default ticketctl
else
    complete -F _ticketctl_or_sales -o bashdefault -o default ticketctl
fi
"#;

const ZSH: &str = r#"# Names of sales, asked of the place that the flags typed so far mean.
_ticketctl_sales() {
    # `words` begins with the verb here, and flags may stand before it.
    local -a names places typed=(${(Q)${(z)LBUFFER}})
    local at
    for ((at = 2; at <= $#typed; at++)); do
        case ${typed[at]} in
            @PLACE@) places+=("${typed[at]}" "${typed[at + 1]}") ;;
            @PLACE_IN_ONE@) places+=("${typed[at]}") ;;
        esac
    done
    names=(${(f)"$(_call_program sales ticketctl get -o name --quiet --no-input --timeout 1s ${(q)places} 2>/dev/null)"})
    compadd -a names
}
"#;

const FISH: &str = r#"
# Names of sales, asked of the place that the flags typed so far mean.
function __fish_ticketctl_sales
    set -l words (commandline -opc)
    set -l places
    for at in (seq 2 (count $words))
        switch $words[$at]
            case @PLACE@
                set -a places $words[$at] $words[(math $at + 1)]
            case @PLACE_IN_ONE@
                set -a places $words[$at]
        end
    end
    ticketctl get -o name --quiet --no-input --timeout 1s $places 2>/dev/null
end
complete -c ticketctl -n "@VERBS@" -f -a "(__fish_ticketctl_sales)"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_as_they_were_reviewed() {
        // One of each kind; the others are made from the same command.
        insta::assert_snapshot!("bash", script(Shell::Bash));
        insta::assert_snapshot!("fish", script(Shell::Fish));
        insta::assert_snapshot!("zsh", script(Shell::Zsh));
    }

    #[test]
    fn every_shell_has_one_and_no_hidden_verb_is_offered_as_an_own_word() {
        use clap::ValueEnum as _;
        for shell in Shell::value_variants() {
            assert!(script(*shell).contains("preflight"), "{shell}");
        }
    }

    #[test]
    fn every_verb_on_sales_completes_their_names() {
        let verbs = verbs_on_sales(&Cli::command());
        for verb in [
            "get",
            "ls",
            "describe",
            "watch",
            "w",
            "pause",
            "rate",
            "wait",
            "preflight",
        ] {
            assert!(verbs.iter().any(|known| known == verb), "{verb}");
        }
        assert!(!verbs.iter().any(|verb| verb == "drill"));
        let asked = script(Shell::Zsh).matches(":_ticketctl_sales'").count();
        let command = Cli::command();
        let with_sales = |verb: &&clap::Command| {
            verb.get_positionals()
                .any(|arg| matches!(arg.get_id().as_str(), "sale" | "sales"))
        };
        let verbs = command.get_subcommands().filter(with_sales);
        // Every alias has a branch of its own.
        let branches: usize = verbs.map(|verb| 1 + verb.get_visible_aliases().count()).sum();
        assert_eq!(asked, branches);
    }
}
