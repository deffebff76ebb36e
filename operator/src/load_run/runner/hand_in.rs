//! The last that a runner does: its result goes to the cluster, cut into ConfigMaps, each under one name, so
//! that whoever comes second is refused by the API server.

use super::{Place, RunnerError};
use crate::load_run::names;
use crate::load_run::orders::Orders;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt as _};
use std::collections::BTreeMap;
use std::time::Duration;
use urr_loadgen::segments::handover::{HandIn, PIECE_BYTES_MAX};
use urr_loadgen::segments::{Segment, SegmentResult};

/// How often handing in is tried, and how long apart at first; with doubling a minute in all.
const TRIES: u32 = 7;
const PAUSE: Duration = Duration::from_secs(1);

/// Hands `result` in, piece by piece.
///
/// # Errors
/// When the cluster does not take it, or somebody else was first.
pub async fn hand_in(
    place: &Place,
    orders: &Orders,
    result: SegmentResult,
    clock_behind_ms: Option<i64>,
) -> Result<(), RunnerError> {
    let segment = result.segment;
    let mut handed = HandIn::new(result, orders.fingerprint.clone());
    handed.clock_behind_ms = clock_behind_ms;
    let packed = handed
        .pack(orders.hand_in_bytes_max)
        .map_err(RunnerError::Write)?;
    let pieces = pieces(&place.job_uid, &place.pod, orders, segment, &packed);
    let maps: Api<ConfigMap> = Api::namespaced(place.client.clone(), &place.namespace);
    for piece in &pieces {
        hand_in_piece(&maps, piece, place, segment).await?;
    }
    tracing::info!(%segment, pieces = pieces.len(), bytes = packed.len(), "handed in");
    Ok(())
}

/// The ConfigMaps of one result, handed in by `pod` of the Job with `job_uid`.
#[must_use]
pub fn pieces(job_uid: &str, pod: &str, orders: &Orders, segment: Segment, packed: &[u8]) -> Vec<ConfigMap> {
    let of = packed.len().div_ceil(PIECE_BYTES_MAX).max(1);
    let piece = |(nth, bytes): (usize, &[u8])| ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::piece(&orders.job, segment.nth(), nth + 1)),
            labels: Some(BTreeMap::from([
                (names::RUN_LABEL.to_owned(), orders.run_uid.clone()),
                (names::SEGMENT_LABEL.to_owned(), segment.nth().to_string()),
            ])),
            annotations: Some(BTreeMap::from([
                (names::PIECE_ANNOTATION.to_owned(), (nth + 1).to_string()),
                (names::PIECES_ANNOTATION.to_owned(), of.to_string()),
                (names::POD_ANNOTATION.to_owned(), pod.to_owned()),
            ])),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: orders.job.clone(),
                uid: job_uid.to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        binary_data: Some(BTreeMap::from([(
            names::PIECE_KEY.to_owned(),
            ByteString(bytes.to_vec()),
        )])),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    packed.chunks(PIECE_BYTES_MAX).enumerate().map(piece).collect()
}

async fn hand_in_piece(
    maps: &Api<ConfigMap>,
    piece: &ConfigMap,
    place: &Place,
    segment: Segment,
) -> Result<(), RunnerError> {
    let mut pause = PAUSE;
    for tried in 1.. {
        match maps.create(&PostParams::default(), piece).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                return is_ours(maps, piece, place, segment).await;
            }
            // What is refused will be refused again.
            Err(error @ kube::Error::Api(_)) if !is_passing(&error) => {
                return Err(RunnerError::HandIn(error));
            }
            Err(error) if tried >= TRIES => return Err(RunnerError::HandIn(error)),
            Err(error) => {
                let error = crate::reconcile::chain(&error);
                tracing::warn!(%segment, error, "handing in is tried again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
    Ok(())
}

fn is_passing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 429 || status.code >= 500)
}

/// One of that name is there: this Pod's own, whose answer was lost, or somebody else's.
async fn is_ours(
    maps: &Api<ConfigMap>,
    piece: &ConfigMap,
    place: &Place,
    segment: Segment,
) -> Result<(), RunnerError> {
    let there = maps.get(&piece.name_any()).await.map_err(RunnerError::HandIn)?;
    let by = there.annotations().get(names::POD_ANNOTATION);
    if by == Some(&place.pod) && there.binary_data == piece.binary_data {
        return Ok(());
    }
    let by = by.cloned().unwrap_or_else(|| "somebody".to_owned());
    Err(RunnerError::Twice { segment, by })
}
