//! The engines as the services would reach them: there, quick, with what they must hold, and with
//! clocks that agree.

use super::CLOCKS_APART_MS;
use crate::checks::Check;
use clap::Parser;
use redis::AsyncCommands as _;
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use urr_core::{
    room::Mode,
    sale::{Ordering, Sale},
    time::Millis,
};
use urr_kit::{Dynamo, Settings, clock::SystemClock, state::rooms::Rooms};

/// An engine that needs longer is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// An engine across a healthy network answers within this.
const QUICK_MS: u128 = 20;
const VARIABLES: &str = "give the services' variables with --env-file FILE";

/// The services' shared settings from variables, not from a command line.
#[derive(Parser)]
struct Given {
    #[command(flatten)]
    settings: Settings,
}

/// Looks at all engines.
pub(super) async fn look(variables: &BTreeMap<String, String>, sale: &Sale) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.extend(postgres(variables).await);
    checks.extend(redis(variables, sale).await);
    checks.extend(dynamo(variables, sale).await);
    checks
}

/// It did not answer in time.
fn silent(name: &'static str) -> Vec<Check> {
    vec![Check::fail(
        name,
        "no answer within 5 s",
        "is it up, and may we reach it?",
    )]
}

/// It answered that it will not, or nobody is there.
fn refused(name: &'static str, error: &dyn std::error::Error) -> Vec<Check> {
    vec![Check::fail(
        name,
        error.to_string(),
        "is it up, and are the variables its own?",
    )]
}

fn latency(name: &str, took: Duration) -> Check {
    let ms = took.as_millis();
    let told = format!("answers in {:.1} ms", took.as_secs_f64() * 1000.0);
    if ms <= QUICK_MS {
        Check::pass(name, told)
    } else {
        Check::warn(
            name,
            told,
            "is it far away, or busy? Every reservation waits for it several times",
        )
    }
}

fn clock(name: &str, theirs: Millis, ours: Millis, took: Duration) -> Check {
    let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(0);
    let apart_ms = ours.since(theirs) - half_ms;
    Check::that(
        apart_ms.abs() <= CLOCKS_APART_MS + half_ms,
        &format!("clock of {name}"),
        format!("{} ms from ours", apart_ms.abs()),
        "let NTP keep both clocks",
    )
}

async fn postgres(variables: &BTreeMap<String, String>) -> Vec<Check> {
    let name = "PostgreSQL";
    let url = ["DATABASE_ADMIN_URL", "DATABASE_URL"]
        .into_iter()
        .find_map(|variable| variables.get(variable))
        .map(|url| url.replace("{service}", "booking"));
    let Some(url) = url else {
        return vec![Check::skip(name, VARIABLES)];
    };
    let asked = async {
        let mut db = PgConnection::connect(&url).await?;
        let began = Instant::now();
        let at_ms: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            .fetch_one(&mut db)
            .await?;
        let took = began.elapsed();
        // The tables that a sale touches; each service's schema carries its name.
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT table_name::text FROM information_schema.tables
             WHERE table_name IN ('seats', 'reservations', 'payments', 'outbox_events')",
        )
        .fetch_all(&mut db)
        .await?;
        let free: i64 = sqlx::query_scalar(
            "SELECT current_setting('max_connections')::bigint - (SELECT count(*) FROM pg_stat_activity)",
        )
        .fetch_one(&mut db)
        .await?;
        db.close().await?;
        Ok::<_, sqlx::Error>((took, Millis(at_ms), tables, free))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => silent(name),
        Ok(Err(error)) => refused(name, &error),
        Ok(Ok((took, at, tables, free))) => vec![
            latency(name, took),
            clock(name, at, SystemClock::shared().now(), took),
            Check::that(
                ["seats", "reservations", "payments"]
                    .iter()
                    .all(|table| tables.iter().any(|found| found == table)),
                "tables",
                format!(
                    "found {}",
                    if tables.is_empty() {
                        "none".to_owned()
                    } else {
                        tables.join(", ")
                    }
                ),
                "start booking and payment once: they migrate their schemas",
            ),
            Check::that(
                free >= 10,
                "database connections",
                format!("{free} free"),
                "raise max_connections, or lower DATABASE_POOL_MAX",
            ),
        ],
    }
}

