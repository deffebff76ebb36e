//! urr-catalog.
