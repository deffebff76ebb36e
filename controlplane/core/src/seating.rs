//! seating.
