//! Opening connections: which address from which address, and what ran out when it fails.
//!
//! One source address has some 28,000 ports for one destination. Loopback is a whole network, so
//! from there connections go out in turn from as many 127.0.0.x as their number needs.

use serde::{Deserialize, Serialize};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Longest wait for a connection to stand.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// Connections from one source address: the usual range of local ports, less a share for others and
/// for those that have just closed.
pub const PORTS_PER_SOURCE: u32 = 20_000;
/// Most source addresses: 127.0.0.1 to 127.0.0.64.
const SOURCES_MAX: u32 = 64;

/// What became of attempts to connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialled {
    /// Connections that stood.
    pub opened: u64,
    /// Refused or broken off by the other side, or not answered.
    pub refused: u64,
    /// Not tried because this machine had no local port left.
    pub out_of_ports: u64,
    /// Not tried because this process may open no more files.
    pub out_of_files: u64,
}

impl Dialled {
    /// Adds another worker's.
    pub(crate) const fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.out_of_ports += other.out_of_ports;
        self.out_of_files += other.out_of_files;
    }
}

#[derive(Debug, Default)]
struct Counted {
    opened: AtomicU64,
    refused: AtomicU64,
    out_of_ports: AtomicU64,
    out_of_files: AtomicU64,
}

/// Opens connections to one place.
#[derive(Debug)]
pub(crate) struct Dialler {
    to: SocketAddr,
    /// How many source addresses; 0 leaves the choice to the system.
    sources: u32,
    next: AtomicU64,
    counted: Counted,
}

impl Dialler {
    /// A dialler for `connections` to the host of `base`.
    ///
    /// # Errors
    /// When the host has no address.
    pub(crate) fn new(base: &reqwest::Url, connections: u32) -> io::Result<Self> {
        let host = base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = base.port_or_known_default().unwrap_or(80);
        let to = (bare, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
        let sources = match to.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => {
                connections.div_ceil(PORTS_PER_SOURCE).clamp(1, SOURCES_MAX)
            }
            _ => 0,
        };
        Ok(Self {
            to,
            // One address needs no choosing, and choosing costs a system call.
            sources: if sources > 1 { sources } else { 0 },
            next: AtomicU64::new(0),
            counted: Counted::default(),
        })
    }

    /// A new connection.
    ///
    /// # Errors
    /// What the system said; counted.
    pub(crate) async fn dial(&self) -> io::Result<TcpStream> {
        let outcome = match tokio::time::timeout(CONNECTED_WITHIN, self.connect()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let counter = match &outcome {
            Ok(_) => &self.counted.opened,
            Err(error) => self.counter_of(error),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = if self.to.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(source) = self.source() {
            // Without this the kernel would reserve the port for all destinations at once.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.set_nodelay(true)?;
        socket.connect(self.to).await
    }

    /// The next source address in turn.
    fn source(&self) -> Option<IpAddr> {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = u8::try_from(nth.checked_rem(u64::from(self.sources))?).ok()?;
        Some(Ipv4Addr::new(127, 0, 0, turn + 1).into())
    }

    fn counter_of(&self, error: &io::Error) -> &AtomicU64 {
        // EMFILE and ENFILE have no kind of their own.
        const TOO_MANY_FILES: [i32; 2] = [24, 23];
        match error.kind() {
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => &self.counted.out_of_ports,
            _ if error
                .raw_os_error()
                .is_some_and(|code| TOO_MANY_FILES.contains(&code)) =>
            {
                &self.counted.out_of_files
            }
            _ => &self.counted.refused,
        }
    }

    /// What became of all attempts.
    pub(crate) fn dialled(&self) -> Dialled {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dialled {
            opened: read(&self.counted.opened),
            refused: read(&self.counted.refused),
            out_of_ports: read(&self.counted.out_of_ports),
            out_of_files: read(&self.counted.out_of_files),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn many_connections_leave_from_several_loopback_addresses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let dialler = Dialler::new(&url.parse().unwrap(), 3 * PORTS_PER_SOURCE - 1).unwrap();
        let mut sources: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for _ in 0..9 {
            let (ours, theirs) = tokio::join!(dialler.dial(), listener.accept());
            ours.unwrap();
            *sources.entry(theirs.unwrap().1.ip()).or_default() += 1;
        }
        let counts: Vec<u32> = sources.values().copied().collect();
        assert_eq!(counts, [3, 3, 3], "{sources:?}");
        assert_eq!(dialler.dialled().opened, 9);
    }

    #[tokio::test]
    async fn what_ran_out_is_told_apart_from_being_refused() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let dialler = Dialler::new(&url.parse().unwrap(), 10).unwrap();
        dialler.dial().await.unwrap_err();
        let none_left = io::Error::from(io::ErrorKind::AddrNotAvailable);
        dialler.counter_of(&none_left).fetch_add(1, Ordering::Relaxed);
        dialler
            .counter_of(&io::Error::from_raw_os_error(24))
            .fetch_add(1, Ordering::Relaxed);
        let expected = Dialled {
            opened: 0,
            refused: 1,
            out_of_ports: 1,
            out_of_files: 1,
        };
        assert_eq!(dialler.dialled(), expected);
    }
}
