//! The only place of this service that speaks to DynamoDB.
//!
//! Two tables: the room record (through [`Rooms`], shared with the control plane) and the places
//! given out. The places serve idempotency, support and recovery; a poll never reads them (law
//! `free-poll`), which is why every call here is counted by kind.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use metrics::{Counter, counter};
use std::{collections::HashMap, time::Duration};
use urr_core::{
    room::{Room, ServingClock},
    sale::SaleId,
    time::Millis,
};
use urr_kit::{
    Dynamo,
    state::{
        StateError,
        rooms::{POSITIONS_KEY, POSITIONS_TABLE, POSITIONS_TTL, Rooms},
    },
};

/// DynamoDB's own limit, for both `BatchGetItem` and `TransactWriteItems`.
pub(crate) const ITEMS_PER_CALL: usize = 100;

/// Calls of one batch that run at once: a full batch (`line::BATCH_MAX`) is one round trip, and
/// the emulator's connection pool is not flooded.
const CALLS_AT_ONCE: usize = 10;

/// A throttled or conflicting call is repeated this often, from 10 ms doubling: 630 ms in all.
/// Longer, and the visitor's own retry is the better one.
const ATTEMPTS_MAX: u32 = 6;

/// Places are kept for 24 hours (R-VWR-02).
const KEPT_S: i64 = 24 * 3600;

/// A place as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Number in the line.
    pub(crate) position: u64,
    /// Which line.
    pub(crate) epoch: u32,
}

/// A place to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct NewPlace {
    pub(crate) key: String,
    pub(crate) sale: SaleId,
    pub(crate) place: Recorded,
    pub(crate) request_id: uuid::Uuid,
    pub(crate) visitor: String,
    pub(crate) created_at: Millis,
}

/// What became of recording a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is recorded.
    Placed,
    /// The visitor already had this one; the new number is a hole.
    Had(Recorded),
    /// The store did not take it in time; the number is a hole. The visitor was told nothing.
    Failed,
}

/// A kind of store call, as metrics and tests count it.
#[derive(Debug, Clone, Copy)]
enum Op {
    RoomRead,
    RoomWrite,
    TakeBlock,
    PlacesRead,
    PlacesWrite,
}

const OPS: [(&str, Op); 5] = [
    ("room_read", Op::RoomRead),
    ("room_write", Op::RoomWrite),
    ("take_block", Op::TakeBlock),
    ("places_read", Op::PlacesRead),
    ("places_write", Op::PlacesWrite),
];

/// Tier 1's stores.
pub(crate) struct Store {
    rooms: Rooms,
    dynamo: Dynamo,
    positions: String,
    counters: [Counter; OPS.len()],
    #[cfg(test)]
    calls: std::sync::atomic::AtomicU64,
}

