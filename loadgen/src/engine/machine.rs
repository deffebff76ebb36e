//! Whether this machine can carry the generator, asked before the run and not found out in it.

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

/// Checks descriptors and ports for `connections` and `browsers`.
///
/// # Errors
/// [`Shortage`], with the figures.
pub(super) fn check(connections: u32, browsers: u32) -> Result<(), Shortage> {
    let sockets = u64::from(connections) + u64::from(browsers) * PER_BROWSER;
    judge(sockets, descriptors(), ports())
}

fn judge(sockets: u64, descriptors: Option<u64>, ports: Option<u64>) -> Result<(), Shortage> {
    let needed = sockets + OTHERS;
    if let Some(limit) = descriptors.filter(|limit| *limit < needed) {
        return Err(Shortage::FileDescriptors { needed, limit });
    }
    if let Some(limit) = ports.filter(|limit| *limit < sockets) {
        return Err(Shortage::Ports {
            needed: sockets,
            limit,
        });
    }
    Ok(())
}

/// Descriptors this process may open; `None` where that is not limited or not known.
fn descriptors() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
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
    fn too_few_descriptors_or_ports_are_named_before_the_run() {
        assert_eq!(
            judge(1000, Some(1024), None),
            Err(Shortage::FileDescriptors {
                needed: 1256,
                limit: 1024
            })
        );
        assert_eq!(
            judge(1000, Some(20_000), Some(500)),
            Err(Shortage::Ports {
                needed: 1000,
                limit: 500
            })
        );
        assert_eq!(judge(1000, None, None), Ok(()));
        assert!(descriptors().is_some_and(|n| n > 0) && ports().is_some_and(|n| n > 0));
    }
}
