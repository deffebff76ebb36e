//! The directory of a run, and sweeping those of runs that crashed.
//!
//! `urr-engines-<pid>-<start>-<random>`: the owner's process id and start time are in the name, so
//! there is no moment at which a directory has no owner, and a lock on `owner.lock` says whether the
//! owner lives even across process namespaces. `children` lists the processes started for it, with
//! their start times; a sweep ends a process only if both still match.

use super::{EngineError, EngineOptions};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PREFIX: &str = "urr-engines-";
/// A unix socket's path takes 107 bytes; this is the longest name we put into the directory.
const SOCKET_PATH_MAX: usize = 107;
const LONGEST_SOCKET: &str = "/postgres/run/.s.PGSQL.65535.lock";

/// The directory of this run, removed on drop.
pub struct Lair {
    path: PathBuf,
    _lock: File,
    removed: bool,
}

impl Lair {
    /// Sweeps what crashed runs left in the base directory, then makes one for this run.
    ///
    /// # Errors
    /// Too little space, or a directory that cannot be made.
    pub fn make(options: &EngineOptions) -> Result<Self, EngineError> {
        let base = options.base_dir.clone().unwrap_or_else(std::env::temp_dir);
        sweep(&base);
        let (pid, random) = (std::process::id(), rand::random::<u32>());
        let started = start_time(pid).unwrap_or_default();
        let path = base.join(format!("{PREFIX}{pid}-{started}-{random:08x}"));
        if path.as_os_str().len() + LONGEST_SOCKET.len() > SOCKET_PATH_MAX {
            return Err(EngineError::PathTooLong { path });
        }
        check_space(&base, options.free_mb_min)?;
        let making = |source| EngineError::io(format!("make {}", path.display()), source);
        fs::create_dir(&path).map_err(making)?;
        let locked = (|| {
            // Others may walk through (PostgreSQL runs as another user) but not look around.
            fs::set_permissions(&path, Permissions::from_mode(0o711))?;
            let lock = File::create(path.join("owner.lock"))?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            io::Result::Ok(lock)
        })();
        match locked {
            Ok(lock) => Ok(Self {
                path,
                _lock: lock,
                removed: false,
            }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(making(error))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with everything in it.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove(mut self) -> Result<(), EngineError> {
        self.removed = true;
        remove(&self.path)
            .map_err(|source| EngineError::io(format!("remove {}", self.path.display()), source))
    }
}

/// Writes down that process `pid` was started for the directory `dir` of a run.
///
/// # Errors
/// When the list cannot be written.
pub fn register(dir: &Path, pid: u32) -> Result<(), EngineError> {
    // It has ended already: nothing to sweep.
    let Some(started) = start_time(pid) else {
        return Ok(());
    };
    let file = dir.join("children");
    File::options()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut list| writeln!(list, "{pid} {started}"))
        .map_err(|source| EngineError::io(format!("write {}", file.display()), source))
}

impl Drop for Lair {
    fn drop(&mut self) {
        if !self.removed {
            // Best effort: the next run sweeps what stays.
            let _ = remove(&self.path);
        }
    }
}

/// Removal may race with an engine that writes its last file: try for a moment, which is longer than
/// it looks on a machine where others keep a killed process from ending.
fn remove(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            outcome => return outcome,
        }
    }
}

fn check_space(path: &Path, needed_mb: u64) -> Result<(), EngineError> {
    let free_mb =
        free_mb(path).map_err(|source| EngineError::io(format!("look at {}", path.display()), source))?;
    if free_mb < needed_mb {
        return Err(EngineError::DiskFull {
            path: path.to_owned(),
            free_mb,
            needed_mb,
        });
    }
    Ok(())
}

/// Free space for unprivileged users, in MB.
fn free_mb(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize) / 1_000_000)
}

/// When process `pid` started, in clock ticks since boot; `None` if there is no such process or it
/// is only waiting to be collected.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is fields 3, 4, ..
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Removes the directories of crashed runs in `base` and ends what still runs for them. Returns how
/// many were removed. What belongs to a living run, or cannot be read, is left alone.
pub fn sweep(base: &Path) -> usize {
    let Ok(entries) = fs::read_dir(base) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_orphan_name))
        .filter(|entry| is_unlocked(&entry.path()))
        .filter(|entry| {
            end_children(&entry.path());
            remove(&entry.path()).is_ok()
        })
        .count()
}

