//! urr.
