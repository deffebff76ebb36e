//! The tier-1 place a caller brings along: the order of tier 2 comes from it, never from what a
//! client says (law `fair-order`; quirk 1).

use crate::{http::cookies, store::Place};
use axum::http::HeaderMap;
use urr_core::{
    sale::SaleId,
    time::Millis,
    token::{Keyring, tier1},
};
use uuid::Uuid;

/// Set by the waiting page; other clients send the header.
const COOKIE_NAME: &str = "urr-vwr-token";
const HEADER_NAME: &str = "x-vwr-token";

/// Tokens looked at per request: a header and a browser's duplicates of one cookie.
const TOKENS_MAX: usize = 4;

/// The place that a genuine, living tier-1 token for `sale` proves, if one was sent. Whether its
/// line is the present one is checked where the limits are known: in the script.
///
/// A name that a browser made up is nobody's but his who was told the token. An account's id is: others see it, and
/// whoever says it at the door is given the place that its owner took. So such a place is its owner's only.
pub(crate) fn of_request(
    headers: &HeaderMap,
    keys: &Keyring,
    sale: SaleId,
    user: Uuid,
    now: Millis,
) -> Option<Place> {
    let is_anothers = |name: &str| Uuid::try_parse(name).is_ok_and(|owner| owner != user);
    let header = headers.get(HEADER_NAME).and_then(|value| value.to_str().ok());
    let cookies = cookies(headers, COOKIE_NAME);
    header
        .into_iter()
        .chain(cookies)
        .take(TOKENS_MAX)
        .filter_map(|token| tier1::verify(keys, token, sale, now).ok())
        .find(|claims| !is_anothers(&claims.uid))
        .map(|claims| Place {
            position: claims.pos,
            epoch: claims.epoch,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn keys() -> Keyring {
        Keyring::new(&["0123456789abcdef0123456789abcdef"]).unwrap()
    }

    fn token(sale: SaleId, now: Millis) -> String {
        token_of("anon-kim", sale, now)
    }

    fn token_of(name: &str, sale: SaleId, now: Millis) -> String {
        tier1::issue(&keys(), &tier1::Claims::new(sale, name, 7, 2, now, 600))
    }

    fn place(headers: &[(&'static str, String)], sale: SaleId) -> Option<Place> {
        place_for(Uuid::new_v4(), headers, sale)
    }

    fn place_for(user: Uuid, headers: &[(&'static str, String)], sale: SaleId) -> Option<Place> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        of_request(&map, &keys(), sale, user, NOW)
    }

    #[test]
    fn a_place_is_read_from_the_cookie_or_the_header() {
        let sale = Uuid::new_v4();
        let token = token(sale, NOW);
        let seven = Some(Place {
            position: 7,
            epoch: 2,
        });
        assert_eq!(place(&[("x-vwr-token", token.clone())], sale), seven);
        let cookie = format!("a=b; urr-vwr-token={token}; c=d");
        assert_eq!(place(&[("cookie", cookie.clone())], sale), seven);
        // A stale header does not hide a good cookie.
        assert_eq!(
            place(&[("x-vwr-token", "junk".to_owned()), ("cookie", cookie)], sale),
            seven
        );
    }

    #[test]
    fn a_token_of_another_sale_or_time_is_no_place() {
        let sale = Uuid::new_v4();
        assert_eq!(place(&[("x-vwr-token", token(Uuid::new_v4(), NOW))], sale), None);
        assert_eq!(
            place(&[("x-vwr-token", token(sale, NOW.plus_s(-601)))], sale),
            None
        );
        assert_eq!(place(&[], sale), None);
    }

    #[test]
    fn a_place_taken_under_an_accounts_id_is_that_accounts_only() {
        // Ids of accounts stand in public posts; whoever says one at the door is told its place.
        let (sale, owner) = (Uuid::new_v4(), Uuid::new_v4());
        for name in [owner.to_string(), owner.simple().to_string().to_uppercase()] {
            let stolen = ("x-vwr-token", token_of(&name, sale, NOW));
            assert!(
                place_for(owner, std::slice::from_ref(&stolen), sale).is_some(),
                "{name}"
            );
            assert_eq!(
                place_for(Uuid::new_v4(), std::slice::from_ref(&stolen), sale),
                None,
                "{name}"
            );
            // It does not hide a place of one's own.
            let own = ("cookie", format!("urr-vwr-token={}", token(sale, NOW)));
            assert!(place(&[stolen, own], sale).is_some());
        }
    }
}
