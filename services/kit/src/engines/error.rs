//! Why the engines did not start, each with its remedy.

use std::path::PathBuf;

/// An engine could not be started, reached or provisioned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A program is not installed.
    #[error("`{program}` was not found on PATH nor in {searched}: install it with `{remedy}`")]
    MissingProgram {
        /// Its name.
        program: &'static str,
        /// Where else was looked.
        searched: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// PostgreSQL refuses to run as root and nobody else is there to run it.
    #[error(
        "PostgreSQL refuses to run as root and neither user `postgres` nor `nobody` exists: \
         run as another user, or `useradd --system postgres`"
    )]
    NoUserForPostgres,
    /// A port that was asked for is taken.
    #[error("port {port} for {engine} is in use: stop what uses it, or choose another port")]
    PortInUse {
        /// Who wanted it.
        engine: &'static str,
        /// The port on 127.0.0.1.
        port: u16,
    },
    /// The disk filled up while an engine was starting.
    #[error(
        "the disk of {path} filled up while {engine} was starting; \
         free some space, or set TMPDIR to another disk"
    )]
    DiskFilledUp {
        /// Which engine noticed.
        engine: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// Not enough space to start with.
    #[error(
        "the disk of {path} is full: {free_mb} MB free, {needed_mb} MB needed; \
         free some, or set TMPDIR to another disk"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// What is left.
        free_mb: u64,
        /// What is needed.
        needed_mb: u64,
    },
    /// A unix socket's path must fit 107 bytes.
    #[error("{path} is too long for a unix socket: set TMPDIR to a shorter path, such as /tmp")]
    PathTooLong {
        /// The directory.
        path: PathBuf,
    },
    /// An engine ended or did not answer in time.
    #[error("{engine} did not start: {problem}\n{log}")]
    DidNotStart {
        /// Which.
        engine: &'static str,
        /// What was seen.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// A file or process operation failed.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The DynamoDB emulator refused to start.
    #[error("the DynamoDB emulator did not start: {problem}")]
    Dynamo {
        /// Why.
        problem: String,
    },
    /// A role or schema could not be made.
    #[error("the role and schema `{role}` could not be made")]
    Provision {
        /// The role, and its schema.
        role: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A database URL or role name that cannot be used.
    #[error("{what} cannot be used: {problem}")]
    BadName {
        /// What.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl EngineError {
    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io {
            doing: doing.into(),
            source,
        }
    }
}