impl Store {
    pub(crate) fn new(dynamo: Dynamo) -> Self {
        Self {
            rooms: Rooms::new(&dynamo),
            positions: dynamo.table(POSITIONS_TABLE),
            dynamo,
            counters: OPS.map(|(name, _)| counter!("urr_vwr_store_ops_total", "op" => name)),
            #[cfg(test)]
            calls: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// Calls made so far, of all kinds.
    #[cfg(test)]
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) async fn ensure_tables(&self) -> Result<(), StateError> {
        self.rooms.ensure_tables().await
    }

    pub(crate) async fn room(&self, sale: SaleId) -> Result<Option<Room>, StateError> {
        self.count(Op::RoomRead);
        self.rooms.get(sale).await
    }

    pub(crate) async fn create_room(&self, room: &Room) -> Result<Room, StateError> {
        self.count(Op::RoomWrite);
        self.rooms.create(room).await
    }

    pub(crate) async fn replace_room(&self, seen: u64, room: &Room) -> Result<Room, StateError> {
        self.count(Op::RoomWrite);
        self.rooms.replace(seen, room).await
    }

    pub(crate) async fn take_block(
        &self,
        seen: &Room,
        n: u32,
        reanchor: Option<ServingClock>,
    ) -> Result<Room, StateError> {
        self.count(Op::TakeBlock);
        self.rooms.take_block(seen, n, reanchor).await
    }

    /// The places recorded under `keys`, which must be distinct. Reads consistently: a place
    /// another replica recorded a moment ago must be seen (law `one-place`).
    pub(crate) async fn places(&self, keys: &[String]) -> Result<HashMap<String, Recorded>, StateError> {
        let calls: Vec<_> = keys
            .chunks(ITEMS_PER_CALL)
            .map(|chunk| self.places_of_chunk(chunk))
            .collect();
        stream::iter(calls)
            .buffer_unordered(CALLS_AT_ONCE)
            .try_fold(HashMap::with_capacity(keys.len()), |mut all, some| async move {
                all.extend(some);
                Ok(all)
            })
            .await
    }

    async fn places_of_chunk(&self, chunk: &[String]) -> Result<Vec<(String, Recorded)>, StateError> {
        const WHAT: &str = "read places";
        let mut asked = KeysAndAttributes::builder()
            .consistent_read(true)
            .projection_expression("#k, #p, #e")
            .expression_attribute_names("#k", POSITIONS_KEY)
            .expression_attribute_names("#p", "position")
            .expression_attribute_names("#e", "epoch")
            .set_keys(Some(chunk.iter().map(|key| self.key(key)).collect()))
            .build()
            .map_err(|e| StateError::Dynamo {
                what: WHAT,
                source: e.into(),
            })?;
        let mut found = Vec::new();
        for attempt in 0..ATTEMPTS_MAX {
            self.count(Op::PlacesRead);
            let answer = self
                .dynamo
                .client
                .batch_get_item()
                .request_items(&self.positions, asked)
                .send()
                .await
                .map_err(|e| StateError::Dynamo {
                    what: WHAT,
                    source: Box::new(e),
                })?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let key = item.get(POSITIONS_KEY).and_then(|v| v.as_s().ok()).cloned();
                found.push((
                    key.ok_or(StateError::Corrupt { field: POSITIONS_KEY })?,
                    recorded(&item)?,
                ));
            }
            match answer
                .unprocessed_keys
                .unwrap_or_default()
                .remove(&self.positions)
            {
                Some(rest) if !rest.keys.is_empty() => asked = rest,
                _ => return Ok(found),
            }
            back_off(attempt).await;
        }
        Err(StateError::Dynamo {
            what: WHAT,
            source: "keys stayed unprocessed".into(),
        })
    }

    /// Records places, each only if its visitor has none. The outcomes are in the order given.
    /// A chunk goes in one transaction, so it costs one round trip instead of a hundred.
    pub(crate) async fn record(&self, places: &[NewPlace]) -> Vec<Outcome> {
        let calls: Vec<_> = places
            .chunks(ITEMS_PER_CALL)
            .map(|chunk| self.record_chunk(chunk))
            .collect();
        stream::iter(calls).buffered(CALLS_AT_ONCE).concat().await
    }