/// Whether this is the name of a run's directory whose owner is gone.
fn is_orphan_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let mut parts = rest.split('-');
    let (Some(pid), Some(started)) = (number(parts.next()), number(parts.next())) else {
        return false;
    };
    u32::try_from(pid).is_ok_and(|pid| start_time(pid) != Some(started))
}

fn number(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}

/// Whether nobody holds the owner's lock. No lock file: the owner died before making it.
fn is_unlocked(dir: &Path) -> bool {
    match File::open(dir.join("owner.lock")) {
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Ends the processes started for `dir` that are still the same processes.
fn end_children(dir: &Path) {
    let list = fs::read_to_string(dir.join("children")).unwrap_or_default();
    for line in list.lines() {
        let mut parts = line.split(' ');
        let (Some(pid), Some(started)) = (number(parts.next()), number(parts.next())) else {
            continue;
        };
        let Ok(raw) = i32::try_from(pid) else { continue };
        let Some(handle) = Pid::from_raw(raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        else {
            continue;
        };
        // Compared after the handle was taken: from here on it is this process or none.
        let is_same = || u32::try_from(pid).ok().and_then(start_time) == Some(started);
        if !is_same() {
            continue;
        }
        // Immediate shutdown for PostgreSQL, plain end for Redis; then the hard way.
        for (signal, limit_s) in [(Signal::QUIT, 2), (Signal::KILL, 2)] {
            let _ = pidfd_send_signal(&handle, signal);
            let deadline = Instant::now() + Duration::from_secs(limit_s);
            while is_same() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_dir(base: &Path) -> EngineOptions {
        EngineOptions {
            base_dir: Some(base.to_owned()),
            ..EngineOptions::default()
        }
    }

    #[test]
    fn a_living_run_is_not_swept_and_a_dead_one_is() {
        let base = tempfile::tempdir().unwrap();
        let living = Lair::make(&in_dir(base.path())).unwrap();
        // Process 1 lives, but did not start at tick 1: this owner is gone.
        let dead = base.path().join("urr-engines-1-1-deadbeef");
        fs::create_dir(&dead).unwrap();
        let unrelated = base.path().join("urr-engines-notes");
        fs::create_dir(&unrelated).unwrap();
        assert_eq!(sweep(base.path()), 1);
        assert!(living.path().exists() && unrelated.exists() && !dead.exists());
    }

    #[test]
    fn a_locked_directory_is_not_swept_even_if_its_owner_cannot_be_seen() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("urr-engines-1-1-00000000");
        fs::create_dir(&dir).unwrap();
        let lock = File::create(dir.join("owner.lock")).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(sweep(base.path()), 0);
        drop(lock);
        assert_eq!(sweep(base.path()), 1);
    }

    #[test]
    fn a_sweep_ends_a_listed_process_only_if_it_is_still_the_same_one() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("urr-engines-1-1-00000001");
        fs::create_dir(&dir).unwrap();
        let mut same = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = start_time(same.id()).unwrap();
        let list = format!("{} {started}\n{} 1\n", same.id(), other.id());
        fs::write(dir.join("children"), list).unwrap();
        assert_eq!(sweep(base.path()), 1);
        assert!(!same.wait().unwrap().success(), "ended by a signal");
        assert!(
            other.try_wait().unwrap().is_none(),
            "another process with that number lives on"
        );
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_full_disk_is_said_before_anything_is_made() {
        let base = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            free_mb_min: u64::MAX,
            ..in_dir(base.path())
        };
        let error = Lair::make(&options).err().unwrap();
        assert!(matches!(error, EngineError::DiskFull { .. }), "{error}");
        assert!(error.to_string().contains("TMPDIR"));
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_said_before_anything_is_made() {
        let base = tempfile::tempdir().unwrap();
        let long = base.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        let error = Lair::make(&in_dir(&long)).err().unwrap();
        assert!(matches!(error, EngineError::PathTooLong { .. }), "{error}");
    }
}
