//! The directory of a run: written under a hidden name, renamed when it is complete. A directory
//! with the final name is a finished run, always.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A run's directory while it is being filled. Dropped unfinished, it disappears.
#[derive(Debug)]
pub(crate) struct RunDir {
    partial: PathBuf,
    target: PathBuf,
    open: bool,
}

/// Why there is no place for a run's files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunDirError {
    /// A finished run has that name.
    #[error("{} exists already; give another --out", .0.display())]
    Exists(PathBuf),
    /// The file system says no.
    #[error("cannot write the run's files to {}", .path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl RunDir {
    /// Prepares `target`; nothing of that name is visible until [`RunDir::finish`].
    pub(crate) fn create(target: &Path) -> Result<Self, RunDirError> {
        if target.exists() {
            return Err(RunDirError::Exists(target.to_owned()));
        }
        let name = target
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_else(|| "run".to_owned());
        let partial = target.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        fs::create_dir_all(&partial).map_err(|source| RunDirError::Unwritable {
            path: partial.clone(),
            source,
        })?;
        Ok(Self {
            partial,
            target: target.to_owned(),
            open: true,
        })
    }

    /// Where files go now.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// The run is complete: it gets its name.
    pub(crate) fn finish(mut self) -> Result<PathBuf, RunDirError> {
        self.rename_to(self.target.clone())
    }

    /// The run failed, and somebody wants to see why: its logs stay under a name that says so.
    pub(crate) fn keep_failed(mut self) -> Result<PathBuf, RunDirError> {
        let mut name = self
            .target
            .file_name()
            .map(std::ffi::OsStr::to_owned)
            .unwrap_or_default();
        name.push("-failed");
        self.rename_to(self.target.with_file_name(name))
    }

    fn rename_to(&mut self, target: PathBuf) -> Result<PathBuf, RunDirError> {
        fs::rename(&self.partial, &target).map_err(|source| RunDirError::Unwritable {
            path: target.clone(),
            source,
        })?;
        self.open = false;
        Ok(target)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = fs::remove_dir_all(&self.partial)
        {
            tracing::warn!(%error, dir = %self.partial.display(), "an unfinished run was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_appears_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("runs/night");
        let run = RunDir::create(&target).unwrap();
        fs::write(run.path().join("report.json"), "{}").unwrap();
        assert!(!target.exists());
        run.finish().unwrap();
        assert!(target.join("report.json").exists());

        assert!(matches!(RunDir::create(&target), Err(RunDirError::Exists(_))));

        let unfinished = RunDir::create(&place.path().join("runs/other")).unwrap();
        drop(unfinished);
        assert_eq!(fs::read_dir(place.path().join("runs")).unwrap().count(), 1);

        let failed = RunDir::create(&place.path().join("runs/third")).unwrap();
        assert!(failed.keep_failed().unwrap().ends_with("third-failed"));
    }
}
