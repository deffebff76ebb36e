//! The binaries of the control plane: those in `$KUBEBUILDER_ASSETS`, or what `tools/kube.sh` built
//! once from pinned sources. The script is asked every time: warm, it answers within milliseconds,
//! and it alone knows the key of its cache.

use crate::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Assets {
    dir: PathBuf,
    setpriv: PathBuf,
}

impl Assets {
    /// Finds the programs, building them if nobody did yet; then this takes minutes, with progress
    /// on stderr (which the test harness does not swallow).
    ///
    /// # Errors
    /// When they are neither there nor can be built; the script has said why on stderr.
    pub fn find() -> Result<Self, Error> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/kube.sh");
        let output = Command::new(&script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| Error::file(&script, source))?;
        let dir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || dir.is_empty() {
            return Err(Error::Assets {
                problem: format!("tools/kube.sh ended with {}, see above", output.status),
            });
        }
        Ok(Self {
            dir: PathBuf::from(dir),
            setpriv: on_path("setpriv").ok_or_else(|| Error::Assets {
                problem: "setpriv is missing; install util-linux".to_owned(),
            })?,
        })
    }

    /// The path of `program`.
    #[must_use]
    pub fn program(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    pub(crate) fn setpriv(&self) -> &Path {
        &self.setpriv
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}
