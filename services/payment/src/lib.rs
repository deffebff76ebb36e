//! urr-payment.
