//! The drill that runs on this machine, for the other commands of the same user: where its control
//! API is, and with which token. A file per drill in a directory only its owner can read; it goes
//! with the drill, and one left behind by a killed drill is swept by whoever looks.

use rustix::process::{Pid, geteuid};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use urr_core::{sale::SaleId, time::Millis};

/// A drill that is running.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// What a person calls it.
    pub(crate) title: String,
    /// Base URL of its control API.
    pub(crate) control_url: String,
    /// The control API's token.
    pub(crate) token: String,
    /// Its sale.
    pub(crate) sale: SaleId,
    /// Base URL of its public entry.
    pub(crate) public_url: String,
    /// The variables its services were started with: engines and secrets.
    pub(crate) env: BTreeMap<String, String>,
    /// When it was announced.
    pub(crate) since: Millis,
}

/// Shows no secrets.
impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("pid", &self.pid)
            .field("title", &self.title)
            .field("sale", &self.sale)
            .finish_non_exhaustive()
    }
}

/// Takes the announcement back when dropped.
#[derive(Debug)]
pub(crate) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // What is left behind is swept by the next who looks.
        let _ = fs::remove_file(&self.0);
    }
}

/// Lets the other commands of this user find `drill`.
pub(crate) fn announce(drill: &Running) -> io::Result<Announced> {
    announce_in(&directory(), drill)
}

/// All drills of this user that are running, the newest last.
pub(crate) fn all() -> Vec<Running> {
    all_in(&directory())
}

/// `$XDG_RUNTIME_DIR/ticketctl`, or one in `/tmp` that carries the user's number.
fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("ticketctl"),
        None => PathBuf::from(format!("/tmp/ticketctl-{}", geteuid().as_raw())),
    }
}

fn announce_in(dir: &Path, drill: &Running) -> io::Result<Announced> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if !is_ours(dir) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to somebody else or is open to others", dir.display()),
        ));
    }
    let path = dir.join(format!("{}.json", drill.pid));
    let beside = path.with_extension("part");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&serde_json::to_vec(drill)?)?;
    fs::rename(&beside, &path)?;
    Ok(Announced(path))
}

fn all_in(dir: &Path) -> Vec<Running> {
    // Whoever may write here could send our commands, and the token, elsewhere.
    if !is_ours(dir) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut running: Vec<Running> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ext| ext == "json"))
        .filter_map(|entry| {
            let text = fs::read(entry.path()).ok()?;
            let drill: Option<Running> = serde_json::from_slice(&text).ok();
            let drill = drill.filter(|drill| is_alive(drill.pid));
            if drill.is_none() {
                let _ = fs::remove_file(entry.path());
            }
            drill
        })
        .collect();
    running.sort_by_key(|drill| (drill.since, drill.pid));
    running
}

fn is_ours(dir: &Path) -> bool {
    fs::symlink_metadata(dir)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0)
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn drill(pid: u32) -> Running {
        Running {
            pid,
            title: "x".into(),
            control_url: "http://127.0.0.1:1".into(),
            token: "t".into(),
            sale: uuid::Uuid::nil(),
            public_url: String::new(),
            env: BTreeMap::new(),
            since: Millis(0),
        }
    }

    #[test]
    fn a_running_drill_is_found_and_a_dead_one_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("t");
        let announced = announce_in(&dir, &drill(std::process::id())).unwrap();
        // No process has the largest number there is.
        let dead = announce_in(&dir, &drill(i32::MAX.unsigned_abs())).unwrap();
        assert_eq!(all_in(&dir).len(), 1);
        assert!(!dead.0.exists());
        let mode = fs::metadata(&announced.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "a token lies in it");
        drop(announced);
        assert!(all_in(&dir).is_empty());
    }

    #[test]
    fn a_directory_open_to_others_is_not_trusted() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("t");
        let _announced = announce_in(&dir, &drill(std::process::id())).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(all_in(&dir).is_empty());
        assert!(announce_in(&dir, &drill(std::process::id())).is_err());
        assert!(!format!("{:?}", drill(1)).contains("token"));
    }
}
