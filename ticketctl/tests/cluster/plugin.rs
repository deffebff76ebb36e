//! The same binary as `kubectl ticketsale`, run by the real kubectl.

use crate::world::World;
use urr_testkit::assets::Assets;

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_finds_it_as_a_plugin_and_its_cluster_is_kubectls() {
    let world = World::new("plugin").await;
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["kubectl-ticketsale", "kubectl_complete-ticketsale"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ticketctl"), bin.join(name)).unwrap();
    }
    let assets = tokio::task::spawn_blocking(Assets::find).await.unwrap().unwrap();
    let kubectl = assets.program("kubectl").display().to_string();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ticketsale = async |args: &[&str]| {
        let mut command = world.command(&kubectl);
        world
            .finish(command.arg("ticketsale").args(args).env("PATH", &path))
            .await
    };
    let listed = world
        .finish(
            world
                .command(&kubectl)
                .args(["plugin", "list"])
                .env("PATH", &path),
        )
        .await;
    assert!(listed.ok().contains("kubectl-ticketsale"));

    let file = world.sale("night", [-60, 3600, 7200]);
    ticketsale(&["apply", "-f", &file, "--yes", "--reason", "x"])
        .await
        .ok();
    ticketsale(&["wait", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    assert_eq!(ticketsale(&["get", "-o", "name"]).await.ok(), "night\n");
    // kubectl's own completion asks the same binary under its other name.
    let completes = async |typed: &[&str]| {
        let mut command = world.command(&kubectl);
        command
            .args(["__complete", "ticketsale"])
            .args(typed)
            .env("PATH", &path);
        let said = world.finish(&mut command).await.ok();
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completes(&["describe", "ni"]).await[..2], ["night", ":4"]);
    let verbs = completes(&["pre"]).await;
    assert!(
        verbs[0].starts_with("preflight\tEverything that must be true"),
        "{verbs:?}"
    );
    let nowhere = completes(&["--context=nowhere", "describe", ""]).await;
    assert_eq!(nowhere[..1], [":4"], "what cannot be had is not offered");
    let denied = ticketsale(&["get", "--context", "stranger"]).await;
    assert_eq!(
        denied.code,
        Some(6),
        "kubectl hands our exit code on: {}",
        denied.err
    );
    let help = ticketsale(&["--help"]).await.ok();
    assert!(help.contains("Usage: kubectl ticketsale"), "{help}");
    world.end().await;
}

/// What bash offers after `typed`, the last word of which is being typed. It breaks words at `=` and `:`, but
/// for who completes the line is whole.
async fn completed(world: &World, typed: &[&str]) -> Vec<String> {
    let script = r#"
        source <(ticketctl completion bash)
        COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        broken=()
        for word in "$@"; do
            while [[ $word == *[=:]* ]]; do
                head=${word%%[=:]*} rest=${word#*[=:]}
                broken+=("$head" "${word:${#head}:1}") word=$rest
            done
            broken+=("$word")
        done
        set -- "${broken[@]}"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _ticketctl_or_sales ticketctl "${@: -1}" "${@: -2:1}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let dir = std::path::Path::new(env!("CARGO_BIN_EXE_ticketctl"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let mut bash = world.command("bash");
    let offered = world
        .finish(bash.args(["-c", script, "bash"]).args(typed).env("PATH", path))
        .await;
    offered.ok().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_completes_the_names_of_sales_where_a_sale_is_meant() {
    let world = World::new("completed").await;
    for name in ["night", "matinee"] {
        let file = world.sale(name, [3600, 7200, 10_800]);
        world
            .run(&["apply", "-f", &file, "--yes", "--reason", "x"])
            .await
            .ok();
    }
    let has = |offered: &[String], word: &str| offered.iter().any(|one| one == word);
    let offered = completed(&world, &["ticketctl", "describe", ""]).await;
    assert!(has(&offered, "night") && has(&offered, "matinee"), "{offered:?}");
    let offered = completed(&world, &["ticketctl", "w", "ni"]).await;
    assert_eq!(offered, ["night"]);
    // Of the place that the flags mean; there is nobody in `nowhere`.
    let offered = completed(&world, &["ticketctl", "--context", "nowhere", "describe", "ni"]).await;
    assert!(!has(&offered, "night"), "{offered:?}");
    let own = format!("--namespace={}", world.scope.namespace());
    let offered = completed(&world, &["ticketctl", &own, "describe", "ni"]).await;
    assert_eq!(offered, ["night"], "in one word");
    let offered = completed(
        &world,
        &["ticketctl", "describe", "--control=http://127.0.0.1:9", "ni"],
    )
    .await;
    assert!(!has(&offered, "night"), "nobody listens there: {offered:?}");
    // Not where none is meant.
    for typed in [
        &["ticketctl", "describe", "-o", ""][..],
        &["ticketctl", "explain", ""],
        &["ticketctl", ""],
    ] {
        let offered = completed(&world, typed).await;
        assert!(!has(&offered, "night"), "{typed:?}: {offered:?}");
    }
    let offered = completed(&world, &["ticketctl", ""]).await;
    assert!(has(&offered, "preflight"), "{offered:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_are_listed_with_the_one_in_use_and_settings_say_where_they_come_from() {
    let world = World::new("contexts").await;
    let listed = world
        .run(&["config", "contexts", "--context", "on-call", "-o", "json"])
        .await
        .json();
    let contexts = listed["items"].as_array().unwrap();
    let in_use: Vec<_> = contexts.iter().filter(|one| one["inUse"] == true).collect();
    assert_eq!(in_use.len(), 1, "{listed:#}");
    assert_eq!(in_use[0]["name"], "on-call");
    assert_eq!(in_use[0]["namespace"], world.scope.namespace());
    assert_eq!(
        world
            .run(&["config", "contexts", "-o", "name"])
            .await
            .ok()
            .lines()
            .count(),
        4
    );
    let settings = world.run(&["config", "view", "--show-origin"]).await.ok();
    for words in [
        &["sales", "cluster arena", "current context"][..],
        &["namespace", world.scope.namespace(), "kubeconfig"],
        &["kubeconfig", "KUBECONFIG"],
        &["actor", "mina"],
    ] {
        let line = settings
            .lines()
            .find(|line| line.starts_with(words[0]))
            .unwrap_or_default();
        assert!(
            words.iter().all(|word| line.contains(word)),
            "{words:?} in\n{settings}"
        );
    }
    world.end().await;
}
