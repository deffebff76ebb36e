//! The rows an audit judges. Plain data in the stores' own terms; the auditor fills it, and it can
//! be written beside a report and judged again.

use crate::{admission::LogEntry, room::Room, sale::Sale, time::Millis, token::place, visitor::VisitorKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All that is left of a sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The sale as it was meant.
    pub sale: Sale,
    /// When the stores were read.
    pub taken_at: Millis,
    /// Booking's seats of this sale.
    pub seats: Vec<Seat>,
    /// Booking's reservations of this sale, of every status.
    pub reservations: Vec<Reservation>,
    /// Their items.
    pub items: Vec<Item>,
    /// The admission log, in the order of the stream.
    pub log: Vec<LogEntry>,
    /// Who was inside right after the last entry of `log`, from tier 2's own set.
    pub active: Vec<Uuid>,
    /// The waiting room's ledger, entry by entry.
    pub places: Vec<PlaceRow>,
    /// The waiting room's record.
    pub room: Option<Room>,
    /// Payment's rows for this sale.
    pub payments: Vec<Payment>,
    /// The provider's ledger, for the orders of this sale.
    pub charges: Vec<Charge>,
    /// What clients and the drill saw while it happened.
    pub observed: Observations,
}

/// What cannot be read from the stores afterwards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observations {
    /// Answers to joins, repeats included.
    pub joins: Vec<JoinSeen>,
    /// Places told for good, by request id; what proves a draw.
    pub places: Vec<PlaceTold>,
    /// Serving counters in answers to polls.
    pub serving: Vec<ServingSeen>,
    /// Tries to get in by the back door.
    pub attempts: Vec<Attempt>,
    /// Changes of the number of ready replicas, from the start on.
    pub ready: Vec<ReadySeen>,
    /// Seat totals from snapshots.
    pub seats: Vec<SeatsSeen>,
    /// What polling cost the stores.
    pub polls: Option<PollCost>,
    /// An operator held the line across `opensAt`, so there was no opening to be on time.
    pub held_at_opening: bool,
}

/// A seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Its id.
    pub id: Uuid,
    /// As on the ticket.
    pub label: String,
    /// Where it stands.
    pub status: SeatStatus,
    /// The newest fencing token issued for it.
    pub fencing_token: i64,
    /// Who holds or owns it.
    pub locked_by: Option<Uuid>,
}

/// Status of a seat (api-contract.md section 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeatStatus {
    /// Free.
    Available,
    /// Held.
    Locked,
    /// Sold.
    Reserved,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// Who made it.
    pub user: Uuid,
    /// Whose it is now.
    pub owner: Uuid,
    /// The transfer by which it became his, if it was sold on.
    #[serde(default)]
    pub transfer: Option<Uuid>,
    /// Where it stands.
    pub status: ReservationStatus,
    /// KRW.
    pub total_amount: i64,
    /// When it was made.
    pub created_at: Millis,
}

/// Status of a reservation (api-contract.md section 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReservationStatus {
    /// Held, unpaid.
    Pending,
    /// Paid.
    Confirmed,
    /// Given back.
    Cancelled,
    /// Not paid in time.
    Expired,
}

/// A seat, or standing tickets, in a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Of which reservation.
    pub reservation: Uuid,
    /// Which seat; absent for standing tickets.
    pub seat: Option<Uuid>,
    /// The token under which the seat was held.
    pub fencing_token: Option<i64>,
}

/// An entry of the waiting room's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceRow {
    /// Under which key it was taken; a visitor's name makes it.
    pub key: VisitorKey,
    /// Of which line.
    pub epoch: u32,
    /// From 1. In a sale with a draw this is the ticket.
    pub position: u64,
    /// When the join arrived.
    pub created_at: Millis,
}

