//! Free loopback ports for the processes of a drill.

use rand::Rng as _;
use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

/// Below the range from which Linux takes the ports of outgoing connections (32768 and up): while
/// a killed service is down, the load's own connections must not take its port.
const RANGE: Range<u16> = 20_000..32_000;

/// Tries per port; with a nearly empty range one is enough.
const TRIES: u32 = 200;

/// Hands out loopback addresses that were free a moment ago, each once.
#[derive(Debug, Default)]
pub(super) struct Ports {
    given: BTreeSet<u16>,
}

impl Ports {
    /// The next one. Somebody may take it before its process does: who starts processes retries
    /// with new ports.
    pub(super) fn next(&mut self) -> io::Result<SocketAddr> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let port = rand::rng().random_range(RANGE);
            if self.given.contains(&port) {
                continue;
            }
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match TcpListener::bind(address) {
                Ok(_) => {
                    self.given.insert(port);
                    return Ok(address);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_outside_the_ephemeral_range() {
        let mut ports = Ports::default();
        let given: BTreeSet<SocketAddr> = (0..50).map(|_| ports.next().unwrap()).collect();
        assert_eq!(given.len(), 50);
        assert!(given.iter().all(|a| RANGE.contains(&a.port())));
    }

    #[test]
    fn a_taken_port_is_not_given() {
        let mut ports = Ports::default();
        let taken = ports.next().unwrap();
        let _listener = TcpListener::bind(taken).unwrap();
        let mut others = Ports::default();
        for _ in 0..200 {
            assert_ne!(others.next().unwrap(), taken);
        }
    }
}