    async fn record_chunk(&self, chunk: &[NewPlace]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Failed; chunk.len()];
        let mut open: Vec<usize> = (0..chunk.len()).collect();
        for attempt in 0..ATTEMPTS_MAX {
            self.count(Op::PlacesWrite);
            match self.transact(open.iter().filter_map(|&i| chunk.get(i))).await {
                Ok(()) => {
                    for i in open {
                        outcomes[i] = Outcome::Placed;
                    }
                    return outcomes;
                }
                Err(Refused::Losers(losers)) => {
                    // Nothing was written. Who lost has a place already; the others try again.
                    for (at, had) in &losers {
                        if let Some(&i) = open.get(*at) {
                            outcomes[i] = Outcome::Had(*had);
                        }
                    }
                    if losers.is_empty() {
                        back_off(attempt).await;
                    }
                    open.retain(|&i| outcomes[i] == Outcome::Failed);
                    if open.is_empty() {
                        return outcomes;
                    }
                }
                Err(Refused::Store(error)) => {
                    tracing::error!(
                        places = open.len(),
                        error = urr_kit::error::chain(&error),
                        "places could not be recorded"
                    );
                    return outcomes;
                }
            }
        }
        tracing::error!(places = open.len(), "places stayed in conflict or throttled");
        outcomes
    }

    async fn transact(&self, places: impl Iterator<Item = &NewPlace>) -> Result<(), Refused> {
        let mut puts = Vec::with_capacity(ITEMS_PER_CALL);
        for place in places {
            let put = Put::builder()
                .table_name(&self.positions)
                .set_item(Some(item_of(place)))
                .condition_expression("attribute_not_exists(#k)")
                .expression_attribute_names("#k", POSITIONS_KEY)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build()
                .map_err(Refused::store)?;
            puts.push(TransactWriteItem::builder().put(put).build());
        }
        let sent = self
            .dynamo
            .client
            .transact_write_items()
            .set_transact_items(Some(puts));
        match sent.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    fn key(&self, key: &str) -> HashMap<String, AttributeValue> {
        HashMap::from([(POSITIONS_KEY.to_owned(), AttributeValue::S(key.to_owned()))])
    }

    fn count(&self, op: Op) {
        #[cfg(test)]
        self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.counters[op as usize].increment(1);
    }
}

/// Why a transaction wrote nothing.
enum Refused {
    /// These (index in the transaction, present place) exist already. Empty: conflicts with
    /// another transaction or throttling only.
    Losers(Vec<(usize, Recorded)>),
    /// The store did not answer, or not so.
    Store(StateError),
}

impl Refused {
    fn store(source: impl Into<urr_kit::BoxError>) -> Self {
        Self::Store(StateError::Dynamo {
            what: "record places",
            source: source.into(),
        })
    }
}

fn refused(error: SdkError<TransactWriteItemsError>) -> Refused {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return Refused::store(error);
    };
    let mut losers = Vec::new();
    for (at, reason) in cancelled.cancellation_reasons().iter().enumerate() {
        match reason.code() {
            Some("ConditionalCheckFailed") => match reason.item().map(recorded) {
                Some(Ok(had)) => losers.push((at, had)),
                Some(Err(error)) => return Refused::Store(error),
                None => return Refused::store(error),
            },
            None
            | Some("None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {}
            Some(_) => return Refused::store(error),
        }
    }
    Refused::Losers(losers)
}

async fn back_off(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(10 << attempt.min(ATTEMPTS_MAX))).await;
}

fn item_of(place: &NewPlace) -> HashMap<String, AttributeValue> {
    let text = |value: &dyn ToString| AttributeValue::S(value.to_string());
    let number = |value: &dyn ToString| AttributeValue::N(value.to_string());
    let expires_at_s = place.created_at.0 / 1000 + KEPT_S;
    HashMap::from([
        (POSITIONS_KEY.to_owned(), text(&place.key)),
        ("eventId".to_owned(), text(&place.sale)),
        ("requestId".to_owned(), text(&place.request_id)),
        ("position".to_owned(), number(&place.place.position)),
        ("epoch".to_owned(), number(&place.place.epoch)),
        ("userId".to_owned(), text(&place.visitor)),
        ("createdAt".to_owned(), number(&place.created_at.0)),
        (POSITIONS_TTL.to_owned(), number(&expires_at_s)),
    ])
}

fn recorded(item: &HashMap<String, AttributeValue>) -> Result<Recorded, StateError> {
    fn n<T: std::str::FromStr>(
        item: &HashMap<String, AttributeValue>,
        field: &'static str,
    ) -> Result<T, StateError> {
        item.get(field)
            .and_then(|value| value.as_n().ok())
            .and_then(|text| text.parse().ok())
            .ok_or(StateError::Corrupt { field })
    }
    Ok(Recorded {
        position: n(item, "position")?,
        epoch: n(item, "epoch")?,
    })
}
