//! The only place that speaks SQL.
//!
//! Lock order, kept by every transaction so that none waits in a circle: reservations (by id), transfers,
//! seats (by id), ticket types (by id), quotas (by user and event), memberships, refunds owed. A hold starts at the
//! seats and adds a reservation of its own.

pub mod artists;
pub mod change;
pub mod give_back;
pub mod handover;
pub mod hold;
pub mod memberships;
pub mod owed;
pub mod points;
pub mod purchases;
pub mod reads;
pub mod sales;
pub mod seating;
pub mod settle;
pub mod standing;
pub mod tickets;
pub mod transfers;

/// The schema. Migrations own it; starting a service runs them.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
