//! What runners handed in, put together again from its pieces. Nothing of it is trusted: a piece that is
//! missing, there twice, of another Job or unreadable is told by its segment.

use super::names;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use urr_loadgen::segments::handover::HandIn;

/// Most pieces of one result; the whole run's may be 64 MiB.
const PIECES_MAX: usize = 128;

/// What became of one segment's result.
#[derive(Debug)]
pub enum Handed {
    /// It is there.
    Whole(Box<HandIn>),
    /// It is not, or cannot be read: why.
    Broken(String),
    /// There are two.
    Twice(String),
}

/// The results in `maps`, by segment; those of another Job than `job_uid` count for nothing.
#[must_use]
pub fn collect(maps: Vec<ConfigMap>, job_uid: &str) -> BTreeMap<u32, Handed> {
    let mut by_segment: BTreeMap<u32, Vec<ConfigMap>> = BTreeMap::new();
    for map in maps {
        let owners = map.owner_references();
        if !owners.iter().any(|owner| owner.uid == job_uid) {
            tracing::warn!(
                config_map = map.name_any(),
                "a result of another Job counts for nothing"
            );
            continue;
        }
        let label = map.labels().get(names::SEGMENT_LABEL);
        if let Some(nth) = label.and_then(|label| label.parse().ok()) {
            by_segment.entry(nth).or_default().push(map);
        }
    }
    let put_together = |(nth, maps)| (nth, whole(nth, maps));
    by_segment.into_iter().map(put_together).collect()
}

fn whole(nth: u32, maps: Vec<ConfigMap>) -> Handed {
    let number = |map: &ConfigMap, annotation: &str| -> Option<usize> {
        map.annotations().get(annotation)?.parse().ok()
    };
    let mut pieces: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let (mut of, mut by) = (None, None);
    for mut map in maps {
        let name = map.name_any();
        let broken = |what: &str| Handed::Broken(format!("{name} {what}"));
        let pod = map.annotations().get(names::POD_ANNOTATION).cloned();
        if by.get_or_insert_with(|| pod.clone()) != &pod {
            let [first, second] = [by.flatten(), pod].map(Option::unwrap_or_default);
            return Handed::Twice(format!("{first} and {second} handed in segment {nth}"));
        }
        let (Some(piece), Some(pieces_of)) = (
            number(&map, names::PIECE_ANNOTATION),
            number(&map, names::PIECES_ANNOTATION),
        ) else {
            return broken("does not say which piece it is");
        };
        if *of.get_or_insert(pieces_of) != pieces_of || !(1..=pieces_of).contains(&piece) {
            return broken("does not fit the other pieces");
        }
        if pieces_of > PIECES_MAX {
            return broken("is one of too many pieces");
        }
        let bytes = map
            .binary_data
            .as_mut()
            .and_then(|data| data.remove(names::PIECE_KEY));
        let Some(bytes) = bytes else {
            return broken("is empty");
        };
        if pieces.insert(piece, bytes.0).is_some() {
            return Handed::Twice(format!("piece {piece} of segment {nth} is there twice"));
        }
    }
    let of = of.unwrap_or(0);
    if pieces.len() != of {
        let there = pieces.len();
        return Handed::Broken(format!("of segment {nth} {there} of {of} pieces are there"));
    }
    let packed: Vec<u8> = pieces.into_values().flatten().collect();
    match HandIn::unpack(&packed) {
        Ok(hand_in) if hand_in.result.segment.nth() == nth => Handed::Whole(Box::new(hand_in)),
        Ok(hand_in) => Handed::Broken(format!(
            "what is called segment {nth} is segment {}",
            hand_in.result.segment
        )),
        Err(error) => Handed::Broken(format!("segment {nth}: {}", crate::reconcile::chain(&error))),
    }
}