/// An answer to a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinSeen {
    /// Who asked.
    pub visitor: String,
    /// When the request left.
    pub sent_at: Millis,
    /// When the answer came.
    pub answered_at: Millis,
    /// The place that was told; answers that tell none yet are no evidence.
    pub position: u64,
    /// The place's id that was told, where it was noted.
    pub request_id: Option<Uuid>,
}

impl JoinSeen {
    /// The number in the line that the answer's request id carries; in a sale without a draw the
    /// position.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.request_id
            .and_then(place::claimed)
            .map_or(self.position, |(number, _)| number)
    }
}

/// A place that a visitor was told for good: at the join, or after the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceTold {
    /// The request id, which carries the number it was drawn from.
    pub request_id: Uuid,
    /// The place.
    pub position: u64,
}

/// A serving counter in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServingSeen {
    /// When the request left.
    pub sent_at: Millis,
    /// When the answer came.
    pub answered_at: Millis,
    /// Positions served.
    pub serving: u64,
    /// Positions handed out.
    pub issued: u64,
    /// Which line, where the answer told it.
    pub epoch: Option<u32>,
    /// The record's revision, where the answer told it.
    pub revision: Option<u64>,
}

/// A try to get in without a right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// What was tried.
    pub kind: AttemptKind,
    /// The HTTP status of the answer; 0 if none came.
    pub status: u16,
    /// Whether the intruder got what only the line gives: a slot, a token, a seat, or past the
    /// gate to where seats are looked up.
    pub got_in: bool,
}

/// Ways to try it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptKind {
    /// To reserve without an entry token.
    NoEntryToken,
    /// To reserve with a token signed by another key.
    ForgedEntryToken,
    /// To reserve with another user's token.
    OtherUsersToken,
    /// To reserve with a token of another sale.
    OtherSalesToken,
    /// To reserve with a token past its end.
    ExpiredToken,
    /// To use tier 1's token as an entry token.
    Tier1AsEntry,
    /// To use a refresh token as an access token.
    RefreshAsAccess,
    /// To claim an identity by header.
    IdentityHeader,
    /// To name a position of one's own to tier 2.
    MadeUpPosition,
}

/// How many replicas were ready from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadySeen {
    /// From when on.
    pub at: Millis,
    /// How many.
    pub replicas: u32,
}

/// Seat totals at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatsSeen {
    /// When.
    pub at: Millis,
    /// All.
    pub capacity: u64,
    /// Nobody's.
    pub free: u64,
    /// Held.
    pub held: u64,
    /// Sold.
    pub sold: u64,
}

/// What polling cost the stores during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollCost {
    /// Polls answered.
    pub polls: u64,
    /// Reads of the waiting room's store that were not part of a join.
    pub store_reads: u64,
    /// Replicas that answered.
    pub replicas: u32,
    /// How long the counters ran.
    pub duration_ms: u64,
}

/// A payment as the payment service has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The order at the provider.
    pub order_id: String,
    /// What it is for.
    pub kind: PaymentKind,
    /// Which reservation or membership; of a transfer the reservation it handed over, if it did.
    pub target: Option<Uuid>,
    /// Which transfer, if it is for one.
    #[serde(default)]
    pub transfer: Option<Uuid>,
    /// Who pays.
    pub payer: Uuid,
    /// KRW.
    pub amount: i64,
    /// Where it stands.
    pub status: PaymentStatus,
}

/// What a payment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentKind {
    /// A reservation.
    Reservation,
    /// A ticket transfer.
    Transfer,
    /// A membership.
    Membership,
}

/// Where a payment stands (R-PAY-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentStatus {
    /// Not charged, as far as the service knows.
    Pending,
    /// Charged.
    Confirmed,
    /// Charged and given back.
    Refunded,
    /// Refused by the provider.
    Failed,
}

/// A charge in the provider's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The provider's key.
    pub payment_key: String,
    /// The order it paid.
    pub order_id: String,
    /// KRW captured.
    pub amount: i64,
    /// KRW given back since.
    pub cancelled_amount: i64,
}