async fn redis(variables: &BTreeMap<String, String>, sale: &Sale) -> Vec<Check> {
    let name = "Redis";
    let Some(url) = variables.get("REDIS_URL") else {
        return vec![Check::skip(name, VARIABLES)];
    };
    if url.starts_with("redis+cluster") {
        return vec![Check::skip(
            name,
            "a cluster is looked at by the control plane: see `records in place`",
        )];
    }
    let prefix = variables.get("REDIS_KEY_PREFIX").map_or("", String::as_str);
    // Braces are literal: the cluster's hash tag (api-contract.md section 6).
    let limits_key = format!("{prefix}{{{}}}:limits", sale.id);
    let asked = async {
        let mut conn = ::redis::Client::open(url.as_str())?
            .get_multiplexed_async_connection()
            .await?;
        let began = Instant::now();
        let (s, us): (i64, i64) = ::redis::cmd("TIME").query_async(&mut conn).await?;
        let took = began.elapsed();
        let at = Millis(s * 1000 + us / 1000);
        let policy: Vec<String> = ::redis::cmd("CONFIG")
            .arg("GET")
            .arg("maxmemory-policy")
            .query_async(&mut conn)
            .await
            .unwrap_or_default();
        let limits: BTreeMap<String, String> = conn.hgetall(&limits_key).await?;
        // Lua is what admits: a server without it, or with it forbidden, admits nobody.
        let scripts: i64 = ::redis::cmd("EVAL")
            .arg("return 7")
            .arg(0)
            .query_async(&mut conn)
            .await
            .unwrap_or_default();
        Ok::<_, ::redis::RedisError>((took, at, policy, limits, scripts))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => silent(name),
        Ok(Err(error)) => refused(name, &error),
        Ok(Ok((took, at, policy, limits, scripts))) => {
            let policy = policy.get(1).map_or("unknown", String::as_str);
            vec![
                latency(name, took),
                clock(name, at, SystemClock::shared().now(), took),
                Check::that(
                    matches!(policy, "noeviction" | "unknown"),
                    "Redis keeps what it holds",
                    format!("maxmemory-policy is {policy}"),
                    "set it to noeviction: a line that is evicted is lost",
                ),
                Check::that(
                    scripts == 7,
                    "scripts",
                    "Lua runs",
                    "allow EVAL and EVALSHA to the services' user",
                ),
                Check::that(
                    limits.contains_key("epoch"),
                    "limits of the sale",
                    match (limits.get("rate_per_s"), limits.get("cap")) {
                        (Some(rate), Some(cap)) => format!("{rate}/s, cap {cap}"),
                        _ => "none".to_owned(),
                    },
                    "the control plane writes them: see `records in place`",
                ),
            ]
        }
    }
}

async fn dynamo(variables: &BTreeMap<String, String>, sale: &Sale) -> Vec<Check> {
    let name = "DynamoDB";
    let mut words = vec!["preflight".to_owned()];
    for (variable, flag) in [
        ("DYNAMODB_ENDPOINT", "--dynamodb-endpoint"),
        ("DYNAMODB_TABLE_PREFIX", "--table-prefix"),
    ] {
        if let Some(value) = variables.get(variable) {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    if words.len() == 1 {
        return vec![Check::skip(name, VARIABLES)];
    }
    let settings = match Given::try_parse_from(words) {
        Ok(given) => given.settings,
        Err(error) => return vec![Check::fail(name, error.to_string(), VARIABLES)],
    };
    let began = Instant::now();
    let rooms = async { Rooms::new(&Dynamo::connect(&settings).await).get(sale.id).await };
    let remedy = "the control plane writes it: see `records in place`";
    match tokio::time::timeout(PATIENCE, rooms).await {
        Err(_) => silent(name),
        Ok(Err(error)) => vec![Check::fail(
            name,
            crate::failure::with_causes(&error),
            "do its tables exist, and are the variables its own?",
        )],
        Ok(Ok(None)) => vec![
            latency(name, began.elapsed()),
            Check::fail("record of the waiting room", "there is none", remedy),
        ],
        Ok(Ok(Some(room))) => {
            let mut checks = vec![
                latency(name, began.elapsed()),
                Check::that(
                    room.mode == Mode::Active && room.opens_at == sale.schedule.opens_at,
                    "record of the waiting room",
                    format!("line {}, {:?}, opens as announced", room.epoch, room.mode).to_lowercase(),
                    remedy,
                ),
            ];
            if sale.ordering == Ordering::Shuffle {
                checks.push(Check::that(
                    room.draw.commitment.is_some() || room.issued == 0,
                    "commitment to the draw",
                    room.draw.commitment.map_or_else(
                        || "comes with the first who joins".to_owned(),
                        |commitment| format!("{}...", &commitment.to_hex()[..16]),
                    ),
                    "somebody joined before it was published: begin a new line",
                ));
            }
            checks
        }
    }
}
