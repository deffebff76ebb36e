//! The payloads, in the names of api-contract.md section 13. Optional fields may be missing in
//! events of other releases.

use serde::{Deserialize, Serialize};
use urr_core::seating::Hall;
use urr_core::time::Millis;
use uuid::Uuid;

/// A payment was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentConfirmed {
    /// The payment.
    pub payment_id: Uuid,
    /// The order it was approved under.
    pub order_id: String,
    /// The provider's key, by which it can be refunded.
    pub payment_key: Option<String>,
    /// Who paid.
    pub user_id: Uuid,
    /// For which event.
    pub event_id: Option<Uuid>,
    /// The reservation, if that is what was paid.
    pub reservation_id: Option<Uuid>,
    /// The transfer or membership, if that is what was paid.
    pub reference_id: Option<Uuid>,
    /// `reservation`, `transfer` or `membership`.
    pub payment_type: String,
    /// KRW.
    pub amount: i64,
    /// How it was paid.
    pub payment_method: String,
    /// When the provider approved.
    pub approved_at: Option<Millis>,
}

/// A payment was given back, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefunded {
    /// The payment.
    pub payment_id: Uuid,
    /// The order it was approved under.
    pub order_id: String,
    /// Who gets it back.
    pub user_id: Uuid,
    /// The reservation, if that is what was paid.
    pub reservation_id: Option<Uuid>,
    /// The transfer or membership, if that is what was paid.
    pub reference_id: Option<Uuid>,
    /// `reservation`, `transfer` or `membership`.
    pub payment_type: String,
    /// KRW.
    pub amount: i64,
    /// Why.
    pub reason: String,
}

/// Seats are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationCreated {
    /// The reservation.
    pub reservation_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// For which event.
    pub event_id: Uuid,
    /// KRW.
    pub total_amount: i64,
    /// The seats; empty for standing tickets.
    #[serde(default)]
    pub seat_ids: Vec<Uuid>,
}

/// Seats are sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationConfirmed {
    /// The reservation.
    pub reservation_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// For which event.
    pub event_id: Uuid,
    /// KRW.
    pub total_amount: i64,
    /// The seats; empty for standing tickets.
    #[serde(default)]
    pub seat_ids: Vec<Uuid>,
    /// How it was paid.
    pub payment_method: Option<String>,
    /// What the seats are; missing in events of earlier releases, empty for standing tickets.
    #[serde(default)]
    pub seats: Vec<SoldSeat>,
}

/// A seat that was sold, as those see it who keep no map of the hall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoldSeat {
    /// Its section.
    pub section: String,
    /// Its row.
    pub row: i32,
    /// KRW.
    pub price: i64,
}

/// Seats of an event were made or removed; the latest word stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatingChanged {
    /// For which event.
    pub event_id: Uuid,
    /// The hall they were made from; none: there are no seats any more.
    pub hall: Option<Hall>,
}

/// Seats are free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationCancelled {
    /// The reservation.
    pub reservation_id: Uuid,
    /// Whose it was.
    pub user_id: Uuid,
    /// For which event.
    pub event_id: Uuid,
    /// KRW it was worth.
    #[serde(default)]
    pub total_amount: i64,
    /// The seats; empty for standing tickets.
    #[serde(default)]
    pub seat_ids: Vec<Uuid>,
    /// Why: `USER_REQUEST`, `EXPIRED`, `EVENT_CANCELLED`, `REFUNDED`, ..
    pub reason: String,
    /// Whether it had been paid, so that money must go back.
    #[serde(default)]
    pub was_paid: bool,
    /// The transfer by which its last owner had come by it: that payment goes back, not the one the
    /// reservation was made with.
    pub transfer_id: Option<Uuid>,
}

/// A payment came for a reservation that cannot be confirmed; payment refunds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRejected {
    /// The reservation.
    pub reservation_id: Uuid,
    /// The payment, if booking knows it.
    pub payment_id: Option<Uuid>,
    /// Why.
    pub reason: String,
}

/// A ticket changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferCompleted {
    /// The transfer.
    pub transfer_id: Uuid,
    /// The reservation that changed its owner.
    pub reservation_id: Uuid,
    /// From whom.
    pub seller_id: Uuid,
    /// To whom.
    pub buyer_id: Uuid,
    /// For which event.
    pub event_id: Option<Uuid>,
    /// KRW.
    pub total_price: i64,
    /// The transfer by which the seller had come by the ticket himself; his payment of that, or of the
    /// reservation if there is none, goes back to him.
    pub previous_transfer_id: Option<Uuid>,
}

/// A payment came for a transfer or a membership that cannot be had; payment refunds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseRejected {
    /// The transfer or membership.
    pub reference_id: Uuid,
    /// The payment.
    pub payment_id: Uuid,
    /// Why.
    pub reason: String,
}

/// A membership was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MembershipActivated {
    /// The membership: this term of it.
    pub membership_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Of which artist.
    pub artist_id: Option<Uuid>,
    /// When the term ends by itself; missing in events of earlier releases.
    pub expires_at: Option<Millis>,
}

/// A membership ended before its time: its payment went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MembershipEnded {
    /// The membership: this term of it.
    pub membership_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Of which artist.
    pub artist_id: Uuid,
}

/// Somebody opened an account. It says no more of him than a count needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountOpened {
    /// Who.
    pub user_id: Uuid,
    /// `user` or `admin`.
    pub role: String,
}

/// A provider refused a charge. The order may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFailed {
    /// The payment.
    pub payment_id: Uuid,
    /// The order that was to be paid.
    pub order_id: String,
    /// Who wanted to pay.
    pub user_id: Uuid,
    /// The reservation, if that is what was to be paid.
    pub reservation_id: Option<Uuid>,
    /// The transfer or membership, if that is what was to be paid.
    pub reference_id: Option<Uuid>,
    /// `reservation`, `transfer` or `membership`.
    pub payment_type: String,
    /// KRW.
    pub amount: i64,
    /// The provider's code.
    pub reason: String,
}

/// A fan did something that earns points (R-MEM-03). The event and the body of
/// `/internal/memberships/award-points` are one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsEarned {
    /// Who.
    pub user_id: Uuid,
    /// What he did, for example `COMMUNITY_POST`.
    pub action_type: String,
    /// What it is worth.
    pub points: i32,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Which one it was: told twice it counts once.
    pub reference_id: Option<Uuid>,
    /// For which artist; without one, for the only one whose member he is.
    pub artist_id: Option<Uuid>,
}

/// An event on sale was made, changed or cancelled. Instants are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventChanged {
    /// The event.
    pub event_id: Uuid,
    /// Its title.
    pub title: String,
    /// Where it takes place.
    pub venue: String,
    /// The venue's address.
    pub address: Option<String>,
    /// When it takes place.
    pub event_date: Millis,
    /// From when tickets are sold.
    pub sale_start_date: Option<Millis>,
    /// Until when tickets are sold.
    pub sale_end_date: Option<Millis>,
    /// `upcoming`, `on_sale`, `ended` or `cancelled`.
    pub status: String,
    /// Who plays.
    pub artist_id: Option<Uuid>,
    /// Their name.
    pub artist_name: Option<String>,
    /// The hall.
    pub seat_layout_id: Option<Uuid>,
    /// Its poster.
    pub poster_image_url: Option<String>,
}

/// Tier 2 let somebody in. Events of one sale come in the order of its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAdmitted {
    /// Always `admitted`.
    pub action: String,
    /// To which event's sale.
    pub event_id: Uuid,
    /// Who.
    pub user_id: Uuid,
    /// From which position of the line.
    pub position: Option<u64>,
}
