//! Whether this machine can carry the generator, asked before the run and not found out in it.

use crate::http::PORTS_PER_SOURCE;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;

/// What is missing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Shortage {
    /// Not enough file descriptors.
    #[error(
        "the generator needs {needed} file descriptors and may open {limit}; raise `ulimit -n` or lower `limits.connections` or `browsers`"
    )]
    FileDescriptors {
        /// How many it would use at most.
        needed: u64,
        /// How many it may.
        limit: u64,
    },
    /// Not enough local ports.
    #[error(
        "the generator needs {needed} connections and this machine has {limit} local ports; lower `limits.connections` or `browsers`"
    )]
    Ports {
        /// How many it would use at most.
        needed: u64,
        /// How many there are.
        limit: u64,
    },
}

/// Connections a browser opens at once, at most: the journey asks one thing at a time, or presses
/// one button ten times.
const PER_BROWSER: u64 = 10;
/// Files, timers and everything else this process has open, engines' sockets included.
const OTHERS: u64 = 256;

/// Checks descriptors and ports for `connections` and `browsers`; raises the soft limit of open files
/// where the hard one leaves room.
///
/// # Errors
/// [`Shortage`], with the figures.
pub(super) fn check(connections: u32, browsers: usize) -> Result<(), Shortage> {
    let sockets = u64::from(connections) + browsers as u64 * PER_BROWSER;
    let limit = raise_descriptors(sockets + OTHERS);
    judge(sockets, limit, ports(), sources(connections))
}

fn judge(sockets: u64, descriptors: Option<u64>, ports: Option<u64>, sources: u64) -> Result<(), Shortage> {
    let needed = sockets + OTHERS;
    if let Some(limit) = descriptors.filter(|limit| *limit < needed) {
        return Err(Shortage::FileDescriptors { needed, limit });
    }
    if let Some(limit) = ports
        .map(|ports| ports * sources)
        .filter(|limit| *limit < sockets)
    {
        return Err(Shortage::Ports {
            needed: sockets,
            limit,
        });
    }
    Ok(())
}

/// Source addresses that `connections` leave from; see [`PORTS_PER_SOURCE`].
fn sources(connections: u32) -> u64 {
    u64::from(connections.div_ceil(PORTS_PER_SOURCE).max(1))
}

/// Descriptors this process may open, after asking for `needed`; `None` where that is not limited.
fn raise_descriptors(needed: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    if current >= needed {
        return Some(current);
    }
    let most = limit.maximum.map_or(needed, |hard| hard.min(needed));
    let raised = Rlimit {
        current: Some(most),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => Some(most),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            Some(current)
        }
    }
}

/// What this process took of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// The most memory it had, bytes; 0 where the system does not tell.
    pub(super) memory_most_bytes: u64,
    /// Files it has open.
    pub(super) files: u64,
    /// Files it may open; 0 where the system does not tell.
    pub(super) files_limit: u64,
}

/// What this process has taken so far.
pub(super) fn taken() -> Taken {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak_kib = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files_limit = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    Taken {
        memory_most_bytes: peak_kib.unwrap_or(0).saturating_mul(1024),
        files: std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        files_limit: files_limit.unwrap_or(0),
    }
}

/// Local ports for connections to one address.
fn ports() -> Option<u64> {
    let path = Path::new("/proc/sys/net/ipv4/ip_local_port_range");
    let range = std::fs::read_to_string(path).ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (low, high) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(high.saturating_sub(low) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_open_files_and_a_limit() {
        let taken = taken();
        assert!(taken.memory_most_bytes > 1_000_000, "{taken:?}");
        assert!((3..=taken.files_limit).contains(&taken.files), "{taken:?}");
    }

    #[test]
    fn too_few_descriptors_or_ports_are_named_before_the_run() {
        assert_eq!(
            judge(1000, Some(1024), None, 1),
            Err(Shortage::FileDescriptors {
                needed: 1256,
                limit: 1024
            })
        );
        assert_eq!(
            judge(1000, Some(20_000), Some(500), 1),
            Err(Shortage::Ports {
                needed: 1000,
                limit: 500
            })
        );
        assert_eq!(judge(1000, None, None, 1), Ok(()));
        assert_eq!(judge(1000, Some(20_000), Some(500), 2), Ok(()));
        assert!(ports().is_some_and(|n| n > 0));
    }

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed_and_allowed() {
        let limit = getrlimit(Resource::Nofile);
        let (Some(soft), Some(hard)) = (limit.current, limit.maximum) else {
            return;
        };
        let wanted = (soft + 1).min(hard);
        assert_eq!(raise_descriptors(wanted), Some(wanted.max(soft)));
        assert!(raise_descriptors(hard + 1).is_some_and(|granted| granted <= hard));
    }
}
