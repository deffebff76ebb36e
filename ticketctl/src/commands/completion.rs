//! `ticketctl completion`: a shell's completion script. Verbs and flags stand in it; names of sales are
//! asked for while somebody types, of the place that the flags typed so far mean.

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
that is meant; that takes a second at most.")]
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
    match shell {
        Shell::Bash => {
            script
                + &BASH
                    .replace("@VERBS@", &verbs.join("|"))
                    .replace("@VALUED@", &valued(&command))
        }
        Shell::Zsh => zsh(&script),
        Shell::Fish => {
            let verbs: Vec<String> = verbs
                .iter()
                .map(|verb| format!("__fish_ticketctl_using_subcommand {verb}"))
                .collect();
            script + &FISH.replace("@VERBS@", &verbs.join("; or "))
        }
        _ => script,
    }
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
    let takes = args.filter(|arg| {
        arg.get_action().takes_values() && !arg.is_positional() && !arg.is_require_equals_set()
    });
    let mut flags: Vec<String> = takes
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.into_iter()
                .chain(arg.get_short().map(|short| format!("-{short}")))
        })
        .collect();
    flags.sort();
    flags.dedup();
    flags.join("|")
}

/// zsh has a place for every argument: the ones of sales ask.
fn zsh(script: &str) -> String {
    let mut out = String::with_capacity(script.len() + ZSH.len());
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
    out.replacen("\n_ticketctl() {", &format!("\n{ZSH}\n_ticketctl() {{"), 1)
}

/// What asks for names: quiet, never long, and never with a question.
const BASH: &str = r#"
# Names of sales, asked of the place that the flags typed so far mean.
_ticketctl_names() {
    local -a places=()
    local at word
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        case $word in
            --control | --url | --token-file | --kubeconfig | --context | --namespace | -n)
                places+=("$word" "${COMP_WORDS[at + 1]}") ;;
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
    case $prev in @VALUED@) return 0 ;; esac
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
    for ((at = 2; at < $#typed; at++)); do
        case ${typed[at]} in
            --control|--url|--token-file|--kubeconfig|--context|--namespace|-n)
                places+=("${typed[at]}" "${typed[at + 1]}") ;;
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
            case --control --url --token-file --kubeconfig --context --namespace -n
                set -a places $words[$at] $words[(math $at + 1)]
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
