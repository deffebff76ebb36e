//! The engines under faults: what is left when things go wrong must be nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use sqlx::{Connection as _, PgConnection};
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use urr_kit::engines::{EngineError, EngineOptions, Engines, provision, sweep};
use urr_kit::testing::eventually;

const HOST_DIR: &str = "URR_KIT_TEST_HOST_DIR";

/// A directory that PostgreSQL's user may walk through.
fn base() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    fs::set_permissions(base.path(), Permissions::from_mode(0o711)).unwrap();
    base
}

fn options(base: &Path) -> EngineOptions {
    EngineOptions {
        base_dir: Some(base.to_owned()),
        ..EngineOptions::default()
    }
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[tokio::test]
async fn engines_start_answer_and_leave_nothing_when_stopped() {
    let base = base();
    let engines = Engines::start(options(base.path())).await.unwrap();
    let pids = engines.pids();
    assert_eq!(pids.len(), 2);

    let mut admin = PgConnection::connect(engines.postgres.admin_url()).await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(one, 1);
    let client = redis::Client::open(engines.redis.url()).unwrap();
    let mut conn = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("SET")
        .arg("k")
        .arg(1)
        .query_async::<()>(&mut conn)
        .await
        .unwrap();
    let dynamo = urr_kit::Dynamo::connect(&engines.settings()).await;
    assert!(
        dynamo
            .client
            .list_tables()
            .send()
            .await
            .unwrap()
            .table_names()
            .is_empty()
    );

    engines.stop().await.unwrap();
    assert!(!pids.into_iter().any(lives), "an engine survived stop()");
    assert_eq!(entries(base.path()), 0);
}

#[tokio::test]
async fn dropping_engines_ends_them() {
    let base = base();
    let engines = Engines::start(options(base.path())).await.unwrap();
    let pids = engines.pids();
    drop(engines);
    assert!(!pids.into_iter().any(lives), "an engine survived its drop");
    assert_eq!(entries(base.path()), 0);
}

/// Not a test: the process that the next test kills.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn hosts_engines_until_killed() {
    let Some(base) = std::env::var_os(HOST_DIR).map(PathBuf::from) else {
        return;
    };
    let engines = Engines::start(options(&base)).await.unwrap();
    for pid in engines.pids() {
        println!("pid {pid}");
    }
    println!("ready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_host_leaves_no_process_and_the_next_run_sweeps_its_directory() {
    let base = base();
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "hosts_engines_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(HOST_DIR, base.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    for line in BufReader::new(host.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, pid)) = line.split_once("pid ") {
            pids.push(pid.parse::<u32>().unwrap());
        }
        if line.contains("ready") {
            break;
        }
    }
    assert_eq!(pids.len(), 2, "the host did not start its engines");
    assert_eq!(sweep(base.path()), 0, "a living run was swept");

    host.kill().unwrap();
    host.wait().unwrap();
    eventually(
        Duration::from_secs(10),
        "the engines end with their host",
        async || !pids.iter().copied().any(lives),
    )
    .await;
    assert_eq!(entries(base.path()), 1, "a killed host cannot tidy up");
    assert_eq!(sweep(base.path()), 1);
    assert_eq!(entries(base.path()), 0);
}

#[tokio::test]
async fn a_missing_program_leaves_nothing_and_says_what_to_install() {
    let base = base();
    let options = EngineOptions {
        search_system: false,
        ..options(base.path())
    };
    let error = Engines::start(options).await.err().unwrap();
    assert!(matches!(error, EngineError::MissingProgram { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("apt-get install postgresql redis-server"),
        "{error}"
    );
    assert_eq!(entries(base.path()), 0);
}

#[tokio::test]
async fn a_port_in_use_leaves_nothing_and_names_the_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let base = base();
    for options in [
        EngineOptions {
            postgres_port: Some(port),
            ..options(base.path())
        },
        EngineOptions {
            redis_port: Some(port),
            ..options(base.path())
        },
        EngineOptions {
            dynamo_port: Some(port),
            ..options(base.path())
        },
    ] {
        let error = Engines::start(options).await.err().unwrap();
        assert!(
            matches!(error, EngineError::PortInUse { port: named, .. } if named == port),
            "{error}"
        );
        assert_eq!(entries(base.path()), 0);
    }
}

#[tokio::test]
async fn a_broken_program_leaves_nothing_and_shows_its_log() {
    // A disk that fills up while the database is made looks like this to us.
    let (base, programs) = (base(), base());
    for (name, script) in [
        (
            "initdb",
            "#!/bin/sh\necho 'could not write: No space left on device' >&2\nexit 1\n",
        ),
        ("postgres", "#!/bin/sh\nexit 1\n"),
    ] {
        let path = programs.path().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let broken = EngineOptions {
        program_dirs: vec![programs.path().to_owned()],
        ..options(base.path())
    };
    let error = Engines::start(broken.clone()).await.err().unwrap();
    assert!(matches!(error, EngineError::DiskFilledUp { .. }), "{error}");

    fs::write(
        programs.path().join("initdb"),
        "#!/bin/sh\necho 'boom 42' >&2\nexit 3\n",
    )
    .unwrap();
    let error = Engines::start(broken).await.err().unwrap();
    assert!(error.to_string().contains("boom 42"), "{error}");
    assert_eq!(entries(base.path()), 0);
}

#[tokio::test]
async fn each_service_sees_its_own_schema_and_no_other() {
    // R-DATA-01.
    let base = base();
    let engines = Engines::start(options(base.path())).await.unwrap();
    let admin = engines.postgres.admin_url();
    let mine = provision(admin, "urr_mine", "pw1").await.unwrap();
    let yours = provision(admin, "urr_yours", "pw2").await.unwrap();
    // Repeated and concurrent calls are harmless.
    let again = (0..8).map(|_| provision(admin, "urr_mine", "pw1"));
    for outcome in futures::future::join_all(again).await {
        assert_eq!(outcome.unwrap(), mine);
    }

    let mut mine = PgConnection::connect(&mine).await.unwrap();
    let mut yours = PgConnection::connect(&yours).await.unwrap();
    sqlx::raw_sql("CREATE TABLE secrets (n int); INSERT INTO secrets VALUES (1)")
        .execute(&mut mine)
        .await
        .unwrap();
    let refused = |result: Result<sqlx::postgres::PgQueryResult, sqlx::Error>| {
        let error = result.unwrap_err();
        assert_eq!(
            error.as_database_error().unwrap().code().unwrap(),
            "42501",
            "{error}"
        );
    };
    refused(
        sqlx::query("SELECT * FROM urr_mine.secrets")
            .execute(&mut yours)
            .await,
    );
    refused(
        sqlx::query("CREATE TABLE urr_mine.x (n int)")
            .execute(&mut yours)
            .await,
    );
    refused(
        sqlx::query("CREATE TABLE public.x (n int)")
            .execute(&mut yours)
            .await,
    );
    let wrong = engines
        .postgres
        .admin_url()
        .replacen("urr_admin:", "urr_admin:x", 1);
    assert!(
        PgConnection::connect(&wrong).await.is_err(),
        "a wrong password was taken"
    );
}
