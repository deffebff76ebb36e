//! Tokens cannot be confused or moved: between sales, visitors, tiers or keyrings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::{
    time::Millis,
    token::{
        Invalid, Keyring, entry,
        place::{self, Place},
        tier1,
    },
};
use uuid::Uuid;

const OLD: &str = "the secret of last month, 44 bytes of text..";
const NEW: &str = "the secret of this month, 44 bytes of text..";
const NOW: Millis = Millis(1_796_122_800_000);

fn ring(secrets: &[&str]) -> Keyring {
    Keyring::new(secrets).unwrap()
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn a_place() -> impl Strategy<Value = Place> {
    (uuid(), 0..=place::EPOCH_MAX, 0..=place::POSITION_MAX).prop_map(|(sale, epoch, position)| Place {
        sale,
        epoch,
        position,
    })
}

proptest! {
    #[test]
    fn a_place_is_told_back_from_its_id(place in a_place(), visitor in ".{0,64}") {
        let keys = ring(&[NEW]);
        let id = place::issue(&keys, &place, &visitor);
        prop_assert_eq!(id.get_version_num(), 8);
        prop_assert_eq!(place::verify(&keys, place.sale, &visitor, id), Ok(place));
    }

    #[test]
    fn an_id_with_any_single_bit_flipped_is_refused(place in a_place(), visitor in ".{0,40}") {
        let keys = ring(&[NEW, OLD]);
        let id = place::issue(&keys, &place, &visitor);
        for bit in 0..128 {
            let flipped = Uuid::from_u128(id.as_u128() ^ 1 << bit);
            prop_assert!(place::verify(&keys, place.sale, &visitor, flipped).is_err(), "bit {}", bit);
        }
    }

    #[test]
    fn a_place_cannot_be_moved(place in a_place(), other_sale in uuid(), visitor in "[a-z]{1,20}", other in "[a-z]{1,20}") {
        prop_assume!(other_sale != place.sale && other != visitor);
        let keys = ring(&[NEW]);
        let id = place::issue(&keys, &place, &visitor);
        let refused = Err(Invalid::BadSignature);
        prop_assert_eq!(place::verify(&keys, other_sale, &visitor, id), refused);
        prop_assert_eq!(place::verify(&keys, place.sale, &other, id), refused);
        prop_assert_eq!(place::verify(&ring(&[OLD]), place.sale, &visitor, id), refused);
    }

    #[test]
    fn places_beyond_what_an_id_carries_are_refused_and_not_mistaken(place in a_place(), over in 1..1000_u64) {
        let keys = ring(&[NEW]);
        let beyond = Place { position: place.position + (place::POSITION_MAX + 1) * over, ..place };
        let id = place::issue(&keys, &beyond, "v");
        prop_assert_eq!(place::verify(&keys, place.sale, "v", id), Err(Invalid::BadSignature));
    }

    #[test]
    fn random_uuids_are_no_places(id in uuid(), sale in uuid()) {
        prop_assert!(place::verify(&ring(&[NEW, OLD]), sale, "v", id).is_err());
    }

    #[test]
    fn tier_1_claims_come_back_the_same(sale in uuid(), uid in ".{0,64}", pos: u64, epoch: u32, ttl_s in 1..86_400_u32) {
        let keys = ring(&[NEW]);
        let claims = tier1::Claims::new(sale, &uid, pos, epoch, NOW, ttl_s);
        let token = tier1::issue(&keys, &claims);
        prop_assert_eq!(tier1::verify(&keys, &token, sale, NOW), Ok(claims));
        prop_assert_eq!(tier1::verify(&keys, &token, sale, NOW.plus_s(i64::from(ttl_s))), Err(Invalid::Expired));
        prop_assert_eq!(tier1::verify(&keys, &token, sale, NOW.plus_s(i64::from(ttl_s)).plus_ms(-1)).is_ok(), true);
    }

    /// no-back-door, R-GW-04: an entry token is one user's in one sale.
    #[test]
    fn an_entry_token_opens_one_sale_to_one_user(sale in uuid(), user in uuid(), other in uuid()) {
        prop_assume!(other != sale && other != user);
        let keys = ring(&[NEW]);
        let claims = entry::Claims::new(sale, user, NOW, 600);
        let token = entry::issue(&keys, &claims);
        prop_assert_eq!(entry::verify(&keys, &token, sale, user, NOW), Ok(claims));
        prop_assert_eq!(entry::verify_any_sale(&keys, &token, NOW), Ok(claims));
        prop_assert_eq!(entry::verify(&keys, &token, other, user, NOW), Err(Invalid::OtherSale));
        prop_assert_eq!(entry::verify(&keys, &token, sale, other, NOW), Err(Invalid::OtherVisitor));
        prop_assert_eq!(entry::verify(&keys, &token, sale, user, NOW.plus_s(600)), Err(Invalid::Expired));
        prop_assert_eq!(entry::verify(&ring(&[OLD]), &token, sale, user, NOW), Err(Invalid::BadSignature));
    }

    #[test]
    fn altered_tokens_are_refused(sale in uuid(), user in uuid(), at: prop::sample::Index, bit in 0..7_u8) {
        let keys = ring(&[NEW]);
        let token = entry::issue(&keys, &entry::Claims::new(sale, user, NOW, 600));
        let mut bytes = token.into_bytes();
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let altered = String::from_utf8_lossy(&bytes);
        prop_assert!(entry::verify_any_sale(&keys, &altered, NOW).is_err());
    }

    #[test]
    fn text_that_is_no_token_is_refused(text in ".{0,300}") {
        let keys = ring(&[NEW, OLD]);
        prop_assert!(entry::verify_any_sale(&keys, &text, NOW).is_err());
        prop_assert!(tier1::verify(&keys, &text, Uuid::nil(), NOW).is_err());
    }
}

#[test]
fn tiers_are_told_apart_even_under_one_key() {
    let keys = ring(&[NEW]);
    let (sale, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = tier1::issue(
        &keys,
        &tier1::Claims::new(sale, &user.to_string(), 1, 1, NOW, 600),
    );
    let second = entry::issue(&keys, &entry::Claims::new(sale, user, NOW, 600));
    assert_eq!(
        entry::verify(&keys, &first, sale, user, NOW),
        Err(Invalid::WrongTier)
    );
    assert_eq!(tier1::verify(&keys, &second, sale, NOW), Err(Invalid::WrongTier));
    assert_eq!(
        tier1::verify(&keys, &first, Uuid::from_u128(3), NOW),
        Err(Invalid::OtherSale)
    );
}

#[test]
fn an_access_token_under_the_same_key_is_no_entry_token() {
    let keys = ring(&[NEW]);
    let claims = serde_json::json!({
        "sub": Uuid::nil(), "userId": Uuid::nil(), "role": "admin", "type": "access", "iat": 0, "exp": 9_999_999_999_i64,
    });
    let token = sign(jsonwebtoken::Algorithm::HS256, &claims);
    assert_eq!(
        entry::verify_any_sale(&keys, &token, NOW),
        Err(Invalid::Malformed)
    );
}

#[test]
fn only_hs256_is_accepted() {
    let keys = ring(&[NEW]);
    let claims =
        serde_json::json!({ "sub": Uuid::nil(), "uid": Uuid::nil(), "iat": 0, "exp": 9_999_999_999_i64 });
    assert!(entry::verify_any_sale(&keys, &sign(jsonwebtoken::Algorithm::HS256, &claims), NOW).is_ok());
    assert!(entry::verify_any_sale(&keys, &sign(jsonwebtoken::Algorithm::HS512, &claims), NOW).is_err());
    // {"alg":"none","typ":"JWT"} and the claims, unsigned.
    let signed = sign(jsonwebtoken::Algorithm::HS256, &claims);
    let payload = signed.split('.').nth(1).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    assert!(entry::verify_any_sale(&keys, &unsigned, NOW).is_err());
}

fn sign(algorithm: jsonwebtoken::Algorithm, claims: &serde_json::Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(NEW.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), claims, &key).unwrap()
}

/// Two keys are accepted, the first signs.
#[test]
fn keys_rotate_without_refusing_anybody() {
    let (before, during, after) = (ring(&[OLD]), ring(&[NEW, OLD]), ring(&[NEW]));
    let (sale, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let place = Place {
        sale,
        epoch: 1,
        position: 42,
    };
    let issue = |keys: &Keyring| {
        (
            place::issue(keys, &place, "v"),
            entry::issue(keys, &entry::Claims::new(sale, user, NOW, 600)),
        )
    };
    let accepts = |keys: &Keyring, (id, token): &(Uuid, String)| {
        let place = place::verify(keys, sale, "v", *id).is_ok();
        assert_eq!(place, entry::verify(keys, token, sale, user, NOW).is_ok());
        place
    };
    let (old, rotating) = (issue(&before), issue(&during));
    assert!(accepts(&during, &old) && accepts(&during, &rotating));
    assert!(accepts(&after, &rotating) && !accepts(&after, &old));
    assert!(!accepts(&before, &rotating));
}

/// The wire is a contract: these were made by this version and must verify for ever.
#[test]
fn golden_tokens_still_verify() {
    let keys = ring(&[NEW]);
    let sale = Uuid::from_u128(0x5a1e);
    let place = Place {
        sale,
        epoch: 3,
        position: 4711,
    };
    assert_eq!(place::issue(&keys, &place, "anon-x-1").to_string(), GOLDEN_PLACE);
    let claims = entry::Claims::new(sale, Uuid::from_u128(0xbeef), NOW, 600);
    assert_eq!(entry::issue(&keys, &claims), GOLDEN_ENTRY);
}
const GOLDEN_PLACE: &str = "00001267-0000-800e-ba61-9ff90a735382";
const GOLDEN_ENTRY: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDVhMWUiLCJ1aWQiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMGJlZWYiLCJpYXQiOjE3OTYxMjI4MDAsImV4cCI6MTc5NjEyMzQwMH0.O4i5cj3Cm75WEITVs7cbk5V0Fje553FnAZsRLpqYx1E";
