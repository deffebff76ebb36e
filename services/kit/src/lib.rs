//! urr-kit.
