//! A role and a schema for each service (R-DATA-01): it sees its own tables and no others.

use super::EngineError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::str::FromStr as _;

/// Makes role and schema `role` if they are missing, with that password, and returns the URL to
/// use it with. Safe to repeat and to run from several processes at once.
///
/// # Errors
/// When the name cannot be a role or the server refuses.
pub async fn provision(admin_url: &str, role: &str, password: &str) -> Result<String, EngineError> {
    let url = with_credentials(admin_url, role, password)?;
    make(admin_url, role, password).await?;
    Ok(url)
}

/// As [`provision`], with role and password taken from a service's URL.
pub(crate) async fn provision_url(admin_url: &str, url: &str) -> Result<(), EngineError> {
    let (role, password) = credentials(url)?;
    make(admin_url, role, password).await
}

async fn make(admin_url: &str, role: &str, password: &str) -> Result<(), EngineError> {
    check_name(role)?;
    check_password(password)?;
    let failed = |source| EngineError::Provision {
        role: role.to_owned(),
        source,
    };
    let options = PgConnectOptions::from_str(admin_url).map_err(failed)?;
    let mut conn = PgConnection::connect_with(&options).await.map_err(failed)?;
    // Names were checked above: nothing in them can end a literal or an identifier. The
    // transaction's lock makes concurrent calls take turns; the role gets nothing but its schema.
    let script = format!(
        "DO $$ BEGIN
             PERFORM pg_advisory_xact_lock(hashtextextended('urr-provision', 0));
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                 CREATE ROLE \"{role}\" LOGIN PASSWORD '{password}' NOSUPERUSER NOCREATEDB NOCREATEROLE;
                 EXECUTE format('ALTER ROLE \"{role}\" IN DATABASE %I SET search_path = \"{role}\"', current_database());
             END IF;
             IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '{role}') THEN
                 CREATE SCHEMA \"{role}\" AUTHORIZATION \"{role}\";
             END IF;
             IF has_schema_privilege('public', 'public', 'CREATE') THEN
                 REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             END IF;
         END $$"
    );
    let made = sqlx::raw_sql(AssertSqlSafe(script))
        .execute(&mut conn)
        .await
        .map_err(failed);
    // What counts is whether it was made, not the goodbye.
    let _ = conn.close().await;
    made.map(drop)
}

/// `url` with another role and password.
fn with_credentials(url: &str, role: &str, password: &str) -> Result<String, EngineError> {
    check_name(role)?;
    check_password(password)?;
    let (scheme, _, rest) = split(url)?;
    Ok(format!("{scheme}://{role}:{password}@{rest}"))
}

fn credentials(url: &str) -> Result<(&str, &str), EngineError> {
    let (_, credentials, _) = split(url)?;
    credentials
        .split_once(':')
        .ok_or_else(|| bad_url("it names no password"))
}

/// Scheme, credentials, and all behind the `@`.
fn split(url: &str) -> Result<(&str, &str, &str), EngineError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad_url("it has no scheme"))?;
    let (credentials, rest) = rest.split_once('@').ok_or_else(|| bad_url("it names no role"))?;
    Ok((scheme, credentials, rest))
}

fn bad_url(problem: &str) -> EngineError {
    EngineError::BadName {
        what: "the database URL",
        problem: problem.to_owned(),
    }
}

fn check_name(role: &str) -> Result<(), EngineError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let starts_well = role.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if starts_well && role.len() <= 63 && role.bytes().all(plain) && !role.starts_with("pg_") {
        return Ok(());
    }
    Err(EngineError::BadName {
        what: "the role's name",
        problem: format!("`{role}` is not made of up to 63 of a-z, 0-9 and _"),
    })
}

fn check_password(password: &str) -> Result<(), EngineError> {
    if !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(EngineError::BadName {
        what: "the role's password",
        problem: "when roles are made on demand it may hold only letters and digits".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_break_out_of_a_statement_is_refused() {
        for name in [
            "",
            "A",
            "a b",
            "a\"b",
            "a'b",
            "a;drop",
            "1a",
            "pg_read_all_data",
            &"a".repeat(64),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("urr_booking").is_ok());
        assert!(check_password("a'b").is_err());
        assert!(check_password("").is_err());
    }

    #[test]
    fn a_url_keeps_everything_but_its_credentials() {
        let url = with_credentials("postgres://admin:x@localhost/db?host=%2Ftmp%2Fa", "urr_a", "p1");
        assert_eq!(url.unwrap(), "postgres://urr_a:p1@localhost/db?host=%2Ftmp%2Fa");
        assert_eq!(credentials("postgres://u:p@h/d").unwrap(), ("u", "p"));
    }
}
