//! urr-api.
