//! urr-booking.
