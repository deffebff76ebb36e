//! Why there is no control plane, each with its remedy.

use std::path::PathBuf;
use urr_kit::engines::EngineError;

/// The control plane could not be started, reached or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The binaries could not be found or built.
    #[error("no binaries for a control plane: {problem}")]
    Assets {
        /// What is missing and how to get it.
        problem: String,
    },
    /// A process could not be started.
    #[error("a process of the control plane could not be started")]
    Process(#[from] EngineError),
    /// A process ended or did not answer in time.
    #[error("{program} did not come up: {problem}\n{log}")]
    DidNotStart {
        /// Which.
        program: &'static str,
        /// What was seen.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// A file of the control plane could not be written or read.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The API server refused or did not answer.
    #[error("the API server did not do it")]
    Api(#[from] kube::Error),
    /// The kubeconfig could not be used.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// `USE_EXISTING_CLUSTER` is set and there is none.
    #[error("USE_EXISTING_CLUSTER is set, but no cluster was found: set KUBECONFIG")]
    NoExistingCluster(#[source] kube::config::InferConfigError),
    /// The operating system refused something.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It did not happen in time.
    #[error("after {waited_s} s still not: {what} (last seen: {seen})")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited_s: u64,
        /// What was there instead.
        seen: String,
    },
    /// This cluster is not ours, so that cannot be done to it.
    #[error("an existing cluster is in use: {what} needs one of our own")]
    NotOurs {
        /// What was asked.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }
}
