//! Who a call is counted for, and the address it really comes from.

use axum::{body::Body, extract::ConnectInfo, http::Request};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use uuid::Uuid;

/// Who is counted: the user, else the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    User(Uuid),
    Address(IpAddr),
}

impl Caller {
    pub(crate) fn key(self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Address(address) => format!("ip:{address}"),
        }
    }
}

/// The peer's address, or what a known proxy says it is: the right-most address of
/// `X-Forwarded-For` that is not itself a known proxy. Everything to its left is the caller's own
/// claim (quirk 15).
pub(crate) fn address(request: &Request<Body>, trusted_proxies: &[IpAddr]) -> IpAddr {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    if !trusted_proxies.contains(&peer) {
        return peer;
    }
    request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|hop| hop.trim().parse::<IpAddr>().ok())
        .rfind(|hop| !trusted_proxies.contains(hop))
        .unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(peer: &str, forwarded: &str) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request
            .headers_mut()
            .insert("x-forwarded-for", forwarded.parse().unwrap());
        request
    }

    #[test]
    fn a_stranger_cannot_choose_his_address() {
        let request = call("203.0.113.9:4711", "198.51.100.1");
        assert_eq!(address(&request, &[]), "203.0.113.9".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn behind_known_proxies_the_last_unknown_hop_counts() {
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let request = call("10.0.0.1:80", "1.2.3.4, 198.51.100.1, 10.0.0.2");
        assert_eq!(
            address(&request, &proxies),
            "198.51.100.1".parse::<IpAddr>().unwrap()
        );
    }
}
