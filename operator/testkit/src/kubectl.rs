//! The real `kubectl`, with nothing of the user's configuration.

use crate::Error;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How a program ended and what it said.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// What it printed, if it ended well.
    ///
    /// # Errors
    /// Its complaint.
    pub fn ok(self) -> Result<String, String> {
        if self.status.success() {
            Ok(self.stdout)
        } else {
            Err(format!("{}: {}{}", self.status, self.stdout, self.stderr))
        }
    }

    /// What it complained about, if it did not end well.
    ///
    /// # Errors
    /// What it printed instead.
    pub fn refused(self) -> Result<String, String> {
        if self.status.success() {
            Err(self.stdout)
        } else {
            Ok(self.stderr)
        }
    }
}

pub(crate) async fn run<A: AsRef<str>>(
    kubectl: &Path,
    kubeconfig: &Path,
    args: &[A],
    input: Option<&str>,
) -> Result<Output, Error> {
    let failed = |source| Error::Io {
        doing: "run kubectl",
        source,
    };
    let mut child = Command::new(kubectl)
        .args(args.iter().map(AsRef::as_ref))
        .env("KUBECONFIG", kubeconfig)
        // Discovery is cached per cluster address, and ours are used again by other clusters.
        .env("KUBECACHEDIR", kubeconfig.with_extension("kubectl-cache"))
        .env_remove("KUBECTL_EXTERNAL_DIFF")
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // A kubectl that ends before it has read everything says why on its own.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
